"""What methods do to phantoms: widths of vessels, edges, noise, thin and faint vessels, still runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from DSADeblurLib.lab.evaluation.grid import known_of
from DSADeblurLib.lab.evaluation.methods import INPUT, PERFECT_DENOISER, TRUTH, Method
from DSADeblurLib.lab.image_quality.detection import noise_threshold, vessel_responses
from DSADeblurLib.lab.image_quality.mtf import Mtf, edge_mtf
from DSADeblurLib.lab.image_quality.noise_power import NoisePower, noise_power
from DSADeblurLib.lab.image_quality.observer import channel_outputs, detectability, internal_noise
from DSADeblurLib.lab.simulation.pairs import acquire_pair
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
FAINT = (1.0, 1.5, 2.0, 3.0)
"""The same for vessels that a reader may or may not see."""
EDGES = {"upright": True, "level": False}
# Different phantoms draw different noise in the same split.
_WIDTHS, _EDGES, _THIN, _QUIET, _STILL, _FAINT = range(1_000_001, 1_000_007)
# A pixel is background if contrast agent changes it by less than this, in optical density, as far as the blur goes.
_BACKGROUND_DENSITY, _BLUR_REACH_PX = 1e-3, 8


def quanta_of(noise: str) -> float:
    """The dose in the middle of a noise level, quanta per pixel."""
    low, high = NOISE[noise]
    return float(np.sqrt(low * high))


def measure_widths(
    split: str, noise: str, contrast: str, take: int, methods: dict[str, Method], moments: int
) -> dict[str, np.ndarray]:
    """Measure the width of each vessel.

    Args:
        split, noise, contrast, take: of `sets.SPLITS`, `sets.NOISE` and CONTRASTS, and which noise is drawn.
        methods: by name.
        moments: frames that methods are given.

    Returns:
        Errors in pixels (8,) by method, positive where too wide, NaN where no vessel is detected.
    """
    phantom = vessel_phantom(CONTRASTS[contrast], quanta=quanta_of(noise))
    rng = generator(split, _WIDTHS, list(NOISE).index(noise), take)
    pair, known = _acquired(phantom, rng, moments)
    results = {name: method(pair.degraded, known) for name, method in methods.items()}
    clean = replace(phantom.conditions, noise_free=True)
    results[PERFECT_DENOISER] = acquire_pair(phantom.scene, clean, "subtracted", rng).frame
    expected = phantom_widths(phantom, pair.truth)
    return {name: phantom_widths(phantom, result) - expected for name, result in results.items()}


def phantom_widths(phantom: VesselPhantom, frame: np.ndarray) -> np.ndarray:
    """Width in pixels (8,) of each vessel, averaged along two fifths of the frame's height; NaN where none is found."""
    along = 0.4 * frame.shape[0]
    return np.array([vessel_width(frame, point, phantom.tangent, averaging=along) for point in phantom.points])


def measure_edges(
    split: str, noise: str, edge: str, takes: int, methods: dict[str, Method], size: int, moments: int
) -> dict[str, Mtf]:
    """MTF by method, and the truth's, of the mean over several takes of an edge of one direction of EDGES."""
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
    """Noise power of each method's results of frames without any object, and its threshold for detecting a vessel."""
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
) -> dict[str, dict[str, float]]:
    """Measure how thin vessels of one contrast-to-noise ratio show.

    Args:
        split, noise, cnr, take: of `sets.SPLITS`, `sets.NOISE` and CNRS, and which noise is drawn.
        noise_std: of a pixel of the input.
        thresholds: of `measure_noise`.
        methods: by name.
        size: rows and columns.
        moments: frames that methods are given.

    Returns:
        Shares by method, and in the truth: missed, of vessels whose response lies below the threshold that 5 % of the
        places in the method's own result of pure noise exceed; false, of empty places between the vessels above it;
        invented, of empty places that respond at least half as much as a vessel does in the truth; kept, the mean
        response of the vessels relative to that.
    """
    phantom = detection_phantom(cnr * noise_std / _density_kept(), size, quanta_of(noise))
    rng = generator(split, _THIN, list(NOISE).index(noise), CNRS.index(cnr), take)
    pair, known = _acquired(phantom, rng, moments)
    results = {name: method(pair.degraded, known) for name, method in methods.items()}
    results[TRUTH] = pair.truth
    whole = float(_responses(pair.truth, phantom.vessels, phantom).mean())
    found = {}
    for name, result in results.items():
        vessels, empty = (_responses(result, sites, phantom) for sites in (phantom.vessels, phantom.empty))
        # The truth has no noise: there a vessel is detected where it responds at all.
        threshold = thresholds.get(name, 0.1 * whole)
        found[name] = {
            "missed": float(np.mean(vessels < threshold)),
            "false": float(np.mean(empty > threshold)),
            "invented": float(np.mean(empty > 0.5 * whole)),
            "kept": float(vessels.mean() / whole),
        }
    return found


