"""A scene: what one patient puts between tube and detector, sorted by depth, at one or more moments of an injection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from DSADeblurLib.lab.simulation.anatomy import random_anatomy
from DSADeblurLib.lab.simulation.blush import random_blush
from DSADeblurLib.lab.simulation.devices import random_devices, shifted
from DSADeblurLib.lab.simulation.flow import Injection, random_injection, random_motion, with_streams
from DSADeblurLib.lab.simulation.geometric_objects import target_scene_parts
from DSADeblurLib.lab.simulation.tubes import Tube, View, draw_tubes
from DSADeblurLib.lab.simulation.veins import random_veins
from DSADeblurLib.lab.simulation.vessels import decouple_contrast, random_arteries, scatter_contrast

# Iodine of 300 mg/ml, diluted by blood, at 60-80 kV: what makes a 5 mm carotid about 0.4 to 1 in optical density.
IODINE_PER_MM = (0.08, 0.22)
# As seen in headers of angiography systems; the magnification is that of the isocentre.
SID_MM = (1000, 1200)
MAGNIFICATIONS = (1.25, 1.65)
SPACINGS_MM = (0.10, 0.31)
FRAME_TIMES_S = (1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 7.5, 1 / 15)
# Real heads are 140 to 200 mm thick; three slabs hold the change of magnification over that depth.
SLAB_EDGES_MM = np.array([-25.0, 25.0])
SLAB_CENTRES_MM = np.array([-50.0, 0.0, 50.0])
STYLES = ("patient", "targets")
TARGET_SHARE = 0.15


@dataclass(frozen=True)
class Scene:
    """Line integrals float32 without unit, and the view that they were projected by.

    `static` (slabs, rows, columns) is tissue, bone and devices; `iodine` (moments, slabs, rows, columns) the contrast
    agent at an odd number of moments, one frame time apart, the middle one the frame to restore. Where a device has
    moved since the mask, `iodine` holds the difference and may be negative.
    """

    view: View
    static: np.ndarray
    iodine: np.ndarray

    def __post_init__(self) -> None:
        if self.iodine.ndim != 4 or self.iodine.shape[1:] != self.static.shape or len(self.iodine) % 2 == 0:
            raise ValueError(
                f"A scene needs iodine (odd moments, slabs, rows, columns) over static (slabs, rows, columns), "
                f"not {self.iodine.shape} over {self.static.shape}."
            )

    @property
    def moments(self) -> int:
        """How many moments of the injection the scene holds."""
        return len(self.iodine)

    @property
    def magnifications(self) -> tuple[float, ...]:
        """Magnification of each slab's middle."""
        return tuple(float(m) for m in self.view.magnification(SLAB_CENTRES_MM))


def random_view(rng: np.random.Generator, shape: tuple[int, int]) -> View:
    """A geometry within `SID_MM`, `MAGNIFICATIONS` and `SPACINGS_MM`, small pixels as likely as large ones."""
    sid = rng.uniform(*SID_MM)
    spacing = float(np.exp(rng.uniform(*np.log(SPACINGS_MM))))
    return View(shape, spacing, sid, sid / rng.uniform(*MAGNIFICATIONS))


def random_scene(
    rng: np.random.Generator, shape: tuple[int, int] = (1024, 1024), moments: int = 1, style: str | None = None
) -> Scene:
    """A scene of its own geometry, anatomy, devices and vessels, some time into an injection.

    The same generator gives the same middle moment whatever the number of moments. `style` is one of `STYLES`; by
    default `TARGET_SHARE` of the scenes show geometric test objects and the others patients.

    Raises:
        ValueError: unknown style, or an even number of moments.
    """
    if moments < 1 or moments % 2 == 0:
        raise ValueError(f"A scene has an odd number of moments, not {moments}.")
    if style is not None and style not in STYLES:
        raise ValueError(f"Unknown style of scene '{style}'; use one of {', '.join(STYLES)}.")
    drawn = "targets" if rng.random() < TARGET_SHARE else "patient"
    view = random_view(rng, shape)
    if (style or drawn) == "targets":
        return target_scene(rng, view, moments)
    return patient_scene(rng, view, moments)


def target_scene(rng: np.random.Generator, view: View, moments: int = 1) -> Scene:
    """Line pairs, wires, edges, discs and stars, standing still and as contrast agent."""
    static, iodine = target_scene_parts(rng, view, moments, len(SLAB_CENTRES_MM))
    return Scene(view, static, iodine)


def patient_scene(rng: np.random.Generator, view: View, moments: int = 1) -> Scene:
    """Anatomy, devices, and the vessels at some phase of an injection: arterial, capillary or venous."""
    static = random_anatomy(rng, view, SLAB_EDGES_MM)
    return injected_scene(rng, view, static, random_arteries(rng, view), random_veins(rng, view), moments)


