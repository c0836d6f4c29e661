"""Held-out frames that say how a training goes, simulated, from the validation set: gains over the input, and what is
left of faint lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from DSADeblurLib.lab.image_quality.quality import DATA_RANGE, edge_psnr, near_edges, psnr
from DSADeblurLib.lab.simulation.pairs import KINDS, Pair, acquire_pair, pixels_per_mm, removable_blur_px
from DSADeblurLib.lab.simulation.sets import NOISE, generator, held_out_pair
from DSADeblurLib.lab.training.faint_lines import deviation, draw_lines, noise_of, render_lines
from DSADeblurLib.lab.training.losses import line_share
from DSADeblurLib.restoration.blur_condition import HEADER_SPREAD
from DSADeblurLib.restoration.network import RestorationNetwork
from DSADeblurLib.restoration.normalisation import Normalisation, fit_normalisation

NOISE_FREE = "noise-free"
LINE_CONTRASTS = (1.0, 2.0, 3.0, 8.0)
# Ranges of the blur in pixels; frames take them in turn.
BLURS_PX = ((1.0, 2.0), (2.0, 4.0), (4.0, 6.0), (6.0, 8.0))


class HeldOut:
    """Validation frames of every kind and noise, and without noise, simulated once.

    `blurs` are their removable blurs (rows, columns) in pixels, in the order in which a network sees the frames.
    """

    def __init__(self, frames: int, size: int, moments: int) -> None:
        self._cells = [(kind, noise) for kind in KINDS for noise in (*NOISE, NOISE_FREE)]
        self._cases = []
        self._spots: list[np.ndarray] = []
        self.blurs: list[tuple[float, float]] = []
        for index in range(frames):
            for kind, noise in self._cells:
                pair, blur, spot = _pair(index, kind, noise, size, moments)
                self.blurs.append(blur)
                self._spots.append(spot)
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
            frames, normalisation, given = self._taken(number, network, device, blur_factor)
            output = normalisation.invert(network(frames, *given)[0, 0].float().cpu().numpy())
            gain = _scores(output, pair.truth, edges) - before
            name = " ".join(self._cells[number % len(self._cells)])
            gains.setdefault(name, []).append(gain[0])
            gains.setdefault(f"{name} edge", []).append(gain[1])
        return {name: round(float(np.nanmean(values)), 3) for name, values in gains.items()}

    @torch.inference_mode()
    def lines_kept(
        self, network: RestorationNetwork, device: torch.device, is_cancelled: Callable[[], bool] = lambda: False
    ) -> dict[str, float]:
        """What a network that is told the true blur leaves of `faint_lines` in noisy frames, and of their noise.

        Args:
            network, device, is_cancelled: as for `gains`.

        Returns:
            Mean share of the lines' sharp shapes by noise and contrast ('clinical 2 sigma'), and 'clinical noise': the
            deviation of the output from the truth over the input's noise.
        """
        found: dict[str, list[float]] = {}
        for number, (pair, *_) in enumerate(self._cases):
            noise_name = self._cells[number % len(self._cells)][1]
            if noise_name == NOISE_FREE:
                continue
            if is_cancelled():
                return {}
            frames, normalisation, given = self._taken(number, network, device, 1.0)
            middle = slice(frames.shape[1] // 2, frames.shape[1] // 2 + 1)
            truth = torch.from_numpy(normalisation.apply(pair.truth))[None, None].to(device)
            spot = torch.from_numpy(self._spots[number])[None].to(device)
            lines = draw_lines(generator("validation", number), 1)
            signs = np.sign(lines[..., 0])
            output = network(frames, *given).float()
            rest = deviation(output - truth) / noise_of(frames[:, middle], truth, spot)
            found.setdefault(f"{noise_name} noise", []).append(float(rest))
            for times in LINE_CONTRASTS:
                lines[..., 0] = times * signs
                soft, sharp = render_lines(lines, frames[:, middle], truth, spot)
                share = line_share(network(frames + soft, *given).float() - output, sharp)
                found.setdefault(f"{noise_name} {times:g} sigma", []).append(float(share))
        return {name: round(float(np.mean(values)), 3) for name, values in found.items()}

    def _taken(
        self, number: int, network: RestorationNetwork, device: torch.device, blur_factor: float | None
    ) -> tuple[Tensor, Normalisation, tuple[Tensor, ...]]:
        """A case as a network takes it: normalised frames (1, moments, rows, columns), how they were normalised, and
        the condition, if it is given one."""
        degraded = self._cases[number][0].degraded
        beside = (len(degraded) - network.architecture.frames) // 2
        degraded = degraded[beside : len(degraded) - beside]
        normalisation = fit_normalisation(degraded)
        frames = torch.from_numpy(normalisation.apply(degraded))[None].to(device)
        if not network.architecture.modulated or blur_factor is None:
            return frames, normalisation, ()
        widths = [blur_factor * width for width in self.blurs[number]]
        return frames, normalisation, (torch.tensor([[*widths, HEADER_SPREAD]], dtype=torch.float32, device=device),)


def _pair(index: int, kind: str, noise: str, size: int, moments: int) -> tuple[Pair, tuple[float, float], np.ndarray]:
    level = noise if noise in NOISE else "quiet"
    blur = BLURS_PX[index % len(BLURS_PX)]
    pair, conditions, scene = held_out_pair("validation", index, kind, level, size, blur, moments)
    if noise == NOISE_FREE:
        conditions = replace(conditions, noise_free=True)
        pair = acquire_pair(scene, conditions, kind, generator("validation", index))
    spot = np.array([*conditions.spot.otf_factors(), pixels_per_mm(scene)], np.float32)
    return pair, removable_blur_px(conditions.spot, scene), spot


def _scores(frame: np.ndarray, truth: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.array(
        [
            psnr(frame, truth, data_range=DATA_RANGE),
            edge_psnr(frame, truth, data_range=DATA_RANGE, edge_mask=edges),
        ]
    )
