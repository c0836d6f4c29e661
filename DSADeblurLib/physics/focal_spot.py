"""Focal-spot shapes: analytic optical transfer function, discrete kernel and IEC 60336 size limits.

    FocalSpot(width_mm, length_mm, shape='rectangle', rotation_deg=0.0, line_fraction=1/3, slope_fraction=0.5)
        .otf(fu, fv) -> ndarray            real; fu along columns, fv along rows, cycles/mm in the spot plane
        .mtf(fu, fv) -> ndarray            |otf|
        .psf(magnification, spacing_mm) -> float32 (odd, odd), sums to 1
        .half_extent_mm() -> (x, y)        half size of the box round the spot
        .equivalent_widths_mm() -> (x, y)  widths of the rectangle of the same variance
        .iec_widths_mm() -> (width, length) at 15 % of the maximum
        .scaled(factor) -> FocalSpot
        .source_points(n_width, n_length) -> (n, 2) float64, equally weighted points (x, y) of the spot, mm
        .otf_factors() -> (10,) numbers that the OTF is made of, for operators on batches of spots
    focal_spot_from_iec(width_mm, length_mm, shape, rotation_deg) -> FocalSpot   from 15 % widths
    iec_60336_limits(nominal_mm) -> ((width_min, width_max), (length_min, length_max))
    random_focal_spot(rng, nominal_mm, shapes=SHAPES) -> FocalSpot

Axes: x runs along a frame's columns (to the right), y along its rows (downwards). At rotation 0 the width lies along
x and the length along y; a positive rotation turns +x towards +y. All shapes are symmetric about their centre, so
every OTF is real.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import erf, erfinv

from DSADeblurLib.physics.geometry import blur_in_pixels

SHAPES = ("rectangle", "gaussian", "two-line", "trapezoid")
# The small focus of angiographic tubes, which large ones are restored to.
TARGET_SPOT_MM = 0.3
# Of `expected_width_mm`; within 3 % for nominal values from 0.4 to 1.2.
USUAL_OVER_NOMINAL = 1.4

_SIGMA_PER_FWHM = 1.0 / (2.0 * math.sqrt(2.0 * math.log(2.0)))
# A Gaussian has no edge; beyond this many standard deviations 0.05 % of its intensity is left.
_GAUSSIAN_CUT = 3.5
# IEC 60336 measures a focal spot where its line spread function has fallen to this fraction of its maximum.
_IEC_LEVEL = 0.15
_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)
_KERNEL_POINTS = 2**18


@dataclass(frozen=True)
class FocalSpot:
    """Intensity distribution of an X-ray source as seen from the detector, of unit total intensity.

    The distribution is a product of one profile across the width and one along the length:

    ============= ========================================= =============================================
    shape         across the width w                        along the length l
    ============= ========================================= =============================================
    rectangle     uniform, w wide                           uniform, l long
    gaussian      Gaussian, FWHM w                          Gaussian, FWHM l
    two-line      two uniform lines, w from outer edge to   uniform, l long
                  outer edge, each line_fraction * w wide
    trapezoid     FWHM w, flat top (1 - slope_fraction) w,  FWHM l, the same slope_fraction
                  base (1 + slope_fraction) w
    ============= ========================================= =============================================

    width_mm, length_mm: > 0, in mm in the plane of the effective focal spot (perpendicular to the central ray).
    rotation_deg: angle of the width axis against a frame's column direction (x), towards increasing rows (y).
    line_fraction: 0 < value <= 0.5 (two-line only). slope_fraction: 0 <= value <= 1 (trapezoid only).

    Raises ValueError in one sentence for sizes, shapes or fractions outside these ranges.

    Measured focal spots are double-peaked across the width (two edges of the filament image) and nearly uniform or
    bell-shaped along the length: K. Doi, L.-N. Loo, H.-P. Chan, "X-ray tube focal spot sizes: comprehensive
    studies of their measurement and effect of measured size in angiography", Radiology 144 (1982) 383-393.
    """

    width_mm: float
    length_mm: float
    shape: str = "rectangle"
    rotation_deg: float = 0.0
    line_fraction: float = 1.0 / 3.0
    slope_fraction: float = 0.5

    def __post_init__(self) -> None:
        for name, value in (("width", self.width_mm), ("length", self.length_mm)):
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"The focal spot {name} must be a positive number of mm, not {value}.")
        if self.shape not in SHAPES:
            raise ValueError(f"Unknown focal spot shape '{self.shape}'; use one of {', '.join(SHAPES)}.")
        if not math.isfinite(self.rotation_deg):
            raise ValueError(f"The focal spot rotation must be a finite number of degrees, not {self.rotation_deg}.")
        if not 0 < self.line_fraction <= 0.5:
            raise ValueError(f"The line fraction must lie in (0, 0.5], not {self.line_fraction}.")
        if not 0 <= self.slope_fraction <= 1:
            raise ValueError(f"The slope fraction must lie in [0, 1], not {self.slope_fraction}.")

    def otf(self, fu, fv) -> np.ndarray:
        """Return the real OTF at spot-plane frequencies fu (along columns) and fv (along rows), cycles/mm.

        fu, fv: arrays that broadcast together, for instance (1, n) and (m, 1). Returns float64 (float32 for float32
        frequencies) of the broadcast shape; otf(0, 0) = 1. At the detector, OTF_detector(u, v) = otf(u (M - 1),
        v (M - 1)).
        """
        fu, fv = as_frequencies(fu, fv)
        cos, sin = self._direction()
        # Kept apart so that unrotated spots stay separable: each factor is then evaluated on a vector only.
        across = fu if sin == 0 else (fv * sin if cos == 0 else fu * cos + fv * sin)
        along = fv if sin == 0 else (fu * -sin if cos == 0 else fv * cos - fu * sin)
        return self._width_otf(across) * self._length_otf(along)

    def mtf(self, fu, fv) -> np.ndarray:
        """Return the modulus of the OTF, same arguments as `otf`."""
        return np.abs(self.otf(fu, fv))

    def otf_factors(self) -> tuple[float, ...]:
        """Return (cos, sin) of the rotation, then (a, b, c, d) across the width and the same along the length.

        Each profile of every shape has the OTF sinc(a f) sinc(b f) cos(pi c f) exp(-d f^2), so that spots of unlike
        shapes can be evaluated together.
        """
        width, length, line = self.width_mm, self.length_mm, self.line_fraction * self.width_mm
        bell = 2.0 * (math.pi * _SIGMA_PER_FWHM) ** 2
        across, along = {
            "rectangle": ((width, 0.0, 0.0, 0.0), (length, 0.0, 0.0, 0.0)),
            "gaussian": ((0.0, 0.0, 0.0, bell * width**2), (0.0, 0.0, 0.0, bell * length**2)),
            "two-line": ((line, 0.0, width - line, 0.0), (length, 0.0, 0.0, 0.0)),
            "trapezoid": tuple((size, self.slope_fraction * size, 0.0, 0.0) for size in (width, length)),
        }[self.shape]
        return (*self._direction(), *across, *along)

    def half_extent_mm(self) -> tuple[float, float]:
        """Return half the size (x, y) in mm of the box that holds the spot (a Gaussian to 3.5 standard deviations)."""
        half_width, half_length = self._half_sizes()
        cos, sin = (abs(value) for value in self._direction())
        return half_width * cos + half_length * sin, half_width * sin + half_length * cos

    def equivalent_widths_mm(self) -> tuple[float, float]:
        """Return the widths (x, y) in mm of the rectangle with the spot's variance along x and along y.

        One measure for all shapes and rotations; for an unrotated rectangle its own width and length.
        """
        width, length = self._width_factor() * self.width_mm, self._profile_factor() * self.length_mm
        cos, sin = self._direction()
        return math.hypot(width * cos, length * sin), math.hypot(width * sin, length * cos)

    def iec_widths_mm(self) -> tuple[float, float]:
        """Return width and length in mm at the level at which IEC 60336 measures them (see `focal_spot_from_iec`)."""
        factor = _iec_factor(self.shape, self.slope_fraction)
        return self.width_mm * factor, self.length_mm * factor

    def scaled(self, factor: float) -> FocalSpot:
        """Return the spot `factor` times as wide and as long."""
        return replace(self, width_mm=self.width_mm * factor, length_mm=self.length_mm * factor)

    def psf(self, magnification: float, spacing_mm) -> np.ndarray:
        """Return the spot's image at the detector as a small kernel, (odd, odd) float32, that sums to 1.

        magnification: M >= 1 of the blurred plane; the image is the spot scaled by M - 1. spacing_mm: detector pixel
        size, one number or (row, col). Each element is the intensity integrated over its pixel, so the kernel's
        transform is the spot's OTF times the sinc of one pixel (plus aliasing). M = 1 gives [[1]].
        """
        scale = _checked_scale(magnification)
        row_mm, col_mm = checked_spacing(spacing_mm)
        if scale == 0:
            return np.ones((1, 1), dtype=np.float32)
        half_x, half_y = (scale * half for half in self.half_extent_mm())
        columns, rows = (max(0, math.ceil(half / size - 0.5)) for half, size in ((half_x, col_mm), (half_y, row_mm)))
        x_edges = (np.arange(2 * columns + 2) - columns - 0.5) * col_mm / scale
        y_edges = (np.arange(2 * rows + 2) - rows - 0.5) * row_mm / scale
        cos, sin = self._direction()
        if sin == 0 or cos == 0:
            # Axis-aligned: the integral over a pixel is a difference of cumulative distributions.
            x_cdf, y_cdf = (self._width_cdf, self._length_cdf) if sin == 0 else (self._length_cdf, self._width_cdf)
            kernel = np.outer(np.diff(y_cdf(y_edges)), np.diff(x_cdf(x_edges)))
        else:
            # A golden-ratio lattice of source points: unlike a grid it makes no moire with the pixels.
            index = np.arange(_KERNEL_POINTS)
            points = self._place(
                self._width_quantile((index + 0.5) / _KERNEL_POINTS), self._length_quantile((index * _GOLDEN + 0.5) % 1)
            )
            kernel = np.histogram2d(points[:, 1], points[:, 0], bins=(y_edges, x_edges))[0]
            kernel = kernel + kernel[::-1, ::-1]
        return (kernel / kernel.sum()).astype(np.float32)

    def source_points(self, n_width: int, n_length: int) -> np.ndarray:
        """Return n_width * n_length points (x, y) of the spot in mm, (n, 2) float64, of equal intensity each.

        Take even numbers for two lines, so that each line gets half of the points.
        """
        across = self._width_quantile((np.arange(n_width) + 0.5) / n_width)
        along = self._length_quantile((np.arange(n_length) + 0.5) / n_length)
        return self._place(*(grid.ravel() for grid in np.meshgrid(across, along)))

    def _place(self, across: np.ndarray, along: np.ndarray) -> np.ndarray:
        cos, sin = self._direction()
        return np.stack((across * cos - along * sin, across * sin + along * cos), axis=1)

    def _direction(self) -> tuple[float, float]:
        quarter, rest = divmod(self.rotation_deg, 90.0)
        if rest == 0:  # exact, so that a quarter turn swaps the axes without rounding
            return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarter) % 4]
        angle = math.radians(self.rotation_deg)
        return math.cos(angle), math.sin(angle)

    def _half_sizes(self) -> tuple[float, float]:
        factor = {"gaussian": _GAUSSIAN_CUT * _SIGMA_PER_FWHM, "trapezoid": 0.5 * (1 + self.slope_fraction)}
        half = factor.get(self.shape, 0.5)
        return half * self.width_mm, half * self.length_mm

    def _profile_factor(self) -> float:
        # sqrt(12) standard deviations of a profile of width 1.
        factor = {"gaussian": math.sqrt(12.0) * _SIGMA_PER_FWHM, "trapezoid": math.hypot(1.0, self.slope_fraction)}
        return factor.get(self.shape, 1.0)

    def _width_factor(self) -> float:
        if self.shape == "two-line":
            line = self.line_fraction
            return math.sqrt(line**2 + 3.0 * (1.0 - line) ** 2)
        return self._profile_factor()

    def _width_otf(self, f: np.ndarray) -> np.ndarray:
        if self.shape == "two-line":
            line = self.line_fraction * self.width_mm
            return np.sinc(line * f) * np.cos(math.pi * (self.width_mm - line) * f)
        return self._profile_otf(f, self.width_mm)

    def _length_otf(self, f: np.ndarray) -> np.ndarray:
        return self._profile_otf(f, self.length_mm)

    def _profile_otf(self, f: np.ndarray, size: float) -> np.ndarray:
        if self.shape == "gaussian":
            return np.exp(-2.0 * (math.pi * _SIGMA_PER_FWHM * size * f) ** 2)
        box = np.sinc(size * f)
        # A trapezoid is a box convolved with a shorter box.
        return box * np.sinc(self.slope_fraction * size * f) if self.shape == "trapezoid" else box

    def _width_cdf(self, x: np.ndarray) -> np.ndarray:
        if self.shape == "two-line":
            line = self.line_fraction * self.width_mm
            centre = 0.5 * (self.width_mm - line)
            return 0.5 * (_box_cdf(x + centre, line) + _box_cdf(x - centre, line))
        return self._profile_cdf(x, self.width_mm)

    def _length_cdf(self, x: np.ndarray) -> np.ndarray:
        return self._profile_cdf(x, self.length_mm)

    def _profile_cdf(self, x: np.ndarray, size: float) -> np.ndarray:
        if self.shape == "gaussian":
            return 0.5 * (1.0 + erf(x / (math.sqrt(2.0) * _SIGMA_PER_FWHM * size)))
        if self.shape == "trapezoid" and self.slope_fraction > 0:
            # Integral of the box's cumulative distribution over the shorter box.
            slope = self.slope_fraction * size
            return (_box_cdf_integral(x + slope / 2, size) - _box_cdf_integral(x - slope / 2, size)) / slope
        return _box_cdf(x, size)

    def _width_quantile(self, p: np.ndarray) -> np.ndarray:
        if self.shape == "two-line":
            gap = (1 - 2 * self.line_fraction) * self.width_mm
            return (2 * self.line_fraction * (p - 0.5)) * self.width_mm + 0.5 * gap * np.where(p < 0.5, -1.0, 1.0)
        return self._profile_quantile(p, self.width_mm)

    def _length_quantile(self, p: np.ndarray) -> np.ndarray:
        return self._profile_quantile(p, self.length_mm)

    def _profile_quantile(self, p: np.ndarray, size: float) -> np.ndarray:
        if self.shape == "gaussian":
            return math.sqrt(2.0) * _SIGMA_PER_FWHM * size * erfinv(2.0 * p - 1.0)
        if self.shape == "trapezoid" and self.slope_fraction > 0:
            # Parabolic on the slope, straight on the flat top.
            slope, tail = self.slope_fraction, np.minimum(p, 1.0 - p)
            on_slope = np.sqrt(2.0 * slope * tail) - 0.5 * (1.0 + slope)
            magnitude = np.where(tail < 0.5 * slope, on_slope, tail - 0.5)
            return -np.sign(p - 0.5) * magnitude * size
        return (p - 0.5) * size


def focal_spot_from_iec(
    width_mm: float, length_mm: float, shape: str = "rectangle", rotation_deg: float = 0.0
) -> FocalSpot:
    """Return the FocalSpot whose line spread functions are width_mm and length_mm wide at 15 % of their maximum.

    IEC 60336 defines the focal spot's dimensions at that level. Uniform shapes have the same width at every level;
    a Gaussian of FWHM w is 1.654 w wide there, the trapezoid (1 + 0.7 slope_fraction) w.
    """
    factor = _iec_factor(shape, FocalSpot.slope_fraction)
    return FocalSpot(width_mm / factor, length_mm / factor, shape, rotation_deg)


def iec_60336_limits(nominal_mm: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return ((width_min, width_max), (length_min, length_max)) in mm for a nominal focal spot value, 0.1 to 3.0.

    Written as the rule behind IEC 60336's table of permissible dimensions (2005, table 3; NEMA XR 5 has the same):
    the width lies between the nominal value f and f + 50 % below 0.8, + 40 % from 0.8 to 1.5 and + 30 % above; from
    0.3 upwards the length may be longer by 1 / 0.7. The standard itself was not at hand to check every entry: its
    table rounds to 0.05 or 0.1 mm, so entries may differ from the rule by that much. Entries quoted in public agree
    to 0.05 mm: 1.0 -> length up to 2.0 mm; 0.6 -> 0.60-0.90 by 0.90-1.30 mm. Raises ValueError outside 0.1 to 3.0.
    """
    if not 0.1 <= nominal_mm <= 3.0:
        raise ValueError(f"IEC 60336 has nominal focal spot values from 0.1 to 3.0, not {nominal_mm}.")
    tolerance = 1.5 if nominal_mm < 0.8 else 1.4 if nominal_mm <= 1.5 else 1.3
    stretch = 1.0 / 0.7 if nominal_mm >= 0.3 else 1.0
    width = (float(nominal_mm), nominal_mm * tolerance)
    return width, (width[0] * stretch, width[1] * stretch)


