"""The same scene through a large focal spot with noise and through a micro spot without: what a network learns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from DSADeblurLib.physics.acquisition import Slab, acquire, expected_intensity, optical_density, shift_frame
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import FocalSpot, random_focal_spot

from .scene import Scene

KINDS = ("native", "subtracted")
# The small focus of angiographic tubes; what the large one is compared with in Geng et al. 2022.
MICRO_SPOT = FocalSpot(0.3, 0.3, "rectangle")
NOMINAL_SPOTS_MM = (0.4, 0.6, 0.6, 0.7, 0.8, 1.0, 1.0, 1.2)


@dataclass(frozen=True)
class Conditions:
    """How a pair is taken.

    `quanta` is the mean number of absorbed quanta a pixel where the median patient attenuates, `mask_frames` how many
    native frames the mask averages, `motion_px` the shift (rows, columns) of the patient between mask and contrast.
    """

    spot: FocalSpot
    detector: Detector
    quanta: float
    mask_frames: int = 1
    motion_px: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Pair:
    """Two frames (rows, columns) float32 in log intensity: native ln(DN), or subtracted optical density."""

    degraded: np.ndarray
    truth: np.ndarray
    kind: str


def random_conditions(rng: np.random.Generator, scene: Scene, quanta: tuple[float, float]) -> Conditions:
    """Conditions with a nominal spot of 0.4-1.2 mm drawn by IEC 60336, and a dose log-uniform in `quanta`."""
    spacing = scene.view.spacing_mm
    detector = Detector(
        spacing_mm=(spacing, spacing),
        scintillator_mm2=float(rng.uniform(0.2, 0.8)) * (spacing / 0.2) ** 2,
        glare_fraction=float(rng.uniform(0.0, 0.06)),
        electronic_noise_quanta=float(rng.uniform(2, 10)),
        bits=int(rng.choice([10, 12, 12, 12, 14])),
    )
    still = rng.random() < 0.4
    motion = (0.0, 0.0) if still else tuple(float(m) for m in rng.normal(0, 0.3, 2))
    return Conditions(
        spot=random_focal_spot(rng, float(rng.choice(NOMINAL_SPOTS_MM))),
        detector=detector,
        quanta=float(np.exp(rng.uniform(*np.log(quanta)))),
        mask_frames=int(rng.integers(1, 6)),
        motion_px=motion,
    )


def open_field(scene: Scene, conditions: Conditions, stride: int = 4) -> tuple[float, Detector]:
    """Quanta at intensity 1 and the detector with its gain set, so that the brightest pixels nearly fill its bits."""
    transmission = np.exp(-scene.static.sum(axis=0)[::stride, ::stride])
    incident = conditions.quanta / float(np.median(transmission))
    brightest = incident * float(np.percentile(transmission, 99.9))
    return incident, replace(conditions.detector, gain=0.85 * conditions.detector.max_dn / brightest)


def slabs_of(scene: Scene, iodine: bool, shift_px: tuple[float, float] = (0.0, 0.0)) -> list[Slab]:
    """The scene's depth slabs as the acquisition takes them, moved, with or without contrast agent."""
    integrals = scene.static + scene.iodine if iodine else scene.static
    if any(shift_px):
        integrals = [shift_frame(integral, shift_px) for integral in integrals]
    return [Slab(integral, m) for integral, m in zip(integrals, scene.magnifications, strict=True)]


def acquire_pair(
    scene: Scene,
    conditions: Conditions,
    kind: str,
    rng: np.random.Generator,
    exposure: tuple[float, Detector] | None = None,
) -> Pair:
    """Take one pair: digitised and noisy through the large spot, exact through the micro spot.

    Both pass the same detector, so the difference between them is focal-spot blur and noise alone. `exposure` is
    what `open_field` gives for the whole frame, where `scene` is a part of it; by default the scene's own.

    Raises:
        ValueError: unknown `kind`.
    """
    if kind not in KINDS:
        raise ValueError(f"Unknown kind of frame '{kind}'; use one of {', '.join(KINDS)}.")
    incident, detector = open_field(scene, conditions) if exposure is None else exposure

    def noisy(slabs: list[Slab]) -> np.ndarray:
        return acquire(slabs, conditions.spot, detector, incident, rng, digital=True)

    def noisy_mean(slabs: list[Slab], count: int) -> np.ndarray:
        # The mean of several exposures is one of so much more dose; the electronics add their noise at each.
        electronics = detector.electronic_noise_quanta * np.sqrt(count)
        longer = replace(detector, electronic_noise_quanta=float(electronics))
        signal = acquire(slabs, conditions.spot, longer, count * incident, rng)
        return np.clip(signal * (detector.gain / count), 1, detector.max_dn)

    def exact(slabs: list[Slab]) -> np.ndarray:
        return incident * detector.gain * expected_intensity(slabs, MICRO_SPOT, detector.spacing_mm, detector)

    contrast = slabs_of(scene, iodine=True)
    if kind == "native":
        degraded = np.log(np.maximum(noisy(contrast), 1, dtype=np.float32))
        return Pair(degraded, np.log(np.clip(exact(contrast), 1, detector.max_dn)), kind)
    mask = slabs_of(scene, iodine=False, shift_px=conditions.motion_px)
    degraded = optical_density(noisy(contrast), noisy_mean(mask, conditions.mask_frames))
    return Pair(degraded, optical_density(exact(contrast), exact(mask)), kind)