def measure_detectability(
    split: str, noise: str, takes: int, methods: dict[str, Method], size: int, moments: int
) -> dict[str, dict[float, float]]:
    """How well the model of a reader sees thin vessels in each method's results: d' by contrast of FAINT."""
    absent: dict[str, list[np.ndarray]] = {}
    present: dict[tuple[str, float], list[np.ndarray]] = {}
    for take in range(takes):
        empty = detection_phantom(0.0, size, quanta_of(noise))
        sites = empty.vessels
        pairs = {None: _acquired(empty, generator(split, _FAINT, list(NOISE).index(noise), take), moments)}
        std = float(pairs[None][0].degraded.std())
        for cnr in FAINT:
            phantom = detection_phantom(cnr * std / _density_kept(), size, quanta_of(noise))
            # The same noise: what differs is the vessel.
            pairs[cnr] = _acquired(phantom, generator(split, _FAINT, list(NOISE).index(noise), take), moments)
        for cnr, (pair, known) in pairs.items():
            for name, method in methods.items():
                outputs = channel_outputs(method(pair.degraded, known), sites)
                (absent.setdefault(name, []) if cnr is None else present.setdefault((name, cnr), [])).append(outputs)
    without = {name: np.concatenate(part) for name, part in absent.items()}
    own = internal_noise(without[INPUT])
    return {
        name: {cnr: detectability(np.concatenate(present[name, cnr]), without[name], own) for cnr in FAINT}
        for name in methods
    }


def measure_stillness(split: str, noise: str, takes: int, runs: dict, size: int) -> dict[str, dict[str, float]]:
    """Measure the background of a run of a still object.

    Args:
        split, noise: of `sets.SPLITS` and `sets.NOISE`.
        takes: frames of the run, odd.
        runs: functions by name that restore a run (n, rows, cols), given what is known of the blur.
        size: rows and columns.

    Returns:
        By method, restored over input: flicker, the standard deviation of a pixel over time, and noise_kept, that of
        single frames around the truth. A method that treats each frame alike has both nearly the same; more flicker
        means that frames of a run disagree more than their noise explains.
    """
    phantom = vessel_phantom(same_contrast=False, size=size, quanta=quanta_of(noise))
    scene = still_run(phantom.scene, takes)
    rng = generator(split, _STILL, list(NOISE).index(noise))
    pair = acquire_pair(scene, phantom.conditions, "subtracted", rng)
    known = known_of(phantom.conditions, scene)
    quiet = np.abs(pair.truth) < _BACKGROUND_DENSITY
    background = ndimage.distance_transform_edt(quiet) > _BLUR_REACH_PX

    def deviations(frames: np.ndarray) -> np.ndarray:
        values = frames[:, background].astype(np.float64)
        error = values - pair.truth[background]
        return np.sqrt([values.var(axis=0, ddof=1).mean(), error.var(axis=1).mean()])

    before = deviations(pair.degraded)
    found = {INPUT: np.ones(2)}
    found |= {name: deviations(np.asarray(run(pair.degraded, known))) / before for name, run in runs.items()}
    return {name: dict(zip(("flicker", "noise_kept"), shares.tolist(), strict=True)) for name, shares in found.items()}


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
