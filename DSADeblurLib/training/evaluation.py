"""A model against classical methods on held-out simulated frames: PSNR, SSIM, edge PSNR and vessel width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from tqdm import tqdm

from DSADeblurLib.measurement.quality import DATA_RANGE, edge_psnr, psnr, ssim
from DSADeblurLib.measurement.width import vessel_width
from DSADeblurLib.restoration.classical import richardson_lucy, unsharp_mask, wiener
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.restoration.package import Model
from DSADeblurLib.simulation.pairs import KINDS, acquire_pair
from DSADeblurLib.simulation.phantom import vessel_phantom
from DSADeblurLib.simulation.sets import held_out_pair

TUNING_FRAMES, TUNING_SIZE = 4, 512

Method = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Takes a frame (rows, cols) and the true point spread function, gives the restored frame."""


@dataclass(frozen=True)
class Row:
    """One method on one kind of frame: means over the frames, and the least gain in PSNR over the input."""

    kind: str
    method: str
    setting: str
    psnr: float
    psnr_gain: float
    worst_gain: float
    edge_psnr_gain: float
    ssim: float
    ssim_gain: float


@dataclass(frozen=True)
class Widths:
    """Mean absolute error of vessel widths in pixels, vessels of 0.3 to 2 mm; NaN counts where nothing was found."""

    method: str
    contrast: str
    error_px: float
    missed: int


@dataclass(frozen=True)
class Evaluation:
    """What `dsadeblur evaluate` prints. All of it is simulated."""

    model: str
    model_sha256: str
    split: str
    frames: int
    size: int
    data_range: float
    rows: tuple[Row, ...]
    widths: tuple[Widths, ...]


def candidates() -> dict[str, dict[str, Method]]:
    """Classical methods with the settings among which validation frames choose."""
    table: dict[str, dict[str, Method]] = {"unsharp": {}, "Wiener": {}, "Richardson-Lucy": {}}
    for radius in (1.0, 2.0):
        for amount in (0.25, 0.5, 1.0):
            table["unsharp"][f"radius {radius:g} px, amount {amount:g}"] = lambda frame, psf, r=radius, a=amount: (
                unsharp_mask(frame, r, a)
            )
    for balance in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0):
        table["Wiener"][f"balance {balance:g}"] = lambda frame, psf, b=balance: wiener(frame, psf, b)
    for iterations in (5, 10, 20):
        for sigma in (0.0, 0.7, 1.2):
            # Richardson-Lucy amplifies noise; it is given the smoothing that people give it.
            table["Richardson-Lucy"][f"{iterations} iterations after smoothing by {sigma:g} px"] = (
                lambda frame, psf, n=iterations, s=sigma: richardson_lucy(
                    ndimage.gaussian_filter(frame, s) if s else frame, psf, n
                )
            )
    return table


def tuned_methods(kind: str, progress: tqdm | None = None) -> dict[str, tuple[str, Method]]:
    """For each classical method the setting with the best mean PSNR on validation frames of this kind."""
    pairs = [_case("validation", index, kind, TUNING_SIZE) for index in range(TUNING_FRAMES)]
    chosen = {}
    for name, settings in candidates().items():
        scores = {}
        for setting, method in settings.items():
            values = [psnr(method(degraded, psf), truth, data_range=DATA_RANGE) for degraded, truth, psf in pairs]
            scores[setting] = np.mean(values)
            if progress is not None:
                progress.update()
        best = max(scores, key=scores.get)
        chosen[name] = (best, settings[best])
    return chosen


def evaluate(model: Model, split: str = "test", frames: int = 30, size: int = 1024) -> Evaluation:
    """Compare the model with the input and with tuned classical methods that are told the true focal spot.

    Args:
        model: a loaded model.
        split: 'test', or 'validation' while still choosing.
        frames: of each kind, native and subtracted.
        size: rows and columns.

    Returns:
        Means over frames, and vessel widths in the phantom.
    """
    network = _network_method(model)
    rows: list[Row] = []
    tuned_by_kind = {}
    settings = sum(len(table) for table in candidates().values())
    with tqdm(total=len(KINDS) * (settings + frames), desc="evaluate", unit="step") as progress:
        for kind in KINDS:
            tuned = tuned_by_kind[kind] = tuned_methods(kind, progress)
            methods = {"input": ("", _unchanged), **tuned, model.card.name: ("", network)}
            scores: dict[str, list] = {name: [] for name in methods}
            for index in range(frames):
                degraded, truth, psf = _case(split, index, kind, size)
                for name, (_, method) in methods.items():
                    scores[name].append(_scores(method(degraded, psf), truth))
                progress.update()
            rows += _rows(kind, methods, scores)
    widths = _widths({"input": ("", _unchanged), **tuned_by_kind["subtracted"], model.card.name: ("", network)})
    return Evaluation(
        model.card.name, model.sha256, split, frames, size, DATA_RANGE, tuple(rows), tuple(widths)
    )


def _network_method(model: Model) -> Method:
    return lambda frame, psf: deblur(frame[None], model).frames[0]


def _unchanged(frame: np.ndarray, psf: np.ndarray) -> np.ndarray:
    return frame


def _case(split: str, index: int, kind: str, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pair, conditions, scene = held_out_pair(split, index, kind, size=size)
    # The middle of the patient; nobody knows the depth of each vessel in a projection.
    psf = conditions.spot.psf(scene.view.magnification(0.0), scene.view.spacing_mm)
    return pair.degraded, pair.truth, psf


def _scores(output: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
    return (
        psnr(output, truth, data_range=DATA_RANGE),
        edge_psnr(output, truth, data_range=DATA_RANGE),
        ssim(output, truth, data_range=DATA_RANGE),
    )


def _rows(kind: str, methods: dict, scores: dict[str, list]) -> list[Row]:
    reference = np.array(scores["input"])
    rows = []
    for name, (setting, _) in methods.items():
        values = np.array(scores[name])
        gain = values - reference
        rows.append(
            Row(
                kind,
                name,
                setting,
                psnr=float(values[:, 0].mean()),
                psnr_gain=float(gain[:, 0].mean()),
                worst_gain=float(gain[:, 0].min()),
                edge_psnr_gain=float(np.nanmean(gain[:, 1])),
                ssim=float(values[:, 2].mean()),
                ssim_gain=float(gain[:, 2].mean()),
            )
        )
    return rows


def _widths(methods: dict[str, tuple[str, Method]]) -> list[Widths]:
    found = []
    for same_contrast, contrast in ((False, "with diameter"), (True, "same for all")):
        phantom = vessel_phantom(same_contrast)
        pair = acquire_pair(phantom.scene, phantom.conditions, "subtracted", np.random.default_rng(0))
        psf = phantom.conditions.spot.psf(phantom.scene.view.magnification(0.0), phantom.scene.view.spacing_mm)
        expected = phantom_widths(phantom, pair.truth)
        for name, (_, method) in methods.items():
            error = np.abs(phantom_widths(phantom, method(pair.degraded, psf)) - expected)
            missed = int(np.isnan(error).sum())
            mean = float(np.nanmean(error)) if missed < len(error) else float("nan")
            found.append(Widths(name, contrast, mean, missed))
    return found


def phantom_widths(phantom, frame: np.ndarray) -> np.ndarray:
    """Width in pixels of each vessel in a frame of the phantom, averaged along 200 pixels; NaN where none is seen."""
    return np.array(
        [vessel_width(frame, point, phantom.tangent, averaging=200.0) for point in phantom.points]
    )
