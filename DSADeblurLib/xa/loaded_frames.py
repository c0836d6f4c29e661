"""Frames that another program has read from a DICOM file, as a run: their header, and the stored values behind them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.lazy_frames import Frames, MappedFrames
from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa.header.header import RunHeader, read_header
from DSADeblurLib.xa.run import Run


@dataclass(frozen=True)
class ReaderRule:
    """How a reader's values follow from the stored ones of this library: shown = slope * stored + intercept.

    Slicer's reader (GDCM) applies Rescale Slope and Intercept, which for angiography must not come before a
    subtraction, and inverts MONOCHROME1; the methods undo and redo that.
    """

    dtype: np.dtype
    bits_stored: int
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def changes_values(self) -> bool:
        """Whether the reader's values are others than the stored ones."""
        return self.slope != 1 or self.intercept != 0

    def stored(self, frame: np.ndarray) -> np.ndarray:
        """(rows, columns) as shown, to values as stored in the file."""
        values = np.asarray(frame)
        if self.changes_values:
            values = np.rint((values.astype(np.float64) - self.intercept) / self.slope)
        return np.clip(values, 0, 2**self.bits_stored - 1).astype(self.dtype)

    def shown(self, frame: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """(rows, columns) as stored, to values as the reader would show them, of its type."""
        values = np.asarray(frame)
        if self.changes_values:
            values = values * self.slope + self.intercept
        return values.astype(dtype)

    def fits(self, frames: Frames) -> bool:
        """Whether the reader can have made these frames from the file: undoing and redoing gives them back."""
        frame = np.asarray(frames[len(frames) // 2])
        return np.array_equal(self.shown(self.stored(frame), frame.dtype), frame)


def stored_values(frames: Frames, rule: ReaderRule) -> MappedFrames:
    """Frames as a reader shows them, (n, rows, columns), with the values that their file stores."""
    return MappedFrames(frames, rule.stored, rule.dtype)


@dataclass(frozen=True)
class LoadedRun:
    """A run of frames that another program has read.

    Attributes:
        run: with the values of its file where it has one, else as they came.
        rule: how the reader's values follow from those of `run`; None where they are the same.
        note: one sentence about what is not known of it, or "".
    """

    run: Run
    rule: ReaderRule | None
    note: str = ""


def loaded_run(
    frames: Frames, path: str | Path, facts: UserFacts, note: str = "", several_files: bool = False
) -> LoadedRun:
    """Find out what frames are that were read by another program.

    Args:
        frames: array-like (n, rows, columns).
        path: the DICOM file they were read from, or "" where there is none.
        facts: what the user says of them.
        note: why there is no file, if there is none.
        several_files: the frames come from several files, of which this is the first.

    Returns:
        The run. Where the file does not go with the frames, or cannot be read, they are taken as they are.
    """

    def as_they_are(note: str) -> LoadedRun:
        return LoadedRun(Run.from_frames(frames, None, facts), None, note)

    if not path:
        return as_they_are(note)
    try:
        header = read_header(path, facts)
    except XAReadError as error:
        return as_they_are(str(error))
    if header.number_of_frames != len(frames) and not several_files:
        held = header.number_of_frames
        return as_they_are(f"The node has {len(frames)} frames, its DICOM file {held}: the header is not used.")
    rule = reader_rule(header)
    if rule is None:
        return LoadedRun(Run.from_frames(frames, header, facts), None)
    if not rule.fits(frames):
        return as_they_are("The node's pixel values are not those of its DICOM file: they are taken as they are.")
    return LoadedRun(Run.from_frames(stored_values(frames, rule), header, facts), rule)


def reader_rule(header: RunHeader) -> ReaderRule | None:
    """How Slicer's reader changes the values of a file; None where that cannot be told."""
    pixels = header.stored_pixels
    tags = ["PhotometricInterpretation", "RescaleSlope", "RescaleIntercept"]
    try:
        with pixels.file.opened() as file, file.at(0) as stream:
            dataset = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=tags)
        slope = float(dataset.get("RescaleSlope", None) or 1)
        intercept = float(dataset.get("RescaleIntercept", None) or 0)
        inverts = dataset.PhotometricInterpretation == "MONOCHROME1"
    except Exception:  # read_header has accepted the file; an odd tag here only costs the rule
        return None
    # The library adds `zero` to the stored value and then inverts where the user chose so; the reader inverts
    # MONOCHROME1 and then rescales.
    intercept -= slope * pixels.zero
    if inverts != pixels.inverted:
        intercept += slope * pixels.top
        slope = -slope
    dtype = np.dtype("uint8" if pixels.bits_allocated <= 8 else "uint16")
    return ReaderRule(dtype, pixels.bits_stored, slope, intercept)
