"""What systems do to frames besides spot and noise: collimators, overexposure, zoom, sharpening and display tables.

    random_effects(rng) -> Effects      each effect in its share of all draws, see SHARES
    Aperture.transmission(shape) -> float32 (rows, cols)
    Tone.apply(values, domain, quantised) -> float32
    zoomed(frames, zoom, order), sharpened(frames, radius_px, amount) -> float32

Frames are (..., rows, cols) float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

# Part of all draws that has each effect.
SHARES = {
    "collimator": 0.08,
    "shutter": 0.05,
    "overexposed": 0.15,
    "binned": 0.30,
    "zoom": 0.15,
    "sharpening": 0.15,
    "tone": 0.20,
}


class Domain(NamedTuple):
    """Values that a display table takes: it is linear round `anchor` and ends at `low` and `high`."""

    anchor: float
    low: float
    high: float


# Native values relative to the largest digital number's logarithm; subtracted ones are optical densities.
DOMAINS = {"native": Domain(-1.5, -7.0, 0.0), "subtracted": Domain(-0.2, -2.0, 0.7)}


@dataclass(frozen=True)
class Aperture:
    """Straight blades and a round iris that stand still while the patient moves.

    blades: (angle_deg, offset) each: what lies further than `offset` half frames from the middle, in the direction
    of the angle (from right to down), is covered. radius: of the iris in half diagonals, None for no iris.
    penumbra_px: width of the edge. leak: what passes the blades, or scatters behind them.
    """

    blades: tuple[tuple[float, float], ...] = ()
    radius: float | None = None
    penumbra_px: float = 1.0
    leak: float = 0.0

    def transmission(self, shape: tuple[int, int]) -> np.ndarray:
        """Part of the beam that is let through, (rows, cols) float32 from `leak` to 1."""
        half = (np.array(shape) - 1) / 2
        rows, columns = (np.arange(n, dtype=np.float32) - h for n, h in zip(shape, half, strict=True))
        rows = rows[:, None]
        inside = np.full(shape, np.inf, np.float32)
        for angle_deg, offset in self.blades:
            x, y = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
            reach = offset * (abs(x) * half[1] + abs(y) * half[0])
            np.minimum(inside, np.float32(reach) - (columns * np.float32(x) + rows * np.float32(y)), out=inside)
        if self.radius is not None:
            np.minimum(inside, np.float32(self.radius * np.hypot(*half)) - np.hypot(rows, columns), out=inside)
        # 1.8 % and 98.2 % of the step lie one penumbra apart.
        passed = 0.5 + 0.5 * np.tanh(4.0 * inside / self.penumbra_px)
        return (self.leak + (1.0 - self.leak) * passed).astype(np.float32)


@dataclass(frozen=True)
class Tone:
    """A display table: a power of the intensity, compressed at both ends, in so many bits.

    exponent 0 leaves log intensity as it is, 1 makes it linear; `compression` is where the sigmoid levels off, in
    spans of the domain; infinite for none. The slope at the anchor is 1, so that values keep their unit there.
    """

    exponent: float = 0.0
    compression: float = np.inf
    bits: int = 12

    def apply(self, values: np.ndarray, domain: Domain, quantised: bool) -> np.ndarray:
        """Values through the table, float32 of the same shape; rising, and cut at the domain's ends."""
        values = self._curve(np.clip(values, domain.low, domain.high), domain)
        if quantised:
            low, high = (float(self._curve(np.float32(end), domain)) for end in (domain.low, domain.high))
            step = np.float32((high - low) / (2**self.bits - 1))
            values = np.rint((values - np.float32(low)) / step) * step + np.float32(low)
        return values.astype(np.float32)

    def _curve(self, values: np.ndarray, domain: Domain) -> np.ndarray:
        z = values - np.float32(domain.anchor)
        if self.exponent:
            z = np.expm1(np.float32(self.exponent) * z) / np.float32(self.exponent)
        if np.isfinite(self.compression):
            width = np.float32(self.compression * (domain.high - domain.low))
            z = width * np.tanh(z / width)
        return z + np.float32(domain.anchor)


