"""Held-out frames that say how a training goes: gains over the input, simulated, from the validation set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from DSADeblurLib.lab.image_quality.quality import DATA_RANGE, edge_psnr, near_edges, psnr
from DSADeblurLib.lab.simulation.pairs import KINDS, Pair, acquire_pair, removable_blur_px
from DSADeblurLib.lab.simulation.sets import NOISE, generator, held_out_pair
from DSADeblurLib.restoration.network import HEADER_SPREAD, RestorationNetwork
from DSADeblurLib.restoration.normalisation import fit_normalisation

NOISE_FREE = "noise-free"
# Ranges of the blur in pixels; frames take them in turn.
BLURS_PX = ((1.0, 2.0), (2.0, 4.0), (4.0, 6.0), (6.0, 8.0))


class HeldOut:
    """Validation frames of every kind and noise, and without noise, simulated once.

    `blurs` are their removable blurs (rows, columns) in pixels, in the order in which a network sees the frames.
    """

    def __init__(self, frames: int, size: int, moments: int) -> None:
        self._cells = [(kind, noise) for kind in KINDS for noise in (*NOISE, NOISE_FREE)]
        self._cases = []
        self.blurs: list[tuple[float, float]] = []
        for index in range(frames):
            for kind, noise in self._cells:
                pair, blur = _pair(index, kind, noise, size, moments)
                self.blurs.append(blur)
                edges = near_edges(pair.truth, data_range=DATA_RANGE)
                self._cases.append((pair, edges, _scores(pair.frame, pair.truth, edges)))

    @torch.inference_mode()
    def gains(
        self,
        network: RestorationNetwork,
        device: torch.device,
        blur_factor: float | None = 1.0,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> dict[str, float]:
        """Mean gains in PSNR over the input.

        Args:
            network: on `device`; of frames with more moments than it takes it gets those in the middle.
            device: where it runs.
            blur_factor: the condition of a modulated network is the true blur times this, with HEADER_SPREAD for its
                error; None for what the network estimates.
            is_cancelled: asked before each frame; then there are no gains.

        Returns:
            dB for each kind and noise, and near edges ('... edge').
        """
        gains: dict[str, list[float]] = {}
        for number, (pair, edges, before) in enumerate(self._cases):
            if is_cancelled():
                return {}
            beside = (len(pair.degraded) - network.architecture.frames) // 2
            degraded = pair.degraded[beside : len(pair.degraded) - beside]
            normalisation = fit_normalisation(degraded)
            frames = torch.from_numpy(normalisation.apply(degraded))[None].to(device)
            given = ()
            if network.architecture.modulated and blur_factor is not None:
                widths = [blur_factor * width for width in self.blurs[number]]
                given = (torch.tensor([[*widths, HEADER_SPREAD]], dtype=torch.float32, device=device),)
            output = normalisation.invert(network(frames, *given)[0, 0].float().cpu().numpy())
            gain = _scores(output, pair.truth, edges) - before
            name = " ".join(self._cells[number % len(self._cells)])
            gains.setdefault(name, []).append(gain[0])
            gains.setdefault(f"{name} edge", []).append(gain[1])
        return {name: round(float(np.nanmean(values)), 3) for name, values in gains.items()}


def _pair(index: int, kind: str, noise: str, size: int, moments: int) -> tuple[Pair, tuple[float, float]]:
    level = noise if noise in NOISE else "quiet"
    blur = BLURS_PX[index % len(BLURS_PX)]
    pair, conditions, scene = held_out_pair("validation", index, kind, level, size, blur, moments)
    if noise == NOISE_FREE:
        conditions = replace(conditions, noise_free=True)
        pair = acquire_pair(scene, conditions, kind, generator("validation", index))
    return pair, removable_blur_px(conditions.spot, scene)


def _scores(frame: np.ndarray, truth: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.array(
        [
            psnr(frame, truth, data_range=DATA_RANGE),
            edge_psnr(frame, truth, data_range=DATA_RANGE, edge_mask=edges),
        ]
    )
