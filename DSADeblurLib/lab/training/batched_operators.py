"""The operators of `physics` and `simulation.effects` for batches of torch tensors on any device.

Each is tested equal to its original, to 1e-5 of the range in float32. What differs from frame to frame is a tensor with
the batch (B,) in front; frames are (B, ..., S, S) float32.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from DSADeblurLib.lab.simulation.conditions import MICRO_SPOT
from DSADeblurLib.physics.noise import POISSON_LIMIT

# As scipy continues frames beyond their border before it looks for the coefficients of splines.
_SPLINE_MARGIN = 12
# Gaussians of the vendors' unsharp masks end at three standard deviations of at most 4 pixels.
_GAUSSIAN_CUT, _GAUSSIAN_REACH = 3.0, 12
APERTURE = 16
# The numbers of `FocalSpot.otf_factors`, and how many pixels its millimetre blurs.
SPOT_SIZE = 11
# Where the micro spot passes less than this of a frequency, nothing is divided by it.
_LEAST_OTF = 0.03
_FAR = 1e4


def on_device(values: np.ndarray, device: torch.device | str) -> Tensor:
    """A small array there, without waiting for the device: what memory holds is put aside before this returns."""
    return torch.from_numpy(values).to(device, non_blocking=True)


class Grid:
    """The Fourier grid of square frames of `side` pixels, mirrored beyond their border by (before, after) pixels.

    `physics.blur` mirrors as far as each kernel reaches; here all frames of a batch share one grid.
    """

    def __init__(self, side: int, pads: tuple[int, int], device: torch.device | str = "cpu") -> None:
        self.side, self.pads, self.size = side, pads, side + sum(pads)
        self._mirrored = torch.from_numpy(np.pad(np.arange(side), pads, mode="symmetric")).to(device)
        self.fv = torch.fft.fftfreq(self.size, device=device)[:, None]
        self.fu = torch.fft.rfftfreq(self.size, device=device)[None, :]

    def spectrum(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Frames (..., S, S) to the transform of what differs from their mean, and that mean (..., 1, 1)."""
        level = frames.mean(dim=(-2, -1), keepdim=True)
        padded = (frames - level).index_select(-2, self._mirrored).index_select(-1, self._mirrored)
        return torch.fft.rfft2(padded), level

    def frames(self, spectrum: Tensor, level: Tensor) -> Tensor:
        """The inverse of `spectrum`."""
        padded = torch.fft.irfft2(spectrum, s=(self.size, self.size))
        first = self.pads[0]
        return padded[..., first : first + self.side, first : first + self.side] + level


def spot_otf(grid: Grid, factors: Tensor, scale: Tensor) -> Tensor:
    """OTFs of focal spots at several magnifications.

    Args:
        grid: gives the frequencies.
        factors: (B, 10), see `FocalSpot.otf_factors`.
        scale: (B, K) of the spot's image, (M - 1) / spacing_mm.

    Returns:
        (B, K, N, N // 2 + 1) float32.
    """
    cos, sin = (factors[:, place, None, None, None] for place in (0, 1))
    fu, fv = grid.fu * scale[..., None, None], grid.fv * scale[..., None, None]

    def profile(f: Tensor, first: int) -> Tensor:
        a, b, c, d = (factors[:, first + place, None, None, None] for place in range(4))
        return torch.sinc(a * f) * torch.sinc(b * f) * torch.cos(math.pi * c * f) * torch.exp(-d * f**2)

    return profile(fu * cos + fv * sin, 2) * profile(fv * cos - fu * sin, 6)


def removable_otf(grid: Grid, spots: Tensor) -> Tensor:
    """OTFs of what spots blur more than the micro spot: what turns a truth into a frame without noise.

    Args:
        grid: gives the frequencies.
        spots: (B, SPOT_SIZE) factors of `FocalSpot.otf_factors` and pixels per mm of the spot.

    Returns:
        (B, 1, N, N // 2 + 1) float32, between -1 and 1.
    """
    factors, scale = spots[:, :-1], spots[:, -1:]
    micro = spot_otf(grid, spots.new_tensor([MICRO_SPOT.otf_factors()]), scale)
    ratio = spot_otf(grid, factors, scale) * micro / (micro**2).clamp(min=_LEAST_OTF**2)
    return ratio.clamp(-1.0, 1.0)


