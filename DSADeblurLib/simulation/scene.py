"""A scene: what one patient puts between tube and detector, sorted by depth, at one or more moments of an injection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anatomy import random_anatomy
from .tubes import Tube, View, draw_tubes
from .vessels import decouple_contrast, random_vessels

# Iodine of 300 mg/ml, diluted by blood, at 60-80 kV: what makes a 5 mm carotid about 0.4 to 1 in optical density.
IODINE_PER_MM = (0.08, 0.22)
# As seen in headers of angiography systems; the magnification is that of the isocentre.
SID_MM = (1000, 1200)
MAGNIFICATIONS = (1.25, 1.65)
SPACINGS_MM = (0.10, 0.25)
# Real heads are 140 to 200 mm thick; three slabs hold the change of magnification over that depth.
SLAB_EDGES_MM = np.array([-25.0, 25.0])
SLAB_CENTRES_MM = np.array([-50.0, 0.0, 50.0])


@dataclass(frozen=True)
class Scene:
    """Line integrals float32 without unit, and the view that they were projected by.

    `static` (slabs, rows, columns) is tissue, bone and devices; `iodine` (moments, slabs, rows, columns) the contrast
    agent in the vessels at an odd number of moments, one frame time apart, the middle one the frame to restore.
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


def random_scene(rng: np.random.Generator, shape: tuple[int, int] = (1024, 1024), moments: int = 1) -> Scene:
    """A scene of its own geometry, anatomy, devices and vessels, some time into an injection.

    The same generator gives the same middle moment whatever the number of moments.
    """
    view = random_view(rng, shape)
    static = random_anatomy(rng, view, SLAB_EDGES_MM)
    vessels = random_vessels(rng, view)
    if rng.random() < 0.5:
        vessels = decouple_contrast(vessels, power=rng.uniform(0.2, 1.0))
    attenuation = np.exp(rng.uniform(*np.log(IODINE_PER_MM)))
    longest = max(tube.distance_mm[-1] for tube in vessels)
    arrival, front = rng.uniform(0.4, 1.6) * longest, rng.uniform(20, 80)
    steps = rng.uniform(5, 40) * (np.arange(moments) - moments // 2)
    weights = [Injection(arrival + step, front, longest).weights(vessels) for step in steps]
    iodine = attenuation * draw_tubes(vessels, view, SLAB_EDGES_MM, [np.stack(w) for w in zip(*weights, strict=True)])
    return Scene(view, static, iodine.astype(np.float32))


@dataclass(frozen=True)
class Injection:
    """How far contrast agent has come: its front lies `arrival_mm` from the inlet and mixes over `front_mm`.

    `length_mm` of blood behind the front carry contrast agent; then it washes out over the same distance.
    """

    arrival_mm: float
    front_mm: float
    length_mm: float

    def weights(self, vessels: list[Tube]) -> list[np.ndarray]:
        """For each tube its content times the iodine that has reached each point, (n,) from 0 to 1."""
        return [tube.content * self.concentration(tube.distance_mm) for tube in vessels]

    def concentration(self, distance_mm: np.ndarray) -> np.ndarray:
        """Iodine from 0 to 1 at distances (n,) from the inlet: a bolus with smooth front and tail."""
        behind = (self.arrival_mm - distance_mm) / self.front_mm
        tail = (self.arrival_mm - 2 * self.length_mm - distance_mm) / (2 * self.front_mm)
        return 1 / (1 + np.exp(-np.clip(4 * behind, -50, 50))) - 1 / (1 + np.exp(-np.clip(4 * tail, -50, 50)))
