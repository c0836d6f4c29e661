"""Pairs of degraded frames and truth for a whole batch of scenes at once, on any device: `pairs.acquire_pair` in torch.

Every region is taken through its own spot, dose, mask, detector and effects. They are drawn by the simulation's own
`random_conditions` and come as rows of numbers, see `SHOT`. Not in here: spots put together from several (no training
draws them), and padding as wide as each kernel reaches: all regions share one Fourier grid, and what veiling glare
brings from beyond it is mirrored, in frame and truth alike.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from DSADeblurLib.lab.simulation.conditions import MICRO_SPOT, Conditions, removable_blur_px
from DSADeblurLib.lab.simulation.effects import DOMAINS
from DSADeblurLib.lab.simulation.pairs import KINDS
from DSADeblurLib.lab.simulation.scene import SLAB_CENTRES_MM, Scene
from DSADeblurLib.lab.training.batched_operators import (
    APERTURE,
    Grid,
    aperture_numbers,
    detector_mtf,
    draw_quanta,
    on_device,
    sharpened,
    spot_otf,
    toned,
    transmission,
    turned_and_shifted,
    within,
    zoomed,
)
from DSADeblurLib.physics.detector import Detector
from DSADeblurLib.restoration.normalisation import DETAIL_PX

# The slab that the isocentre lies in.
ISOCENTRE = len(SLAB_CENTRES_MM) // 2
# One acquisition: what `Conditions` and its exposure say, as numbers. `corner` is where in the scene the region lies,
# `offset` how far its middle lies from that of the frame of `frame` pixels that collimator and shutter belong to.
SHOT = np.dtype([
    (name, np.float32, (count,))
    for name, count in {
        "spot": 10, "spacing": 1, "scales": len(SLAB_CENTRES_MM), "incident": 1, "gain": 1, "max_dn": 1,
        "scintillator": 1, "glare": 2, "electronics": 1, "mask_frames": 1, "motion": 2, "degrees": 1, "drift": 2,
        "noise_free": 1, "collimator": APERTURE, "shutter": APERTURE, "offset": 2, "frame": 1, "zoom": 1,
        "zoom_order": 1, "sharpening": 2, "tone": 3, "has_tone": 1, "blur_px": 2, "corner": 2,
    }.items()
])  # fmt: skip


def shot(
    conditions: Conditions,
    scene: Scene,
    exposure: tuple[float, Detector],
    corner=(0, 0),
    from_middle_px=(0.0, 0.0),
    offset_px=(0.0, 0.0),
    frame: int | None = None,
) -> np.ndarray:
    """These conditions as one element of SHOT.

    Args:
        conditions: of the acquisition.
        scene: for its view; a part or a thinned copy will do.
        exposure: see `pairs.open_field`.
        corner: first row and column of the region.
        from_middle_px: where the region's middle lies from the middle of the frame, about which the patient turns.
        offset_px: the same from the middle of the frame that the apertures belong to.
        frame: side of that frame; by default the scene's.
    """
    c, effects, (incident, detector) = conditions, conditions.effects, exposure
    angle = np.radians(c.motion_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    one = np.zeros((), SHOT)
    values = {
        "spot": c.spot.otf_factors(),
        "spacing": scene.view.spacing_mm,
        "scales": [(m - 1) / scene.view.spacing_mm for m in scene.magnifications],
        "incident": incident,
        "gain": detector.gain,
        "max_dn": detector.max_dn,
        "scintillator": detector.scintillator_mm2,
        "glare": (detector.glare_fraction, detector.glare_width_mm),
        "electronics": detector.electronic_noise_quanta,
        "mask_frames": c.mask_frames,
        # Away from the middle a turn is a shift as well.
        "motion": np.array(c.motion_px) + (turn - np.eye(2)) @ np.array(from_middle_px, float),
        "degrees": c.motion_deg,
        "drift": c.drift_px,
        "noise_free": c.noise_free,
        "collimator": aperture_numbers(effects.collimator),
        "shutter": aperture_numbers(effects.shutter),
        "offset": offset_px,
        "frame": frame or scene.view.shape[0],
        "zoom": effects.zoom,
        "zoom_order": effects.zoom_order,
        "sharpening": effects.sharpening or (1.0, 0.0),
        "tone": (0.0, np.inf, 16)
        if effects.tone is None
        else (effects.tone.exponent, effects.tone.compression, effects.tone.bits),
        "has_tone": effects.tone is not None,
        "blur_px": removable_blur_px(c.spot, scene, effects.zoom),
        "corner": corner,
    }
    for name, value in values.items():
        one[name] = value
    return one


class Shots:
    """A batch of SHOT elements: `rows` on the CPU, where decisions are made, and each field as a tensor (B, n)."""

    def __init__(self, rows: np.ndarray, device: torch.device | str) -> None:
        self.rows = rows
        # One transfer for all.
        numbers = on_device(rows.view(np.float32).reshape(len(rows), -1), device)
        widths = [SHOT[name].shape[0] for name in SHOT.names]
        self._fields = dict(zip(SHOT.names, numbers.split(widths, dim=1), strict=True))

    def __getattr__(self, name: str) -> Tensor:
        return self._fields[name]

    def where(self, chosen: np.ndarray) -> Tensor:
        """Places of the chosen elements (B,) bool, on the device."""
        return on_device(np.flatnonzero(chosen), self.spot.device)


def acquire(
    static: Tensor, iodine: Tensor, shots: Shots, subtracted: np.ndarray, grid: Grid, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Take a batch of pairs.

    Args:
        static, iodine: line integrals (B, slabs, S, S) and (B, moments, slabs, S, S) float32, see `Scene`.
        shots: how each is taken.
        subtracted: (B,) bool, which are subtracted frames; the others are native.
        grid: for sides of S.
        generator: of the noise, on the device.

    Returns:
        Degraded frames (B, moments, S, S) and the truth (B, 1, S, S), as `Pair` has them.
    """
    moments, middle = iodine.shape[1], iodine.shape[1] // 2
    micro = _micro_spot(iodine.device)
    otfs = [spot_otf(grid, spots, shots.scales) for spots in (shots.spot, micro)]
    mtf = detector_mtf(grid, *(value[:, 0] for value in (shots.spacing, shots.scintillator)), *shots.glare.unbind(1))
    camera = _Camera(shots, mtf, grid, generator)
    beams, sharp = _beams(torch.exp(-(static[:, None] + iodine)), otfs, grid, middle)
    moving = shots.where(np.any(shots.rows["drift"], axis=1))
    if len(moving) and moments > 1:
        away = torch.arange(1, middle + 1, device=beams.device)
        away = torch.cat((-away, away))
        drifts = shots.drift[moving, None] * away[:, None]
        where = moving[:, None], away + middle
        beams[where] = _moved(beams[where], drifts, torch.zeros_like(drifts[..., 0]))
    degraded, truth = camera.frames(beams), camera.exact(sharp)
    native, masked = shots.where(~subtracted), shots.where(subtracted)
    if len(masked):
        some = [otf[masked] for otf in otfs]
        still = torch.cat(_beams(torch.exp(-static[masked])[:, None], some, grid, 0), dim=1)
        turned = shots.rows["degrees"][subtracted, 0] != 0
        moved = np.flatnonzero(turned | np.any(shots.rows["motion"][subtracted], axis=1))
        if len(moved):
            where = on_device(moved, masked.device)
            motion, degrees = shots.motion[masked][where, None], shots.degrees[masked][where]
            still[where] = _moved(still[where], motion.expand(-1, 2, -1), degrees.expand(-1, 2))
        camera = _Camera(Shots(shots.rows[subtracted], masked.device), mtf[masked], grid, generator)
        mask = camera.frames(still[:, :1], of_masks=True)
        degraded[masked] = _optical_density(degraded[masked], mask)
        truth[masked] = _optical_density(truth[masked], camera.exact(still[:, 1:]))
    degraded[native], truth[native] = degraded[native].log(), truth[native].log()
    return _processed(degraded, truth, shots, subtracted)