def turned_spots(spots: np.ndarray, swapped: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """Spots (B, SPOT_SIZE) as they are in frames whose axes are swapped (B,), or one of them mirrored (B,)."""
    cos, sin = np.where(swapped[:, None], spots[:, 1::-1], spots[:, :2]).T
    # Spots are symmetric: mirrored rows are mirrored columns. A quarter turn swaps and mirrors.
    return np.column_stack((cos, np.where(mirrored, -sin, sin), spots[:, 2:]))


def detector_mtf(
    grid: Grid, spacing_mm: Tensor, scintillator_mm2: Tensor, glare_fraction: Tensor, glare_width_mm: Tensor
) -> Tensor:
    """`Detector.mtf` of detectors with square pixels and an aperture, all (B,), to (B, N, N // 2 + 1)."""
    spacing, scintillator, fraction, width = (
        value[:, None, None] for value in (spacing_mm, scintillator_mm2, glare_fraction, glare_width_mm)
    )
    squared = (grid.fu**2 + grid.fv**2) / spacing**2
    response = torch.sinc(grid.fv) * torch.sinc(grid.fu) / (1.0 + scintillator * squared)
    tail = torch.rsqrt(1.0 + (2.0 * math.pi * width) ** 2 * squared)
    return response * ((1.0 - fraction) + fraction * tail)


def within(frames: Tensor, source: Tensor) -> Tensor:
    """Frames cut to the range of the source, frame by frame."""
    return frames.clamp(source.amin(dim=(-2, -1), keepdim=True), source.amax(dim=(-2, -1), keepdim=True))


def draw_quanta(expected: Tensor, generator: torch.Generator) -> Tensor:
    """Numbers of quanta for their expectation, of any shape: Poisson below POISSON_LIMIT, normal from there on."""
    quanta = torch.randn(expected.shape, generator=generator, device=expected.device)
    quanta = torch.addcmul(expected, quanta, expected.sqrt())
    few = expected < POISSON_LIMIT
    # Zeros cost nothing, and choosing the few would make the processor wait for the device.
    return torch.where(few, torch.poisson(torch.where(few, expected, 0.0), generator=generator), quanta)


def resampled(frames: Tensor, matrices: Tensor, offsets: Tensor, order: int = 3) -> Tensor:
    """`scipy.ndimage.affine_transform` of each frame, mode 'nearest', cut to the frame's own range.

    Args:
        frames: (B, S, S).
        matrices, offsets: (B, 2, 2) and (B, 2), from the place (row, column) of a pixel to where its value is found.
        order: 1 or 3, of the spline.
    """
    side = frames.shape[-1]
    places = torch.arange(side, device=frames.device, dtype=torch.float32)
    rows, columns = (
        matrices[:, axis, 0, None, None] * places[:, None]
        + matrices[:, axis, 1, None, None] * places
        + offsets[:, axis, None, None]
        for axis in (0, 1)
    )
    if order == 1:
        return within(_bilinear(frames, rows, columns), frames)
    # A cubic B-spline between four coefficients is a mean of two linear interpolations, in rows and in columns.
    found = functional.pad(frames[:, None], (_SPLINE_MARGIN,) * 4, mode="replicate")[:, 0]
    prefilter = _spline_prefilter(found.shape[-1], frames.device)
    found = prefilter @ found @ prefilter.T
    (row_weight, *row_places), (column_weight, *column_places) = (
        _between(axis + _SPLINE_MARGIN) for axis in (rows, columns)
    )
    upper, lower = (torch.lerp(*(_bilinear(found, r, c) for c in column_places), column_weight) for r in row_places)
    return within(torch.lerp(upper, lower, row_weight), frames)


def _bilinear(frames: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Values of frames (B, S, S) at places (B, S, S) in pixels; outside that of the border."""
    scale = 2.0 / (frames.shape[-1] - 1)
    places = torch.stack((columns * scale - 1.0, rows * scale - 1.0), dim=-1)
    sampled = functional.grid_sample(frames[:, None], places, "bilinear", "border", align_corners=True)
    return sampled[:, 0]


def _between(places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where to look twice linearly instead of at four coefficients, and the weight of the second look."""
    whole = places.floor()
    t = places - whole
    second, third = (4 - 6 * t**2 + 3 * t**3) / 6, (4 - 6 * (1 - t) ** 2 + 3 * (1 - t) ** 3) / 6
    last = t**3 / 6
    weight = third + last
    return weight, whole - 1 + second / (1 - weight), whole + 1 + last / weight


@functools.cache
def _spline_prefilter(size: int, device: torch.device) -> Tensor:
    filtered = ndimage.spline_filter1d(np.eye(size), 3, axis=0, mode="mirror")
    return torch.from_numpy(filtered.astype(np.float32)).to(device)


def turned_and_shifted(frames: Tensor, shift_px: Tensor, degrees: Tensor) -> Tensor:
    """`physics.acquisition.shift_frame` of frames (B, S, S) by (B, 2) pixels and (B,) degrees."""
    angle = torch.deg2rad(degrees)
    cos, sin = angle.cos(), angle.sin()
    back = torch.stack((cos, sin, -sin, cos), dim=-1).unflatten(-1, (2, 2))
    middle = torch.full_like(shift_px, (frames.shape[-1] - 1) / 2)
    offset = middle - (back @ (middle + shift_px)[..., None])[..., 0]
    return resampled(frames, back, offset)


def zoomed(frames: Tensor, zoom: Tensor, order: int) -> Tensor:
    """`simulation.effects.zoomed` of frames (B, S, S), each by its own (B,)."""
    matrices = torch.eye(2, device=frames.device) / zoom[:, None, None]
    middle = (frames.shape[-1] - 1) / 2
    return resampled(frames, matrices, (middle * (1 - 1 / zoom))[:, None].expand(-1, 2), order)


def sharpened(frames: Tensor, radius_px: Tensor, amount: Tensor) -> Tensor:
    """`simulation.effects.sharpened` of frames (B, T, S, S), each batch by its own (B,); radii up to 4 pixels."""
    side, device = frames.shape[-1], frames.device
    places = torch.arange(-_GAUSSIAN_REACH, side + _GAUSSIAN_REACH, device=device)
    mirrored = torch.where(places < 0, -1 - places, torch.where(places < side, places, 2 * side - 1 - places))
    wide = frames.index_select(-2, mirrored).index_select(-1, mirrored)
    # As a matrix: convolutions are rounded to fewer digits on some devices.
    away = places - places[_GAUSSIAN_REACH:-_GAUSSIAN_REACH, None]
    radius = radius_px[:, None, None]
    kernels = torch.exp(-0.5 * (away / radius) ** 2) * (away.abs() <= (_GAUSSIAN_CUT * radius + 0.5).floor())
    kernels = (kernels / kernels.sum(dim=-1, keepdim=True))[:, None]
    return torch.addcmul(frames, amount[:, None, None, None], frames - kernels @ wide @ kernels.mT)


def aperture_numbers(aperture) -> tuple[float, ...]:
    """An `Aperture` as APERTURE numbers; without one, and for blades and an iris that it lacks, nothing is covered."""
    blades = [] if aperture is None else aperture.blades
    angles = [(math.radians(angle), reach) for angle, reach in blades]
    numbers = [number for angle, reach in angles for number in (math.cos(angle), math.sin(angle), reach)]
    numbers += (1.0, 0.0, _FAR) * (4 - len(blades))
    if aperture is None:
        return (*numbers, _FAR, 1.0, 1.0, 0.0)
    return (*numbers, _FAR if aperture.radius is None else aperture.radius, aperture.penumbra_px, aperture.leak, 1.0)


def transmission(numbers: Tensor, side: int, frame: Tensor, offset: Tensor) -> Tensor:
    """`Aperture.transmission` on a square part of the frame that the aperture belongs to.

    Args:
        numbers: (B, APERTURE), see `aperture_numbers`.
        side: of the part.
        frame: (B,) side of the square frame.
        offset: (B, 2) in pixels from the frame's middle to the part's.

    Returns:
        (B, side, side) float32.
    """
    half = (frame[:, None, None] - 1) / 2
    places = torch.arange(side, device=numbers.device, dtype=torch.float32) - (side - 1) / 2
    rows = (places + offset[:, :1])[:, :, None]
    columns = (places + offset[:, 1:])[:, None, :]
    radius, penumbra, leak = (numbers[:, place, None, None] for place in (12, 13, 14))
    inside = radius * (math.sqrt(2) * half) - torch.hypot(*torch.broadcast_tensors(rows, columns))
    for blade in range(4):
        x, y, reach = (numbers[:, 3 * blade + place, None, None] for place in range(3))
        inside = torch.minimum(inside, reach * half * (x.abs() + y.abs()) - (columns * x + rows * y))
    passed = 0.5 + 0.5 * torch.tanh(4.0 * inside / penumbra)
    return leak + (1.0 - leak) * passed


def toned(values: Tensor, tone: Tensor, domain: Tensor, quantised: bool) -> Tensor:
    """`Tone.apply` of frames (B, ..., S, S).

    Args:
        values: log intensities, native ones relative to that of the largest digital number.
        tone: (B, 3) exponent, compression (infinite for none) and bits.
        domain: (B, 3) anchor, low and high, see `effects.DOMAINS`.
        quantised: in the table's bits.
    """
    shape = (-1,) + (1,) * (values.ndim - 1)
    exponent, compression, bits = (tone[:, place].view(shape) for place in range(3))
    anchor, low, high = (domain[:, place].view(shape) for place in range(3))
    width = compression * (high - low)
    curved, compressed = exponent != 0, torch.isfinite(width)
    exponent, width = torch.where(curved, exponent, 1.0), torch.where(compressed, width, 1.0)

    def curve(z: Tensor) -> Tensor:
        z = z - anchor
        z = torch.where(curved, torch.expm1(exponent * z) / exponent, z)
        return torch.where(compressed, width * torch.tanh(z / width), z) + anchor

    values = curve(torch.minimum(torch.maximum(values, low), high))
    if not quantised:
        return values
    least, step = curve(low), (curve(high) - curve(low)) / (2.0**bits - 1)
    return torch.round((values - least) / step) * step + least
