"""Flat-panel detector: presampling MTF, noise and digitisation.

Detector(spacing_mm=(0.154, 0.154), scintillator_mm2=0.5, aperture=True, glare_fraction=0.02, glare_width_mm=5.0,
         electronic_noise_quanta=3.0, gain=1.0, offset_dn=0.0, bits=12)
    .mtf(fu, fv) -> ndarray          fu along columns, fv along rows, cycles/mm at the detector
    .reach_mm() -> (row, col)        how far its blur is followed
    .max_dn -> int
    .quantise(quanta) -> uint16      with rounding and saturation
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from DSADeblurLib.physics.focal_spot import as_frequencies, checked_spacing

# The blur is followed this many decay lengths out: e^-8 of the scintillator's, e^-3 of the (weak) glare's.
_SCINTILLATOR_LENGTHS = 8.0
_GLARE_LENGTHS = 3.0


@dataclass(frozen=True)
class Detector:
    """An indirect (CsI) flat panel that counts X-ray quanta; linear up to saturation.

    spacing_mm: pixel size (row, col) in mm, or one number for square pixels.
    scintillator_mm2: H of the scintillator's MTF, T(f) = 1 / (1 + H f^2), f in cycles/mm: the Lorentzian with which
        J. H. Siewerdsen et al., Med. Phys. 25 (1998) 614-628, describe indirect flat panels. 0 means no blur. The
        default 0.5 mm^2 is an assumption: with a 0.154 mm aperture it gives an MTF of 0.64 at 1/mm and 0.28 at 2/mm,
        as is usual for angiographic CsI panels.
    aperture: multiply by the sinc of the pixel (a fill factor of 1).
    glare_fraction, glare_width_mm: veiling glare: the fraction g of the signal is spread as exp(-r / k) / r with
        k = glare_width_mm, so the MTF falls at once by g: (1 - g) + g / sqrt(1 + (2 pi k f)^2). The form is that of
        J. A. Seibert, O. Nalcioglu, W. W. Roeck, Med. Phys. 11 (1984) 172-179; the small default is assumed for
        flat panels.
    electronic_noise_quanta: rms of the read-out noise per pixel, in absorbed quanta.
    gain: digital numbers (DN) per quantum; offset_dn: DN at no signal; bits: 1 to 16, of the stored integer.

    Raises ValueError in one sentence for values outside their range.
    """

    spacing_mm: tuple[float, float] = (0.154, 0.154)
    scintillator_mm2: float = 0.5
    aperture: bool = True
    glare_fraction: float = 0.02
    glare_width_mm: float = 5.0
    electronic_noise_quanta: float = 3.0
    gain: float = 1.0
    offset_dn: float = 0.0
    bits: int = 12

    def __post_init__(self) -> None:
        object.__setattr__(self, "spacing_mm", checked_spacing(self.spacing_mm))
        for name in ("scintillator_mm2", "glare_width_mm", "electronic_noise_quanta", "offset_dn"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"The detector's {name} must be zero or more, not {value}.")
        if not 0 <= self.glare_fraction < 1:
            raise ValueError(f"The glare fraction must lie in [0, 1), not {self.glare_fraction}.")
        if not (math.isfinite(self.gain) and self.gain > 0):
            raise ValueError(f"The detector gain must be a positive number of DN per quantum, not {self.gain}.")
        if not (self.bits == int(self.bits) and 1 <= self.bits <= 16):
            raise ValueError(f"The detector stores 1 to 16 bits, not {self.bits}.")

    @property
    def max_dn(self) -> int:
        """The largest digital number; brighter pixels are saturated."""
        return 2 ** int(self.bits) - 1

    def mtf(self, fu, fv) -> np.ndarray:
        """Return the presampling MTF at detector frequencies fu (along columns), fv (along rows) in cycles/mm.

        fu, fv broadcast together; mtf(0, 0) = 1. Real; the aperture's sinc is negative beyond 1 / pixel size, which
        lies above the Nyquist frequency.
        """
        fu, fv = as_frequencies(fu, fv)
        squared = fu**2 + fv**2
        response = 1.0 / (1.0 + self.scintillator_mm2 * squared)
        if self.aperture:
            row_mm, col_mm = self.spacing_mm
            response = response * np.sinc(fv * row_mm) * np.sinc(fu * col_mm)
        if self.glare_fraction > 0:
            tail = 1.0 / np.sqrt(1.0 + (2.0 * math.pi * self.glare_width_mm) ** 2 * squared)
            response = response * ((1.0 - self.glare_fraction) + self.glare_fraction * tail)
        return response

    def reach_mm(self) -> tuple[float, float]:
        """Return how far (row, col) in mm the blur is followed beyond a frame's border."""
        scintillator = _SCINTILLATOR_LENGTHS * math.sqrt(self.scintillator_mm2) / (2.0 * math.pi)
        glare = _GLARE_LENGTHS * self.glare_width_mm if self.glare_fraction > 0 else 0.0
        far = max(scintillator, glare)
        return far + self.spacing_mm[0], far + self.spacing_mm[1]

    def quantise(self, quanta: np.ndarray) -> np.ndarray:
        """Return the stored integers, uint16 of the same shape: round(gain * quanta + offset), cut to 0 .. max_dn."""
        dn = np.asarray(quanta, dtype=np.float32) * np.float32(self.gain) + np.float32(self.offset_dn)
        np.rint(dn, out=dn)
        return np.clip(dn, 0, self.max_dn, out=dn).astype(np.uint16)