def _moved(beams: Tensor, shifts: Tensor, degrees: Tensor) -> Tensor:
    """Beams (b, T, S, S), each moved by its own (b, T, 2) pixels and (b, T) degrees."""
    moved = turned_and_shifted(beams.flatten(0, 1), shifts.flatten(0, 1), degrees.flatten(0, 1))
    return moved.view_as(beams)


@functools.cache
def _micro_spot(device: torch.device) -> Tensor:
    return torch.tensor([MICRO_SPOT.otf_factors()], device=device)


def _beams(transmissions: Tensor, otfs: list[Tensor], grid: Grid, middle: int) -> tuple[Tensor, Tensor]:
    """Intensity behind the patient, (B, T, S, S) through the large spot and (B, 1, S, S) through the micro spot."""
    spectrum, level = grid.spectrum(transmissions)
    at = slice(middle, middle + 1)

    def through(otf: Tensor, moments: slice) -> Tensor:
        blurred = grid.frames(spectrum[:, moments] * otf[:, None], level[:, moments])
        return within(blurred, transmissions[:, moments]).prod(dim=2)

    return through(otfs[0], slice(None)), through(otfs[1], at)


class _Camera:
    """Collimator and detector, see `pairs.Camera`, of beams (B, T, S, S)."""

    def __init__(self, shots: Shots, mtf: Tensor, grid: Grid, generator: torch.Generator) -> None:
        self.shots, self.mtf, self.grid, self.generator = shots, mtf, grid, generator
        self.incident, self.gain, self.max_dn, self.electronics = (
            value[..., None, None] for value in (shots.incident, shots.gain, shots.max_dn, shots.electronics)
        )
        self.clean = shots.noise_free[..., None, None] > 0

    def frames(self, beams: Tensor, of_masks: bool = False) -> Tensor:
        """Digital numbers with noise, from 1 up; of masks the mean of their frames, which is one of more dose."""
        count = self.shots.mask_frames[..., None, None] if of_masks else 1.0
        expected = count * self.incident * self._collimated(beams)
        signal = self._blurred(torch.where(self.clean, expected, draw_quanta(expected, self.generator)))
        noise = torch.randn(signal.shape, generator=self.generator, device=signal.device)
        noise *= torch.where(self.clean, 0.0, self.electronics) * (count**0.5)
        digital = (signal + noise) * (self.gain / count)
        return self._cut(torch.where(self.clean | (count != 1), digital, digital.round()))

    def exact(self, beams: Tensor) -> Tensor:
        """What `frames` are on average."""
        return self._cut(self.incident * self.gain * self._blurred(self._collimated(beams)))

    def _blurred(self, frames: Tensor) -> Tensor:
        spectrum, level = self.grid.spectrum(frames)
        return self.grid.frames(spectrum * self.mtf[:, None], level)

    def _cut(self, digital: Tensor) -> Tensor:
        return torch.minimum(digital.clamp(min=1.0), self.max_dn)

    def _collimated(self, beams: Tensor) -> Tensor:
        has, passed = _passed(self.shots, "collimator", beams.shape[-1])
        return beams if passed is None else beams.index_copy(0, has, beams[has] * passed)