def expected_width_mm(nominal_mm: float) -> float:
    """Return the usual width in mm, of the rectangle of the same variance, of a spot of this nominal value.

    The geometric mean over all directions, shapes and sizes that `random_focal_spot` draws: IEC 60336 allows widths
    above the nominal value only, and lengths far above it.
    """
    return USUAL_OVER_NOMINAL * nominal_mm


def removable_blur_in_pixels(nominal_mm: float, magnification: float, spacing_mm: float) -> float:
    """Return the usual width in pixels of what a spot of this nominal value blurs more than the target spot does.

    Widths are those of rectangles of the same variance; variances are subtracted. 0 for spots that are no larger.
    """
    usual = expected_width_mm(nominal_mm)
    if usual <= TARGET_SPOT_MM:
        return 0.0
    return blur_in_pixels(math.sqrt(usual**2 - TARGET_SPOT_MM**2), magnification, spacing_mm)


def random_focal_spot(rng: np.random.Generator, nominal_mm: float, shapes: tuple[str, ...] = SHAPES) -> FocalSpot:
    """Return a focal spot that a tube of this nominal value may have under IEC 60336.

    Width and length at the 15 % level are drawn uniformly and independently within `iec_60336_limits`, the shape
    uniformly from `shapes`, the rotation uniformly from [0, 180) degrees (C-arms turn tube and detector).
    """
    (width_low, width_high), (length_low, length_high) = iec_60336_limits(nominal_mm)
    width, length = rng.uniform(width_low, width_high), rng.uniform(length_low, length_high)
    shape = shapes[int(rng.integers(len(shapes)))]
    return focal_spot_from_iec(float(width), float(length), shape, float(rng.uniform(0.0, 180.0)))


