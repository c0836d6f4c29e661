"""What methods do to phantoms: widths of vessels, edges, noise, thin vessels at low contrast, still runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from DSADeblurLib.lab.evaluation.grid import known_of
from DSADeblurLib.lab.evaluation.methods import INPUT, PERFECT_DENOISER, TRUTH, Method
from DSADeblurLib.lab.image_quality.detection import noise_threshold, vessel_responses
from DSADeblurLib.lab.image_quality.mtf import Mtf, edge_mtf
from DSADeblurLib.lab.image_quality.noise_power import NoisePower, noise_power
from DSADeblurLib.lab.simulation.pairs import Pair, acquire_pair
from DSADeblurLib.lab.simulation.phantom import (
    DetectionPhantom,
    VesselPhantom,
    detection_phantom,
    edge_phantom,
    still_run,
    vessel_phantom,
)
from DSADeblurLib.lab.simulation.sets import NOISE, generator
from DSADeblurLib.measurement.width import vessel_width

CONTRASTS = {"with diameter": False, "same for all": True}
CNRS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Peak contrast of thin vessels over the standard deviation of a pixel, in the input."""
EDGES = {"upright": True, "level": False}
# Different phantoms draw different noise in the same split.
_WIDTHS, _EDGES, _THIN, _QUIET, _STILL = range(1_000_001, 1_000_006)
# A pixel is background if contrast agent changes it by less than this, in optical density, as far as the blur goes.
_BACKGROUND_DENSITY, _BLUR_REACH_PX = 1e-3, 8


@dataclass(frozen=True)
class Visibility:
    """How one method shows thin vessels of one contrast-to-noise ratio in one frame.

    `missed` is the share of vessels whose response lies below the threshold that 5 % of the places in the method's own
    result of pure noise exceed; `false` the share of empty places between the vessels above it. `invented` is the
    share of empty places that respond at least half as much as a vessel of this contrast does in the truth.
    `kept` is the mean response of the vessels relative to that.
    """

    missed: float
    false: float
    invented: float
    kept: float


@dataclass(frozen=True)
class Stillness:
    """Background of a run of a still object, relative to the input.

    `flicker` is the standard deviation of a pixel over time, restored over input; `noise` that of single restored
    frames around the truth over that of single input frames: what single frames keep of the noise. A method that
    treats each frame alike has both nearly the same; more flicker than noise means that frames of a run disagree
    more than their noise explains.
    """

    flicker: float
    noise: float


def quanta_of(noise: str) -> float:
    """The dose in the middle of a noise level, quanta per pixel."""
    low, high = NOISE[noise]
    return float(np.sqrt(low * high))


def measure_widths(
    split: str, noise: str, contrast: str, take: int, methods: dict[str, Method], moments: int
) -> dict[str, np.ndarray]:
    """Width error of each vessel in pixels, (8,) positive where too wide, NaN where none is seen, by method."""
    phantom = vessel_phantom(CONTRASTS[contrast], quanta=quanta_of(noise))
    rng = generator(split, _WIDTHS, list(NOISE).index(noise), take)
    pair, known = _acquired(phantom, rng, moments)
    results = {name: method(pair.degraded, known) for name, method in methods.items()}
    clean = replace(phantom.conditions, noise_free=True)
    results[PERFECT_DENOISER] = acquire_pair(phantom.scene, clean, "subtracted", rng).frame
    expected = phantom_widths(phantom, pair.truth)
    return {name: phantom_widths(phantom, result) - expected for name, result in results.items()}


def phantom_widths(phantom: VesselPhantom, frame: np.ndarray) -> np.ndarray:
    """Width in pixels of each vessel, averaged along two fifths of the frame's height; NaN where none is seen."""
    along = 0.4 * frame.shape[0]
    return np.array([vessel_width(frame, point, phantom.tangent, averaging=along) for point in phantom.points])


def measure_edges(
    split: str, noise: str, edge: str, takes: int, methods: dict[str, Method], size: int, moments: int
) -> dict[str, Mtf]:
    """MTF across one edge by method, of the mean over several takes, and of the truth."""
    phantom = edge_phantom(EDGES[edge], size=size, quanta=quanta_of(noise))
    total: dict[str, np.ndarray] = {}
    for take in range(takes):
        rng = generator(split, _EDGES, list(NOISE).index(noise), list(EDGES).index(edge), take)
        pair, known = _acquired(phantom, rng, moments)
        for name, method in methods.items():
            total[name] = total.get(name, 0.0) + method(pair.degraded, known) / takes
    return {name: edge_mtf(frame) for name, frame in {**total, TRUTH: pair.truth}.items()}


