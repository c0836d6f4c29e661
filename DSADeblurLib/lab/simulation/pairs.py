"""The same scene through a large focal spot with noise and through a micro spot without: what a network learns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from DSADeblurLib.lab.simulation.conditions import (
    MICRO_SPOT,
    NOMINAL_SPOTS_MM,
    Conditions,
    blur_px,
    header_blur_px,
    pixels_per_mm,
    random_conditions,
    removable_blur_px,
)
from DSADeblurLib.lab.simulation.effects import DOMAINS, Effects, sharpened, zoomed
from DSADeblurLib.lab.simulation.scene import Scene
from DSADeblurLib.physics.acquisition import Slab, expected_intensities, expose, optical_density, shift_frame
from DSADeblurLib.physics.blur import detector_blur
from DSADeblurLib.physics.detector import Detector

__all__ = [
    "KINDS", "MICRO_SPOT", "NOMINAL_SPOTS_MM", "Conditions", "Pair", "acquire_pair", "blur_px", "open_field",
    "pixels_per_mm", "random_conditions", "removable_blur_px", "slabs_of", "header_blur_px",
]  # fmt: skip

KINDS = ("native", "subtracted")
# Usual exposures leave some of the detector's range above the brightest pixels.
USUAL_FILL = 0.85


@dataclass(frozen=True)
class Pair:
    """Degraded frames (moments, rows, columns) and the truth (rows, columns) of the middle one, float32.

    Values are log intensity, native ln(DN) or subtracted optical density; through a display table (`Effects.tone`)
    they keep that unit in the middle of the table only, and native ones are relative to the largest DN.
    """

    degraded: np.ndarray
    truth: np.ndarray
    kind: str

    @property
    def frame(self) -> np.ndarray:
        """The degraded frame (rows, columns) of the moment to restore."""
        return self.degraded[len(self.degraded) // 2]


def open_field(scene: Scene, conditions: Conditions, stride: int = 4) -> tuple[float, Detector]:
    """Quanta at intensity 1 and the detector with its gain set, so that the brightest pixels nearly fill its bits, or
    so many are cut as `Effects.overexposed` says."""
    transmission = np.exp(-scene.static.sum(axis=0)[::stride, ::stride])
    incident = conditions.quanta / float(np.median(transmission))
    detector, cut = conditions.detector, conditions.effects.overexposed
    percentile, fill = (100 * (1 - cut), 1.0) if cut else (99.9, USUAL_FILL)
    brightest = incident * float(np.percentile(transmission, percentile))
    return incident, replace(detector, gain=fill * detector.max_dn / brightest)


def slabs_of(scene: Scene, iodine: bool, moment: int | None = None) -> list[Slab]:
    """The scene's depth slabs as the acquisition takes them, with the contrast agent of a moment (by default the
    middle one) or without."""
    moment = scene.moments // 2 if moment is None else moment
    integrals = scene.static + scene.iodine[moment] if iodine else scene.static
    return [Slab(integral, m) for integral, m in zip(integrals, scene.magnifications, strict=True)]


def acquire_pair(
    scene: Scene,
    conditions: Conditions,
    kind: str,
    rng: np.random.Generator,
    exposure: tuple[float, Detector] | None = None,
) -> Pair:
    """Take one pair: digitised and noisy through the large spot at every moment, exact through the micro spot.

    Both pass the same detector, so the difference between them is focal-spot blur and noise alone, and what
    `Effects.sharpening` adds. Each moment has noise of its own; the moments of a subtracted run share the mask.
    `exposure` is what `open_field` gives for the whole frame, where `scene` is a part of it; by default the scene's
    own. The middle moment does not depend on how many there are.

    Raises:
        ValueError: unknown `kind`.
    """
    if kind not in KINDS:
        raise ValueError(f"Unknown kind of frame '{kind}'; use one of {', '.join(KINDS)}.")
    incident, detector = open_field(scene, conditions) if exposure is None else exposure
    camera = Camera(conditions, incident, detector, rng)
    middle = scene.moments // 2
    spots = (conditions.spot, MICRO_SPOT)
    beam, sharp_beam = camera.beams(slabs_of(scene, iodine=True), spots)
    frames = {middle: camera.frame(beam)}
    truth = camera.exact(sharp_beam)
    in_log = np.log
    if kind == "subtracted":
        # The truth's mask has moved as much as the degraded one's. Taking misregistration away is another task than
        # deblurring: a still truth would reward guessing where the patient had been, and would punish a network that
        # sharpens the artefacts as it should. Sharp in the truth and blurred in the input, they are edges like others.
        still, sharp_still = (camera.moved(b) for b in camera.beams(slabs_of(scene, iodine=False), spots))
        mask = camera.frame(still, conditions.mask_frames)
        truth = optical_density(truth, camera.exact(sharp_still))
        in_log = partial(optical_density, mask=mask)
    else:
        truth = np.log(truth)
    for moment in [moment for moment in range(scene.moments) if moment != middle]:
        (beam,) = camera.beams(slabs_of(scene, True, moment), spots[:1])
        frames[moment] = camera.frame(camera.drifted(beam, moment - middle))
    degraded = np.stack([in_log(frames[moment]) for moment in range(scene.moments)])
    return Pair(*_processed(degraded, truth, kind, conditions.effects, detector), kind)


@dataclass(frozen=True)
class Camera:
    """Tube, collimator and detector under the conditions of one pair; `incident` is quanta at intensity 1."""

    conditions: Conditions
    incident: float
    detector: Detector
    rng: np.random.Generator

    def beams(self, slabs: list[Slab], spots: tuple) -> list[np.ndarray]:
        """Intensity behind the patient for each spot, (rows, columns), 1 without a patient."""
        return expected_intensities(slabs, spots, self.detector.spacing_mm)

    def moved(self, beam: np.ndarray) -> np.ndarray:
        """The beam behind the patient as he lies in the mask.

        Blur comes before motion, which is the same for shifts and, for a degree or less, for rotations.
        """
        c = self.conditions
        return shift_frame(beam, c.motion_px, c.motion_deg) if any(c.motion_px) or c.motion_deg else beam

    def drifted(self, beam: np.ndarray, moments: int) -> np.ndarray:
        """The beam behind the patient so many moments after the restored one."""
        drift = self.conditions.drift_px
        return shift_frame(beam, (drift[0] * moments, drift[1] * moments)) if any(drift) else beam

    def frame(self, beam: np.ndarray, count: int = 1) -> np.ndarray:
        """Digital numbers, float32 from 1 up, of one frame, or the mean of `count` frames of a still patient."""
        if self.conditions.noise_free:
            return self.exact(beam)
        beam = self._collimated(beam)
        if count == 1:
            digital = expose(beam, self.detector, self.incident, self.rng, digital=True)
            return np.maximum(digital, 1, dtype=np.float32)
        # The mean of several exposures is one of so much more dose; the electronics add their noise at each.
        electronics = self.detector.electronic_noise_quanta * np.sqrt(count)
        longer = replace(self.detector, electronic_noise_quanta=float(electronics))
        signal = expose(beam, longer, count * self.incident, self.rng)
        return np.clip(signal * (self.detector.gain / count), 1, self.detector.max_dn)

    def exact(self, beam: np.ndarray) -> np.ndarray:
        """What `frame` is on average, without rounding. Overexposed pixels are cut here too: nobody can restore
        them."""
        beam = self._collimated(beam)
        seen = detector_blur(self.detector, beam.shape).apply(beam)
        return np.clip(self.incident * self.detector.gain * seen, 1, self.detector.max_dn)

    def _collimated(self, beam: np.ndarray) -> np.ndarray:
        # The blades' penumbra is tens of pixels wide and out of reach of any network here: it is the same for both
        # spots, so that nothing is gained or lost by it.
        collimator = self.conditions.effects.collimator
        return beam if collimator is None else beam * collimator.transmission(beam.shape)


def _processed(
    degraded: np.ndarray, truth: np.ndarray, kind: str, effects: Effects, detector: Detector
) -> tuple[np.ndarray, np.ndarray]:
    """Log frames (moments, rows, columns) and truth (rows, columns) as the system stores them."""
    degraded, truth = (zoomed(frames, effects.zoom, effects.zoom_order) for frames in (degraded, truth))
    if effects.sharpening is not None:
        degraded = sharpened(degraded, *effects.sharpening)
    if effects.shutter is not None:
        outside = effects.shutter.transmission(truth.shape) < 0.5
        flat = np.float32(truth.min() if kind == "native" else 0.0)
        degraded, truth = (np.where(outside, flat, frames) for frames in (degraded, truth))
    if effects.tone is not None:
        full = np.float32(np.log(detector.max_dn) if kind == "native" else 0.0)
        degraded = effects.tone.apply(degraded - full, DOMAINS[kind], quantised=True)
        truth = effects.tone.apply(truth - full, DOMAINS[kind], quantised=False)
    return degraded, truth
