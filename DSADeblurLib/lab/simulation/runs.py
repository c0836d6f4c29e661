"""Simulated runs: one injection over time, through the large spot with noise and through the micro spot exactly."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from DSADeblurLib.lab.image_quality.detection import Site
from DSADeblurLib.lab.simulation.anatomy import random_anatomy
from DSADeblurLib.lab.simulation.flow import Injection
from DSADeblurLib.lab.simulation.known_stenosis import KnownStenosis, with_known_stenosis
from DSADeblurLib.lab.simulation.pairs import MICRO_SPOT, Conditions, open_field, slabs_of
from DSADeblurLib.lab.simulation.scene import SLAB_EDGES_MM, Scene
from DSADeblurLib.lab.simulation.sets import generator
from DSADeblurLib.lab.simulation.tubes import Tube, View, draw_tubes
from DSADeblurLib.lab.simulation.vessels import random_arteries
from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.lazy_frames import evenly_spaced
from DSADeblurLib.measurement.width import vessel_width
from DSADeblurLib.physics.acquisition import acquire, expected_intensity, optical_density
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.physics.focal_spot import FocalSpot, random_focal_spot

RUN_FILE, TRUTH_FILE, FACTS_FILE = "dsa_large_focal_spot.dcm", "dsa_truth.dcm", "facts.json"
MOST_SITES = 12


@dataclass(frozen=True)
class SimulationOptions:
    """What is simulated; the defaults are the bundled sample run.

    `nominal_spot_mm` is what a header would say; the actual spot is drawn from what IEC 60336 allows for it. `quanta`
    is the mean number of absorbed quanta a pixel where the median patient attenuates, `stenosis` the part of its
    diameter that one vessel loses.
    """

    seed: int = 2
    frames: int = 12
    size: int = 512
    nominal_spot_mm: float = 1.0
    quanta: float = 30_000.0
    mask_frames: int = 2
    sid_mm: float = 1100.0
    sod_mm: float = 733.0
    spacing_mm: float = 0.2
    frame_time_ms: float = 333.333
    stenosis: float = 0.5

    def __post_init__(self) -> None:
        if self.frames < self.mask_frames + 1 or self.mask_frames < 1:
            raise ValueError(f"A run of {self.frames} frames has no room for {self.mask_frames} mask frames.")
        if not 0 <= self.stenosis < 1:
            raise ValueError(f"A stenosis takes 0 to 1 of a diameter, not {self.stenosis:g}.")
        if self.size < 64:
            raise ValueError(f"Simulated frames need at least 64 pixels a side, not {self.size}.")


@dataclass(frozen=True)
class SimulatedRun:
    """Native frames (n, rows, columns) uint16, 12 bits, linear; `truth` is what the micro spot gives without noise."""

    options: SimulationOptions
    spot: FocalSpot
    frames: np.ndarray
    truth: np.ndarray
    sites: tuple[Site, ...]
    stenosis: KnownStenosis | None = None

    @property
    def mask_numbers(self) -> tuple[int, ...]:
        """The frames before the contrast agent, counted from 1."""
        return tuple(range(1, self.options.mask_frames + 1))


def simulate_run(options: SimulationOptions) -> SimulatedRun:
    """One injection into a still patient, float work and 12-bit linear frames out."""
    o = options
    rng = generator("sample", o.seed)
    view = View((o.size, o.size), o.spacing_mm, o.sid_mm, o.sod_mm)
    static = random_anatomy(rng, view, SLAB_EDGES_MM)
    vessels, stenosis = with_known_stenosis(random_arteries(rng, view), view, o.stenosis)
    spot = random_focal_spot(rng, o.nominal_spot_mm)
    detector = Detector(spacing_mm=(o.spacing_mm, o.spacing_mm), bits=12)
    empty = Scene(view, static, np.zeros_like(static)[None])
    incident, detector = open_field(empty, Conditions(spot, detector, o.quanta))
    frames = np.empty((o.frames, o.size, o.size), np.uint16)
    truth = np.empty_like(frames)
    filled_s = float(np.percentile([tube.arrival_s[-1] for tube in vessels], 90))
    injection, attenuation = Injection(duration_s=3 * filled_s, rise_s=0.3 * filled_s), 0.16
    for index in range(o.frames):
        # The front passes the tree by two thirds of the run; the rest of it is well filled.
        progress = (index - o.mask_frames + 1) / max(1, 0.66 * (o.frames - o.mask_frames))
        iodine = empty.iodine
        if index >= o.mask_frames:
            iodine = attenuation * draw_tubes(
                vessels, view, SLAB_EDGES_MM, injection.weights(vessels, progress * filled_s)
            )
        slabs = slabs_of(Scene(view, static, iodine), iodine=True)
        frames[index] = acquire(slabs, spot, detector, incident, rng, digital=True)
        exact = expected_intensity(slabs, MICRO_SPOT, detector.spacing_mm, detector)
        truth[index] = detector.quantise(incident * exact)
    sites = measuring_sites(vessels, view, optical_density(truth[-1], truth[: o.mask_frames]))
    return SimulatedRun(o, spot, frames, truth, sites, stenosis)


def measuring_sites(vessels: list[Tube], view: View, density: np.ndarray) -> tuple[Site, ...]:
    """Middles of branches whose width in the truth (rows, columns) is that of a lone cylinder."""
    found: list[tuple[float, Site]] = []
    for tube in vessels:
        pixels, magnification = view.project(tube.points_mm)
        middle = len(pixels) // 2
        tangent = pixels[min(middle + 2, len(pixels) - 1)] - pixels[middle - 2]
        if np.hypot(*tangent) < 1 or np.any(pixels[middle] < 24) or np.any(pixels[middle] > np.array(view.shape) - 25):
            continue
        site = Site(tuple(np.round(pixels[middle], 2).tolist()), tuple(np.round(tangent, 3).tolist()))
        # A cylinder's chord falls to half its height at 0.866 of its diameter.
        expected = 0.866 * 2 * tube.radii_mm[middle] * magnification[middle] / view.spacing_mm
        width = vessel_width(density, site.point, site.tangent)
        if expected > 1.5 and np.isfinite(width) and abs(width - expected) < 0.35 * expected + 0.5:
            found.append((expected, site))
    found.sort(key=lambda pair: pair[0])
    return tuple(found[index][1] for index in evenly_spaced(len(found), MOST_SITES))


def write_run(run: SimulatedRun, folder: Path, with_truth: bool = True) -> tuple[Path, ...]:
    """Write run and truth as XA objects and the facts as JSON; the same options give the same bytes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    o = run.options
    objects = [(RUN_FILE, run.frames, o.nominal_spot_mm, "SIMULATED large focal spot")]
    if with_truth:
        objects.append((TRUTH_FILE, run.truth, MICRO_SPOT.width_mm, "SIMULATED micro focal spot, no noise"))
    for number, (name, frames, spot, text) in enumerate(objects, start=1):
        write_simulated_run(
            folder / name,
            frames,
            frame_time_ms=o.frame_time_ms,
            focal_spot_mm=spot,
            sid_mm=o.sid_mm,
            sod_mm=o.sod_mm,
            imager_pixel_spacing_mm=(o.spacing_mm, o.spacing_mm),
            mask_frames=run.mask_numbers,
            contrast_frames=tuple(range(o.mask_frames + 1, o.frames + 1)),
            series_description=text,
            series_number=number,
            uid_seed=f"run {o.seed} {text}",
        )
    facts = {
        "options": asdict(o),
        "actual_spot": asdict(run.spot),
        "stenosis": run.stenosis and asdict(run.stenosis),
        "sites": [asdict(site) for site in run.sites],
    }
    (folder / FACTS_FILE).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return tuple(folder / name for name in (*(one[0] for one in objects), FACTS_FILE))


@dataclass(frozen=True)
class Facts:
    """What `write_run` says of a run: how to simulate it again, and where to measure."""

    options: SimulationOptions
    sites: tuple[Site, ...]
    stenosis: KnownStenosis | None


def read_facts(folder: Path) -> Facts:
    """The facts of a run written by `write_run`."""
    facts = json.loads((Path(folder) / FACTS_FILE).read_text(encoding="utf-8"))
    sites = tuple(Site(tuple(site["point"]), tuple(site["tangent"])) for site in facts["sites"])
    stenosis = facts["stenosis"]
    if stenosis is not None:
        stenosis = KnownStenosis(**{**stenosis, "points": tuple(map(tuple, stenosis["points"]))})
    return Facts(SimulationOptions(**facts["options"]), sites, stenosis)