def measure_noise(
    split: str, noise: str, takes: int, methods: dict[str, Method], size: int, moments: int
) -> tuple[dict[str, NoisePower], dict[str, float]]:
    """Noise power of each method's results of frames without any object, and its threshold for seeing a vessel."""
    phantom = detection_phantom(0.0, size, quanta_of(noise))
    frames: dict[str, list[np.ndarray]] = {}
    for take in range(takes):
        pair, known = _acquired(phantom, generator(split, _QUIET, list(NOISE).index(noise), take), moments)
        for name, method in methods.items():
            frames.setdefault(name, []).append(method(pair.degraded, known))
    sites = phantom.vessels + phantom.empty
    thresholds = {
        name: noise_threshold(np.concatenate([_responses(frame, sites, phantom) for frame in part]))
        for name, part in frames.items()
    }
    return {name: noise_power(np.stack(part)) for name, part in frames.items()}, thresholds


def measure_thin(
    split: str,
    noise: str,
    cnr: float,
    take: int,
    noise_std: float,
    thresholds: dict[str, float],
    methods: dict[str, Method],
    size: int,
    moments: int,
) -> dict[str, Visibility]:
    """How thin vessels show by method and in the truth; `noise_std` is that of a pixel of the input."""
    phantom = detection_phantom(cnr * noise_std / _density_kept(), size, quanta_of(noise))
    rng = generator(split, _THIN, list(NOISE).index(noise), CNRS.index(cnr), take)
    pair, known = _acquired(phantom, rng, moments)
    results = {name: method(pair.degraded, known) for name, method in methods.items()}
    results[TRUTH] = pair.truth
    whole = float(_responses(pair.truth, phantom.vessels, phantom).mean())
    found = {}
    for name, result in results.items():
        vessels, empty = (_responses(result, sites, phantom) for sites in (phantom.vessels, phantom.empty))
        # The truth has no noise: there a vessel is seen where it responds at all.
        threshold = thresholds.get(name, 0.1 * whole)
        found[name] = Visibility(
            missed=float(np.mean(vessels < threshold)),
            false=float(np.mean(empty > threshold)),
            invented=float(np.mean(empty > 0.5 * whole)),
            kept=float(vessels.mean() / whole),
        )
    return found


def measure_stillness(split: str, noise: str, takes: int, runs: dict, size: int) -> dict[str, Stillness]:
    """Flicker of each function in `runs`, which takes a whole run (n, rows, cols) and what is known of the blur and
    gives the run restored, and of the input."""
    phantom = vessel_phantom(same_contrast=False, size=size, quanta=quanta_of(noise))
    phantom = replace(phantom, scene=still_run(phantom.scene, takes))
    pair = acquire_pair(
        phantom.scene, phantom.conditions, "subtracted", generator(split, _STILL, list(NOISE).index(noise))
    )
    known = known_of(phantom.conditions, phantom.scene)
    background = _background(pair)
    before = _stillness(pair.degraded, pair.truth, background)
    found = {INPUT: Stillness(1.0, 1.0)}
    for name, run in runs.items():
        after = _stillness(np.asarray(run(pair.degraded, known)), pair.truth, background)
        found[name] = Stillness(after[0] / before[0], after[1] / before[1])
    return found


def _stillness(frames: np.ndarray, truth: np.ndarray, background: np.ndarray) -> tuple[float, float]:
    """(standard deviation over time, standard deviation of single frames around the truth) of the background."""
    values = frames[:, background].astype(np.float64)
    over_time = float(np.sqrt(values.var(axis=0, ddof=1).mean()))
    error = values - truth[background]
    return over_time, float(np.sqrt(error.var(axis=1).mean()))


def _background(pair: Pair) -> np.ndarray:
    return ndimage.distance_transform_edt(np.abs(pair.truth) < _BACKGROUND_DENSITY) > _BLUR_REACH_PX


def _acquired(phantom: VesselPhantom | DetectionPhantom, rng: np.random.Generator, moments: int):
    """A subtracted pair of the still phantom with as many moments as methods want, and what is known of the blur."""
    pair = acquire_pair(still_run(phantom.scene, moments), phantom.conditions, "subtracted", rng)
    return pair, known_of(phantom.conditions, phantom.scene)


def _responses(frame: np.ndarray, sites, phantom: DetectionPhantom) -> np.ndarray:
    return vessel_responses(frame, sites, width=phantom.diameter_px)


def _density_kept() -> float:
    """What the micro spot and the detector leave of a thin vessel's peak optical density."""
    phantom = detection_phantom(0.01, 128)
    clean = replace(phantom.conditions, noise_free=True)
    pair = acquire_pair(phantom.scene, clean, "subtracted", generator("validation"))
    return -float(pair.truth.min()) / 0.01
