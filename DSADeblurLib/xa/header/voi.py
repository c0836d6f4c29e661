"""Windows for the display of stored values (PS3.3 C.11.2). They are for the eye and never part of processing."""

from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from DSADeblurLib.xa.file.elements import items_of, numbers_of, raw_text, text_of, texts_of
from DSADeblurLib.xa.file.stored_pixels import StoredPixels

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
COUNT_DIFFERS = "Window Center/Width count differ; using auto window."


@dataclass(frozen=True)
class Window:
    """One window in frame values. `function` is LINEAR, LINEAR_EXACT or SIGMOID."""

    center: float
    width: float
    function: str = "LINEAR"
    explanation: str = ""


def read_windows(dataset: Dataset, stored: StoredPixels, rescaled: bool) -> tuple[tuple[Window, ...], tuple[str, ...]]:
    """Return the windows of a header for frame values, which may be shifted or inverted, and warnings.

    Args:
        dataset: the header.
        stored: how stored values become frame values.
        rescaled: windows are in units behind the Rescale, as in Secondary Capture; those of XA and RF are in stored
            values.

    Returns:
        The windows, which are alternatives, paired by index; what cannot be used is left out. And warnings.

    Source: PS3.3 C.11.2.1.2, C.11.2.1.3.
    """
    windows, warnings = _windows(dataset)
    if rescaled:
        windows = _before_rescale(dataset, windows)
    return tuple(_for_frames(one, stored) for one in windows), tuple(warnings)


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


def _for_frames(window: Window, stored: StoredPixels) -> Window:
    center = window.center + stored.zero
    if stored.inverted:
        # The half value of LINEAR changes sides with the direction.
        center = stored.top - center + (1 if window.function == "LINEAR" else 0)
    return replace(window, center=center)
