"""Frames that another program has read from DICOM files, as a run: their header, and the stored values behind them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.lazy_frames import Frames, LazyFrames
from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa.header.header import RunHeader, read_header
from DSADeblurLib.xa.one_frame_files import read_files, runs_of
from DSADeblurLib.xa.run import Run

_OTHER_VALUES = "The node's pixel values are not those of its DICOM file: they are taken as they are."


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


class StoredValues(LazyFrames):
    """Frames as a reader shows them, (n, rows, columns), with the values that their file stores."""

    def __init__(self, frames: Frames, rule: ReaderRule) -> None:
        self.shape, self.dtype = frames.shape, rule.dtype
        self._frames, self._rule = frames, rule
        self._clipped = False

    def frame(self, index: int) -> np.ndarray:
        shown = self._frames[index]
        stored = self._rule.stored(shown)
        self._clipped |= not np.array_equal(self._rule.shown(stored, shown.dtype), shown)
        return stored

    def remarks(self) -> list[str]:
        if not self._clipped:
            return []
        return ["Some of the node's pixel values are none that its DICOM file can store: the nearest were taken."]


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
    frames: Frames, files: Sequence[str | Path], facts: UserFacts, note: str = "", *, at_a_glance: bool = False
) -> LoadedRun:
    """Find out what frames are that were read by another program.

    Args:
        frames: array-like (n, rows, columns).
        files: the DICOM file they were read from, or the one-frame files in any order; none where there are none.
        facts: what the user says of them.
        note: why there is no file, if there is none.
        at_a_glance: for a display: of several files the first is read and no other, and what only all of them tell,
            such as times, stays unknown.

    Returns:
        The run. Where the files do not go with the frames, or cannot be read, they are taken as they are.
    """

    def as_they_are(note: str) -> LoadedRun:
        return LoadedRun(Run.from_frames(frames, None, facts), None, note)

    if not files:
        return as_they_are(note)
    several = len(files) > 1
    try:
        header: RunHeader = read_header(files[0], facts)
        held = len(files) if several else header.number_of_frames
        if held != len(frames):
            whose = "files" if several else "file"
            return as_they_are(f"The node has {len(frames)} frames, its DICOM {whose} {held}: the header is not used.")
        rule = reader_rule(header)
        if rule is not None and not rule.fits(frames):
            return as_they_are(_OTHER_VALUES)
        if several and not at_a_glance:
            header = _header_of_all(frames if rule is None else StoredValues(frames, rule), files, facts)
    except XAReadError as error:
        return as_they_are(str(error))
    return LoadedRun(Run.from_frames(frames if rule is None else StoredValues(frames, rule), header, facts), rule)


def _header_of_all(frames: Frames, files: Sequence[str | Path], facts: UserFacts) -> Run:
    """What one-frame files say of their stored frames, (n, rows, columns), in the order of these.

    Which frame came from which file is told by the pixels: in which order a program reads files is its own affair.

    Raises:
        XAReadError: one sentence, where the files are not of one run, are others than the frames', or cannot be read.
    """
    runs = runs_of(map(Path, files))
    if len(runs) > 1 or len(runs[0]) != len(files):
        raise XAReadError(f"The {len(files)} DICOM files of the node are not those of one run: no header is used.")
    run = read_files(runs[0], facts)
    places: dict[bytes, list[int]] = {}
    for index in reversed(range(len(files))):
        places.setdefault(_digest(run.frames[index]), []).append(index)
    found = [places.get(_digest(frame)) for frame in frames]
    order = [indices.pop() for indices in found if indices]
    if len(order) < len(files):
        raise XAReadError(_OTHER_VALUES)
    if order == sorted(order):
        return run
    # Where the order is not that of the acquisition, no time is that of a frame of this number.
    return dataclasses.replace(
        run,
        source=dataclasses.replace(run.source, instances=tuple(run.source.instances[index] for index in order)),
        times=None,
        warnings=(*run.warnings, "The node's frames are not in the order in which they were taken."),
    )


def _digest(frame: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(frame).data).digest()


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
