"""How a pair is taken: focal spot, detector, dose, motion and effects, drawn at random or by the size of the blur."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from DSADeblurLib.lab.simulation.effects import Effects, random_effects
from DSADeblurLib.lab.simulation.scene import Scene
from DSADeblurLib.physics.compound_spot import CompoundSpot, ring_spot, unequal_spots
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import (
    TARGET_SPOT_MM,
    FocalSpot,
    iec_60336_limits,
    random_focal_spot,
    removable_blur_in_pixels,
)

# What the large focus is compared with in Geng et al. 2022.
MICRO_SPOT = FocalSpot(TARGET_SPOT_MM, TARGET_SPOT_MM, "rectangle")
NOMINAL_SPOTS_MM = (0.4, 0.6, 0.6, 0.7, 0.8, 1.0, 1.0, 1.2)
# The values that IEC 60336 knows from 0.3 up.
IEC_NOMINALS_MM = (*(n / 10 for n in range(3, 20)), 2.0, 2.2, 2.4, 2.6, 2.8, 3.0)
# Among all draws with effects: inputs without noise, and without blur. A network learns from them to leave alone what
# is clean or sharp already.
NOISE_FREE_SHARE, MICRO_SPOT_SHARE = 0.04, 0.06
STILL_SHARE, LARGE_MOTION_SHARE, TURN_SHARE = 0.35, 0.15, 0.4


@dataclass(frozen=True)
class Conditions:
    """How a pair is taken.

    spot: the actual focal spot. quanta: mean number of absorbed quanta a pixel where the median patient attenuates.
    mask_frames: how many native frames the mask averages. motion_px (rows, columns) and motion_deg: how the patient
    has moved from the restored moment to the mask. drift_px: how far (rows, columns) the patient moves from one
    moment to the next. noise_free: neither noise nor rounding in the degraded frames. nominal_spot_mm: what a header
    says of the spot, None where it says nothing.
    """

    spot: FocalSpot | CompoundSpot
    detector: Detector
    quanta: float
    mask_frames: int = 1
    motion_px: tuple[float, float] = (0.0, 0.0)
    motion_deg: float = 0.0
    drift_px: tuple[float, float] = (0.0, 0.0)
    noise_free: bool = False
    nominal_spot_mm: float | None = None
    effects: Effects = field(default_factory=Effects)


def pixels_per_mm(scene: Scene, zoom: float = 1.0) -> float:
    """How many pixels of the isocentre's plane a millimetre of the focal spot blurs."""
    return (float(scene.view.magnification(0.0)) - 1.0) / scene.view.spacing_mm * zoom


def blur_px(spot: FocalSpot | CompoundSpot, scene: Scene, zoom: float = 1.0) -> tuple[float, float]:
    """Width (rows, columns) in pixels of the blur of the isocentre's plane: of the rectangle of the same variance."""
    scale = pixels_per_mm(scene, zoom)
    x_mm, y_mm = spot.equivalent_widths_mm()
    return y_mm * scale, x_mm * scale


def removable_blur_px(spot: FocalSpot | CompoundSpot, scene: Scene, zoom: float = 1.0) -> tuple[float, float]:
    """Width (rows, columns) in pixels of what this spot blurs more than the micro spot: variances are subtracted."""
    widths, least = blur_px(spot, scene, zoom), blur_px(MICRO_SPOT, scene, zoom)
    return tuple(math.sqrt(max(w**2 - m**2, 0.0)) for w, m in zip(widths, least, strict=True))


def header_blur_px(conditions: Conditions, scene: Scene) -> tuple[float, float]:
    """What follows from the header's nominal spot for that width (rows, columns), as for a real run.

    Raises:
        ValueError: the header says nothing.
    """
    if conditions.nominal_spot_mm is None:
        raise ValueError("These conditions have no nominal focal spot.")
    magnification = float(scene.view.magnification(0.0))
    spacing = scene.view.spacing_mm / conditions.effects.zoom
    width = removable_blur_in_pixels(conditions.nominal_spot_mm, magnification, spacing)
    return width, width


