"""How C-arm and table stood and moved during a run: one value per frame (PS3.3 C.8.7.4, C.8.7.5.1.3)."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from DSADeblurLib.xa.file.elements import numbers_of, text_of

# Angles and positions are written with few digits; less than this is standing still.
STILL_DEGREES, _STILL_MM = 0.1, 0.1
_AXES = (
    ("primary_angles", "PositionerPrimaryAngleIncrement", "PositionerPrimaryAngle"),
    ("secondary_angles", "PositionerSecondaryAngleIncrement", "PositionerSecondaryAngle"),
    ("table_vertical", "TableVerticalIncrement", ""),
    ("table_longitudinal", "TableLongitudinalIncrement", ""),
    ("table_lateral", "TableLateralIncrement", ""),
)


@dataclass(frozen=True, eq=False)
class Motion:
    """Angles in degrees and table positions in mm relative to frame 1, float64 (n,) each; None where not known."""

    primary_angles: np.ndarray | None = None
    secondary_angles: np.ndarray | None = None
    table_vertical: np.ndarray | None = None
    table_longitudinal: np.ndarray | None = None
    table_lateral: np.ndarray | None = None
    positioner_moved: bool = False
    table_moved: bool = False

    @property
    def moved(self) -> bool:
        """Whether anything moved, so that no frame is a mask for another."""
        return self.positioner_moved or self.table_moved

    def as_dict(self) -> dict:
        """Return plain, JSON-able values."""
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}


def read_motion(dataset: Dataset, frames: int) -> tuple[Motion, tuple[str, ...]]:
    """Return the motion of a run, and warnings.

    Angles belong to frame 1. One increment is the step from each frame to the next, several are offsets from frame 1.

    Args:
        dataset: the header.
        frames: how many the run has.

    Source: PS3.3 C.8.7.4, C.8.7.5.1.3.
    """
    values: dict[str, np.ndarray | None] = {}
    warnings = []
    for name, increment, start in _AXES:
        offsets, problem = _offsets(dataset, increment, frames)
        if problem:
            warnings.append(problem)
        first = numbers_of(dataset, start) if start else (0.0,)
        if first is None or len(first) != 1 or (not start and offsets is None):
            values[name] = None
        else:
            # Without increments a C-arm that is said to stand still has one angle; of a moving one only the first.
            known = offsets if offsets is not None else np.zeros(frames)
            moving = offsets is None and frames > 1 and text_of(dataset, "PositionerMotion") == "DYNAMIC"
            values[name] = None if moving else first[0] + known
    positioner = text_of(dataset, "PositionerMotion") == "DYNAMIC" or any(
        _range(values[name]) > STILL_DEGREES for name in ("primary_angles", "secondary_angles")
    )
    table = text_of(dataset, "TableMotion") == "DYNAMIC" or any(
        _range(values[name]) > _STILL_MM for name in ("table_vertical", "table_longitudinal", "table_lateral")
    )
    return Motion(**values, positioner_moved=positioner, table_moved=table), tuple(warnings)


def _offsets(dataset: Dataset, keyword: str, frames: int) -> tuple[np.ndarray | None, str]:
    increments = numbers_of(dataset, keyword)
    if increments == ():
        return None, ""
    if increments is None:
        return None, f"{keyword} unusable."
    if len(increments) == 1:
        return increments[0] * np.arange(frames), ""
    if len(increments) != frames:
        return None, f"{keyword} has {len(increments)} values for {frames} frames."
    return np.array(increments), ""


def _range(values: np.ndarray | None) -> float:
    return 0.0 if values is None else float(np.ptp(values))