def _passed(shots: Shots, aperture: str, side: int) -> tuple[Tensor, Tensor | None]:
    """Which shots have this aperture, and what it lets through there, (b, 1, S, S); None where no shot has one."""
    rows = shots.rows[aperture][:, -1] > 0
    has = shots.where(rows)
    if not len(has):
        return has, None
    numbers, offset = getattr(shots, aperture)[has], shots.offset[has]
    return has, transmission(numbers, side, shots.frame[has, 0], offset)[:, None]


def _optical_density(contrast: Tensor, mask: Tensor) -> Tensor:
    """See `physics.acquisition.optical_density`."""
    floor = 1e-3 * mask.mean(dim=(-2, -1), keepdim=True)
    return torch.maximum(contrast, floor).log() - torch.maximum(mask, floor).log()


def _processed(degraded: Tensor, truth: Tensor, shots: Shots, subtracted: np.ndarray) -> tuple[Tensor, Tensor]:
    """Log frames as the system stores them, see `pairs`."""
    rows, moments = shots.rows, degraded.shape[1]
    for order in (1, 3):
        has = shots.where((rows["zoom"][:, 0] != 1) & (rows["zoom_order"][:, 0] == order))
        if len(has):
            both = torch.cat((degraded[has], truth[has]), dim=1)
            zooms = shots.zoom[has, 0].repeat_interleave(moments + 1)
            both = zoomed(both.flatten(0, 1), zooms, order).view_as(both)
            degraded[has], truth[has] = both[:, :-1], both[:, -1:]
    has = shots.where(rows["sharpening"][:, 1] > 0)
    if len(has):
        degraded[has] = sharpened(degraded[has], *shots.sharpening[has].unbind(1))
    has, passed = _passed(shots, "shutter", truth.shape[-1])
    if passed is not None:
        native = on_device(~subtracted, has.device)[has]
        flat = torch.where(native[:, None, None, None], truth[has].amin(dim=(-2, -1), keepdim=True), 0.0)
        degraded[has], truth[has] = (torch.where(passed < 0.5, flat, frames[has]) for frames in (degraded, truth))
    chosen = rows["has_tone"][:, 0] > 0
    has = shots.where(chosen)
    if len(has):
        kinds = subtracted[chosen]
        domain = on_device(np.array([DOMAINS[KINDS[int(kind)]] for kind in kinds], np.float32), has.device)
        native = on_device(~kinds, has.device)
        full = torch.where(native, shots.max_dn[has, 0].log(), 0.0)[:, None, None, None]
        degraded[has] = toned(degraded[has] - full, shots.tone[has], domain, quantised=True)
        truth[has] = toned(truth[has] - full, shots.tone[has], domain, quantised=False)
    return degraded, truth


def fitted(frames: Tensor) -> tuple[Tensor, Tensor]:
    """`fit_normalisation` of each frame (B, S, S) alone: offset and scale, (B,)."""
    least, offset, most = _percentiles(frames, (0.05, 50.0, 99.95))
    clipped = frames.clamp(least[:, None, None], most[:, None, None])
    # Not far from 0, so that sums keep their digits.
    clipped = (clipped - offset[:, None, None])[:, None]
    reach = DETAIL_PX // 2
    wide = functional.pad(clipped, (reach,) * 4, mode="replicate")
    smooth = functional.avg_pool2d(functional.avg_pool2d(wide, (DETAIL_PX, 1), 1), (1, DETAIL_PX), 1)
    low, high = _percentiles((clipped - smooth)[:, 0], (0.5, 99.5))
    scale = high - low
    return offset, torch.where(scale > 1e-9 * offset.abs().clamp(min=1.0), scale, 1.0)


def _percentiles(frames: Tensor, of: tuple[float, ...]) -> list[Tensor]:
    """As numpy interpolates them, (B,) each."""
    ordered = frames.flatten(1).sort(dim=1).values
    found = []
    for percent in of:
        place = percent / 100 * (ordered.shape[1] - 1)
        below = int(place)
        above = min(below + 1, ordered.shape[1] - 1)
        found.append(torch.lerp(ordered[:, below], ordered[:, above], place - below))
    return found