def random_conditions(
    rng: np.random.Generator,
    scene: Scene,
    quanta: tuple[float, float],
    blur_px: tuple[float, float] | None = None,
    effects: bool = True,
) -> Conditions:
    """Conditions of one pair of this scene; the same generator draws the same whatever the ranges are.

    Args:
        rng: what is drawn from.
        scene: for its magnification and pixels; a part or a thinned copy will do.
        quanta: the dose is log-uniform in this range.
        blur_px: the mean width of the blur, see `blur_px`, is uniform in this range of pixels; then the spot is one
            that IEC 60336 allows, scaled. By default spots of nominal 0.4 to 1.2 mm are drawn. No spot is smaller
            than the micro spot.
        effects: draw effects, and the shares of inputs without noise and without blur. False is for measurements.
    """
    dose = float(np.exp(rng.uniform(*np.log(quanta))))
    part = float(rng.uniform())
    nominal = float(rng.choice(NOMINAL_SPOTS_MM))
    spot = random_focal_spot(rng, nominal)
    done = random_effects(rng)
    noise_free, micro = rng.random() < NOISE_FREE_SHARE, rng.random() < MICRO_SPOT_SHARE
    if not effects:
        done, noise_free, micro = Effects(), False, False
    if blur_px is not None:
        low, high = (max(limit, _mean_blur_px(MICRO_SPOT, scene, done.zoom)) for limit in blur_px)
        factor = (low + part * (high - low)) / _mean_blur_px(spot, scene, done.zoom)
        spot = spot.scaled(factor)
        nominal = _nominal_of(spot, nominal * factor)
    if micro:
        spot, nominal = MICRO_SPOT, MICRO_SPOT.width_mm
    motion, degrees, drift = _random_motion(rng)
    return Conditions(
        spot=spot,
        detector=_random_detector(rng, scene.view.spacing_mm, done.binned),
        quanta=dose,
        mask_frames=int(rng.integers(1, 6)),
        motion_px=motion,
        motion_deg=degrees,
        drift_px=drift,
        noise_free=bool(noise_free),
        nominal_spot_mm=nominal,
        effects=done,
    )


def foreign_spot(rng: np.random.Generator, like: FocalSpot) -> CompoundSpot:
    """A spot of a shape that no training has seen, a ring or two unequal spots, of the mean width of `like`."""
    if rng.random() < 0.5:
        spot = ring_spot(1.0, float(rng.uniform(0.2, 0.4)))
    else:
        spot = unequal_spots(1.0, float(rng.uniform(0.65, 0.8)), float(rng.uniform(0.4, 0.7)), rng.uniform(0, 360))
    wanted, width = (float(np.sqrt(np.prod(s.equivalent_widths_mm()))) for s in (like, spot))
    return spot.scaled(wanted / width)


def _mean_blur_px(spot: FocalSpot, scene: Scene, zoom: float) -> float:
    return float(np.sqrt(np.prod(blur_px(spot, scene, zoom))))


def _nominal_of(spot: FocalSpot, wish_mm: float) -> float:
    """The nominal value nearest to `wish_mm` that IEC 60336 lets this spot have; without one simply the nearest."""
    width, length = spot.iec_widths_mm()

    def allowed(nominal: float) -> bool:
        limits = iec_60336_limits(nominal)
        return all(low <= size <= high for size, (low, high) in zip((width, length), limits, strict=True))

    return min([n for n in IEC_NOMINALS_MM if allowed(n)] or IEC_NOMINALS_MM, key=lambda n: abs(np.log(n / wish_mm)))


def _random_motion(rng: np.random.Generator) -> tuple[tuple[float, float], float, tuple[float, float]]:
    """Shift and rotation between mask and contrast frames, mostly below a pixel, and the drift between moments."""
    kind, direction = rng.random(), rng.uniform(0, 2 * np.pi)
    small, large = rng.normal(0, 0.35), rng.uniform(1, 3)
    turn, turned, drift = rng.normal(), rng.random() < TURN_SHARE, rng.normal(0, 0.12, 2)
    if kind < STILL_SHARE:
        return (0.0, 0.0), 0.0, (0.0, 0.0)
    far = kind > 1 - LARGE_MOTION_SHARE
    distance = large if far else small
    motion = (float(distance * np.sin(direction)), float(distance * np.cos(direction)))
    return motion, float(turn * turned * (0.2 if far else 0.05)), (float(drift[0]), float(drift[1]))


def _random_detector(rng: np.random.Generator, spacing_mm: float, binned: bool) -> Detector:
    # Panels with larger pixels have thicker scintillators. Of a panel binned 2 x 2, pixels twice as large share the
    # scintillator of the small ones, and the electronics of four: apart from aliasing that is all binning does, since
    # the sum of four apertures is one large aperture.
    scintillator = float(rng.uniform(0.2, 0.8)) * (spacing_mm / 0.2) ** 2
    electronics = float(rng.uniform(2, 10))
    return Detector(
        spacing_mm=(spacing_mm, spacing_mm),
        scintillator_mm2=scintillator / 4 if binned else scintillator,
        glare_fraction=float(rng.uniform(0.0, 0.12)),
        glare_width_mm=float(rng.uniform(2.0, 6.0)),
        electronic_noise_quanta=2 * electronics if binned else electronics,
        bits=int(rng.choice([10, 12, 12, 12, 14, 14, 16])),
    )
