"""Windows and tables that map values for display (PS3.3 C.11.2). They are for the eye and never part of processing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydicom.dataset import Dataset
from scipy.special import expit

from DSADeblurLib.xa.file.elements import items_of, numbers_of, raw_text, text_of, texts_of
from DSADeblurLib.xa.file.stored_pixels import PixelLayout
from DSADeblurLib.xa.header.lookup_table import LookupTable, read_table

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
COUNT_DIFFERS = "Window Center/Width count differ; using auto window."
_PERCENTILES = (0.5, 99.5)
_SAMPLED_FRAMES, _SAMPLES_PER_FRAME = 8, 100_000


@dataclass(frozen=True)
class Window:
    """One window in frame values. `function` is LINEAR, LINEAR_EXACT or SIGMOID."""

    center: float
    width: float
    function: str = "LINEAR"
    explanation: str = ""

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """Return grey levels, float32 of the same shape: 0 is black, 1 is white (C.11.2.1.2, C.11.2.1.3)."""
        values = np.asarray(frame, dtype=np.float64)
        if self.function == "SIGMOID":
            return expit(4 * (values - self.center) / self.width).astype(np.float32)
        half, width = (0.5, self.width - 1) if self.function == "LINEAR" else (0.0, self.width)
        offset = values - (self.center - half)
        if width == 0:
            return (offset > 0).astype(np.float32)
        return np.clip(offset / width + 0.5, 0, 1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class VoiTable:
    """One table of the VOI LUT Sequence, for frame values."""

    table: LookupTable

    @property
    def explanation(self) -> str:
        """What the header says the table is for."""
        return self.table.explanation

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """Return grey levels, float32 of the same shape: 0 is black, 1 is white (C.11.2.1.1)."""
        grey = self.table.of(frame) / ((1 << self.table.bits) - 1)
        return np.clip(grey, 0, 1).astype(np.float32)


def read_voi(
    dataset: Dataset, layout: PixelLayout, rescaled: bool
) -> tuple[tuple[Window | VoiTable, ...], tuple[str, ...]]:
    """Return the display choices of a header, windows before tables, and warnings.

    Several windows are alternatives, paired by index. `rescaled` says that windows are in units behind the Rescale,
    as in Secondary Capture; XA and RF windows are in stored values. What cannot be used is left out, and without any
    a percentile window is to be taken. All are returned for frame values, which may be shifted or inverted.
    """
    windows, warnings = _windows(dataset)
    if rescaled:
        windows = _before_rescale(dataset, windows)
    windows = [_for_frames(one, layout) for one in windows]
    tables = [read_table(item, layout) for item in items_of(dataset, "VOILUTSequence")]
    usable = [VoiTable(_mirrored(one, layout)) for one in tables if one is not None and not rescaled]
    return (*windows, *usable), tuple(warnings)


def _windows(dataset: Dataset) -> tuple[list[Window], list[str]]:
    centers, widths = numbers_of(dataset, "WindowCenter"), numbers_of(dataset, "WindowWidth")
    if centers == () and widths == ():
        return [], []
    if centers is None or widths is None:
        name = "Center" if centers is None else "Width"
        return [], [f"Window {name} '{raw_text(dataset, f'Window{name}')}' unusable; using auto window."]
    if len(centers) != len(widths):
        return [], [COUNT_DIFFERS]
    function = text_of(dataset, "VOILUTFunction") or "LINEAR"
    if function not in FUNCTIONS:
        return [], ["VOI LUT Function unknown; using auto window."]
    if min(widths) < 1 if function == "LINEAR" else min(widths) <= 0:
        return [], [f"Window Width '{raw_text(dataset, 'WindowWidth')}' unusable; using auto window."]
    explanations = texts_of(dataset, "WindowCenterWidthExplanation")
    explanations += ("",) * (len(centers) - len(explanations))
    return [Window(*one) for one in zip(centers, widths, (function,) * len(centers), explanations, strict=False)], []


def _before_rescale(dataset: Dataset, windows: list[Window]) -> list[Window]:
    slope, intercept = numbers_of(dataset, "RescaleSlope") or (1.0,), numbers_of(dataset, "RescaleIntercept") or (0.0,)
    if items_of(dataset, "ModalityLUTSequence") or slope[0] <= 0:
        return []
    if slope[0] == 1:
        return [replace(one, center=one.center - intercept[0]) for one in windows]
    scaled = []
    for one in windows:
        # LINEAR is LINEAR_EXACT half a value lower and one value narrower, and only that can be scaled.
        center, width = (one.center - 0.5, one.width - 1) if one.function == "LINEAR" else (one.center, one.width)
        function = "LINEAR_EXACT" if one.function == "LINEAR" else one.function
        scaled.append(Window((center - intercept[0]) / slope[0], width / slope[0], function, one.explanation))
    return scaled


def _for_frames(window: Window, layout: PixelLayout) -> Window:
    center = window.center + layout.zero
    if layout.inverted:
        # The half value of LINEAR changes sides with the direction.
        center = layout.top - center + (1 if window.function == "LINEAR" else 0)
    return replace(window, center=center)


def _mirrored(table: LookupTable, layout: PixelLayout) -> LookupTable:
    """Return the table with black and white exchanged where values were inverted: MONOCHROME1 shows it that way."""
    return replace(table, values=((1 << table.bits) - 1) - table.values) if layout.inverted else table


def percentile_window(frames: Sequence[np.ndarray], exposed: np.ndarray | None = None) -> Window:
    """Return the window from the 0.5 to the 99.5 percentile of up to eight frames, (n, rows, columns).

    `exposed`, bool (rows, columns), leaves out what lies behind shutters; values that are not finite are left out too.
    """
    count = len(frames)
    samples = []
    for index in np.unique(np.linspace(0, count - 1, min(count, _SAMPLED_FRAMES)).round().astype(int)):
        frame = np.asarray(frames[int(index)])
        values = frame[exposed] if exposed is not None else frame.ravel()
        values = values[:: max(1, len(values) // _SAMPLES_PER_FRAME)].astype(np.float64)
        samples.append(values[np.isfinite(values)])
    together = np.concatenate(samples)
    if not len(together):
        return Window(0.5, 1.0, "LINEAR_EXACT", "auto")
    low, high = np.percentile(together, _PERCENTILES)
    # A flat image has no range; any width shows it as grey.
    return Window(float((low + high) / 2), float(high - low) or 1.0, "LINEAR_EXACT", "auto")


def for_display(frame: np.ndarray, voi: Window | VoiTable) -> np.ndarray:
    """Return grey levels of a frame, float32 (rows, columns): 0 is black, 1 is white."""
    return voi.apply(frame)