def injected_scene(
    rng: np.random.Generator, view: View, static: np.ndarray, arteries: list[Tube], veins: list[Tube], moments: int
) -> Scene:
    """The given anatomy (slabs, rows, columns) and vessels with random devices, at some phase of an injection."""
    devices = random_devices(rng, view, arteries)
    static = static + draw_tubes([*devices.still, *devices.loose], view, SLAB_EDGES_MM)
    iodine = np.exp(rng.uniform(*np.log(IODINE_PER_MM))) * _contrast(rng, view, arteries, veins, moments)
    if devices.filled and rng.random() < 0.5:
        amount = rng.uniform(0.05, 0.2)
        iodine += amount * draw_tubes(devices.filled, view, SLAB_EDGES_MM)
    if devices.loose and rng.random() < 0.12:
        iodine += _moved(rng, view, devices.loose, moments)
    return Scene(view, static, iodine.astype(np.float32))


def body_phantom_scene(rng: np.random.Generator, shape: tuple[int, int] = (1024, 1024)) -> Scene:
    """Spine and ribs, pelvis or long bones without any contrast agent: what a body phantom shows in native frames."""
    view = random_view(rng, shape)
    static = random_anatomy(rng, view, SLAB_EDGES_MM, style="body")
    return Scene(view, static, np.zeros_like(static)[None])


def _contrast(
    rng: np.random.Generator, view: View, arteries: list[Tube], veins: list[Tube], moments: int
) -> np.ndarray:
    """Path length in mm of fully contrasted blood at each moment, (t, k, rows, columns)."""
    bolus = random_injection(rng)
    # A few thin branches are slow; the phases go by the many.
    filled_s = float(np.percentile([tube.arrival_s[-1] for tube in arteries], 85))
    transit_s = filled_s + rng.uniform(0.8, 2.0)
    drained_s = float(np.percentile([tube.arrival_s[-1] for tube in veins], 85))
    spans = {
        "filling": (0.15 * filled_s, filled_s),
        "arterial": (0.8 * filled_s, max(filled_s, bolus.duration_s) + 0.2),
        "capillary": (bolus.duration_s + 0.2, max(transit_s, bolus.duration_s) + 0.5),
        "venous": (transit_s + 0.3 * drained_s, transit_s + drained_s + bolus.duration_s),
        "late": (transit_s + drained_s + bolus.duration_s, transit_s + drained_s + bolus.duration_s + 3),
    }
    phase = rng.choice(list(spans), p=[0.13, 0.42, 0.15, 0.23, 0.07])
    time = rng.uniform(*spans[phase])
    frame_s = float(rng.choice(FRAME_TIMES_S))
    times = time + frame_s * (np.arange(moments) - moments // 2)
    arteries = with_streams(rng, _contrasted(rng, arteries))
    veins = with_streams(rng, _contrasted(rng, veins), wider_than_mm=1.2)
    # Capillaries have spread the bolus before the veins see it.
    dispersed = Injection(bolus.duration_s + rng.uniform(1.0, 3.0), rng.uniform(0.6, 1.5), 0.3)
    weaker = rng.uniform(0.25, 0.6)
    weights = bolus.weights(arteries, times)
    weights += [weaker * weight for weight in dispersed.weights(veins, times - transit_s)]
    tubes = [*arteries, *veins]
    moving = rng.random() < 0.6
    motion = random_motion(rng, view, times, most_px=rng.uniform(0.2, 2.0))
    if moving and moments > 1:
        drawn = [
            draw_tubes(motion.moved(tubes, moment), view, SLAB_EDGES_MM, [weight[moment] for weight in weights])
            for moment in range(moments)
        ]
        iodine = np.stack(drawn)
    else:
        iodine = draw_tubes(tubes, view, SLAB_EDGES_MM, weights)
    tissue = Injection(bolus.duration_s + rng.uniform(0.5, 1.5), rng.uniform(0.5, 1.2), 0.0)
    amounts = tissue.concentration(times, np.array([filled_s]))
    if rng.random() < 0.8:
        iodine[:, len(SLAB_CENTRES_MM) // 2] += amounts[:, None, None] * random_blush(rng, view)
    return iodine


def _contrasted(rng: np.random.Generator, vessels: list[Tube]) -> list[Tube]:
    """In many scenes a contrast that does not go with the diameter."""
    if rng.random() < 0.5:
        vessels = decouple_contrast(vessels, power=rng.uniform(0.2, 1.0))
    if rng.random() < 0.35:
        vessels = scatter_contrast(rng, vessels, rng.uniform(0.1, 0.4))
    return vessels


def _moved(rng: np.random.Generator, view: View, tubes: list[Tube], moments: int) -> np.ndarray:
    """What devices that have moved since the mask add at each moment, (t, k, rows, columns); most in the middle."""
    pixel = view.spacing_mm / view.magnification(0.0)
    shift = rng.normal(0, 1, 3) * [1, 1, 0] * rng.uniform(0.1, 0.8) * pixel
    jitter = rng.normal(0, 0.5, (99, 1)) * shift
    mask = draw_tubes(tubes, view, SLAB_EDGES_MM)
    at = [shift + (0 if m == moments // 2 else 1) * jitter[m] for m in range(moments)]
    return np.stack([draw_tubes(shifted(tubes, where), view, SLAB_EDGES_MM) for where in at]) - mask