def checked_spacing(spacing_mm) -> tuple[float, float]:
    """Return a pixel spacing given as one number or as (row, col) as two positive floats in mm."""
    row_mm, col_mm = (float(value) for value in np.broadcast_to(np.asarray(spacing_mm, dtype=np.float64), (2,)))
    if not (math.isfinite(row_mm) and math.isfinite(col_mm) and row_mm > 0 and col_mm > 0):
        raise ValueError(f"The pixel spacing must be positive, in mm, not {spacing_mm}.")
    return row_mm, col_mm


def _iec_factor(shape: str, slope_fraction: float) -> float:
    """Width at IEC 60336's level over the width that describes the shape."""
    return {
        "gaussian": math.sqrt(math.log(1.0 / _IEC_LEVEL) / math.log(2.0)),
        "trapezoid": 1.0 + (1.0 - 2.0 * _IEC_LEVEL) * slope_fraction,
    }.get(shape, 1.0)


def as_frequencies(fu, fv) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies as float64 arrays, or as float32 where both are that already."""
    fu, fv = np.asarray(fu), np.asarray(fv)
    dtype = np.float32 if fu.dtype == fv.dtype == np.float32 else np.float64
    return fu.astype(dtype, copy=False), fv.astype(dtype, copy=False)


def _checked_scale(magnification: float) -> float:
    if not (math.isfinite(magnification) and magnification >= 1):
        raise ValueError(f"The magnification must be 1 or more, not {magnification}.")
    return float(magnification) - 1.0


def _box_cdf(x: np.ndarray, size: float) -> np.ndarray:
    return np.clip(x / size + 0.5, 0.0, 1.0)


def _box_cdf_integral(x: np.ndarray, size: float) -> np.ndarray:
    inside = np.clip(x, -0.5 * size, 0.5 * size)
    return (inside + 0.5 * size) ** 2 / (2.0 * size) + np.maximum(x - 0.5 * size, 0.0)