@dataclass(frozen=True)
class Effects:
    """What is done to a pair; the defaults do nothing.

    overexposed: part of the pixels that are too bright for the detector's range and cut. collimator: in the beam,
    dark and noisy outside. shutter: drawn by the system, flat outside. binned: the detector's pixels are 2 x 2 of a
    finer panel. zoom and zoom_order: the middle of the field on the whole matrix. sharpening: (radius_px, amount) of
    the vendor's unsharp mask, on the degraded frames only. tone: the display table of both frames.
    """

    overexposed: float = 0.0
    collimator: Aperture | None = None
    shutter: Aperture | None = None
    binned: bool = False
    zoom: float = 1.0
    zoom_order: int = 3
    sharpening: tuple[float, float] | None = None
    tone: Tone | None = None


def random_effects(rng: np.random.Generator) -> Effects:
    """Effects by their SHARES; the draws are the same in number whatever comes out."""
    has = {name: bool(rng.random() < share) for name, share in SHARES.items()}
    collimator, shutter = _random_aperture(rng), _random_aperture(rng)
    overexposed = float(np.exp(rng.uniform(*np.log((0.003, 0.2)))))
    zoom, order = float(rng.uniform(1.05, 1.6)), int(rng.choice([1, 3]))
    sharpening = (float(np.exp(rng.uniform(*np.log((0.6, 4.0))))), float(rng.uniform(0.2, 1.5)))
    tone = Tone(
        exponent=float(rng.choice([0.0, rng.uniform(0.1, 1.0)])),
        compression=float(rng.choice([np.inf, rng.uniform(0.2, 0.6)])),
        bits=int(rng.integers(8, 13)),
    )
    return Effects(
        overexposed=overexposed if has["overexposed"] else 0.0,
        collimator=collimator if has["collimator"] else None,
        shutter=shutter if has["shutter"] else None,
        binned=has["binned"],
        zoom=zoom if has["zoom"] else 1.0,
        zoom_order=order,
        sharpening=sharpening if has["sharpening"] else None,
        tone=tone if has["tone"] else None,
    )


def _random_aperture(rng: np.random.Generator) -> Aperture:
    """One to four blades, or an iris, with a narrow or a wide penumbra."""
    lean = rng.normal(0, 3)
    sides = rng.permutation(4)[: int(rng.integers(1, 5))]
    blades = tuple((float(90 * side + lean), float(rng.uniform(0.5, 0.98))) for side in sides)
    radius = float(rng.uniform(0.65, 0.95))
    # Blades hang close to the tube, so that their penumbra is many times the patient's blur.
    penumbra = float(np.exp(rng.uniform(*np.log((1.5, 30.0)))))
    leak = float(np.exp(rng.uniform(*np.log((0.01, 0.06)))))
    if rng.random() < 0.3:
        return Aperture((), radius, penumbra, leak)
    return Aperture(blades, None, penumbra, leak)


def zoomed(frames: np.ndarray, zoom: float, order: int = 3) -> np.ndarray:
    """The middle 1/zoom of frames (..., rows, cols) on as many pixels, by splines of this order, float32.

    The frame's middle stays where it is. Values stay within each frame's own range.
    """
    frames = np.asarray(frames, dtype=np.float32)
    if zoom == 1:
        return frames
    out = np.empty_like(frames)
    middle = (np.array(frames.shape[-2:]) - 1) / 2
    for index in np.ndindex(frames.shape[:-2]):
        frame = frames[index]
        ndimage.affine_transform(
            frame, np.full(2, 1 / zoom), middle * (1 - 1 / zoom), output=out[index], order=order, mode="nearest"
        )
        np.clip(out[index], frame.min(), frame.max(), out=out[index])
    return out


def sharpened(frames: np.ndarray, radius_px: float, amount: float) -> np.ndarray:
    """Frames (..., rows, cols) with `amount` of what a Gaussian of sigma `radius_px` takes away added, float32."""
    frames = np.asarray(frames, dtype=np.float32)
    axes = (frames.ndim - 2, frames.ndim - 1)
    return frames + np.float32(amount) * (frames - ndimage.gaussian_filter(frames, radius_px, axes=axes, truncate=3.0))
