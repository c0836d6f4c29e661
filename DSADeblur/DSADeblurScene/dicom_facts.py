"""Finds the DICOM file behind a node and tells what its header says, and how Slicer's reader changed the values."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

import numpy as np
import slicer
from slicer.i18n import tr as _

from DSADeblurLib.user_facts import NOTHING_SAID, UserFacts


@dataclass(frozen=True)
class PixelRule:
    """How the reader's values follow from those the library reads: node = slope * stored + intercept.

    Slicer's reader (GDCM) applies Rescale Slope and Intercept, which for angiography must not come before a
    subtraction, and inverts MONOCHROME1; the methods undo and redo it, so that panel and shell work on the same values.
    """

    dtype: np.dtype
    bitsStored: int
    slope: float = 1.0
    intercept: float = 0.0

    def toStored(self, frame: np.ndarray) -> np.ndarray:
        """(rows, cols) as in the node, to values as stored in the file."""
        values = np.asarray(frame)
        if self.slope != 1 or self.intercept != 0:
            values = np.rint((values.astype(np.float64) - self.intercept) / self.slope)
        return np.clip(values, 0, 2**self.bitsStored - 1).astype(self.dtype)

    def toNode(self, frame: np.ndarray, dtype) -> np.ndarray:
        """(rows, cols) as stored, to values as the reader would show them, of the node's type."""
        values = np.asarray(frame)
        if self.slope != 1 or self.intercept != 0:
            values = values * self.slope + self.intercept
        return values.astype(dtype)


@dataclass(frozen=True)
class DicomFacts:
    """What is known of the file behind a run.

    path: the file, or "" when there is none.
    header: DSADeblurLib.xa header facts, or None.
    rule: how the node's values relate to the stored ones, or None to take them as they are.
    note: one sentence for the status line when something is missing, else "".
    acquisition: how the run was acquired by header and user, by the user alone without a header, or None.
    """

    path: str = ""
    header: object = None
    rule: PixelRule | None = None
    note: str = ""
    acquisition: object = None

    @property
    def relationship(self) -> str | None:
        return self.header.relationship if self.header else None

    @property
    def bitsStored(self) -> int | None:
        return self.header.bits_stored if self.header else None

    def framesToSubtract(self, frames, relationship: str | None):
        """(frames, relationship) to hand to `DSADeblurLib.xa.subtract`, from the frames of the node.

        relationship: of values that no header explains; without one they are subtracted as they are, like values for
            display.
        """
        stored = StoredFrames(frames, self.rule)
        if self.header is None:
            return stored, relationship or "DISP"
        from DSADeblurLib.xa import for_subtraction

        return for_subtraction(self.header, stored)


class StoredFrames:
    """Frames of a node with the values their file stores."""

    def __init__(self, frames, rule) -> None:
        self._frames = frames
        self._rule = rule
        self.shape = frames.shape
        self.dtype = rule.dtype if rule else frames.dtype

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, key) -> np.ndarray:
        if isinstance(key, slice):
            return np.stack([self[i] for i in range(*key.indices(len(self)))])
        if isinstance(key, (list, tuple, np.ndarray)):
            return np.stack([self[int(i)] for i in key])
        frame = self._frames[key]
        return self._rule.toStored(frame) if self._rule else frame


def factsForRun(run, said: UserFacts = NOTHING_SAID) -> DicomFacts:
    """Header facts of the file behind an InputRun. Never raises: what is missing is told in `note`.

    said: what the user says about the run, which overrides the header and is marked as the user's.
    """
    if not run.instanceUIDs:
        return _withoutHeader(
            said, _("No DICOM header behind this node: values are taken as they are, acquisition geometry is unknown.")
        )
    path = fileForInstance(run.instanceUIDs[0])
    if not path:
        return _withoutHeader(
            said, _("The DICOM file of this run is not in the database any more: acquisition facts are unknown.")
        )
    from DSADeblurLib.xa import XAReadError, read_header

    try:
        header = read_header(path, **said.as_dict())
    except XAReadError as error:
        return _withoutHeader(said, str(error), path)
    count = len(run.frames)
    if len(run.instanceUIDs) == 1 and header.number_of_frames != count:
        note = _("The node has {count} frames, its DICOM file {expected}: the header is not used.")
        return _withoutHeader(said, note.format(count=count, expected=header.number_of_frames), path)
    rule = _pixelRule(header)
    if rule and not _fits(rule, run.frames):
        note = _("The node's pixel values are not those of its DICOM file: they are taken as they are.")
        return _withoutHeader(said, note, path)
    return DicomFacts(path, header, rule, acquisition=header.acquisition)


def _withoutHeader(said: UserFacts, note: str, path: str = "") -> DicomFacts:
    if said.focal_spot_mm is None and said.magnification is None and said.detector_spacing_mm is None:
        return DicomFacts(path, note=note)
    # Imported here: pydicom is slow to import and only needed once a run was chosen.
    from pydicom.dataset import Dataset

    from DSADeblurLib.xa import XAReadError, read_acquisition

    try:
        acquisition = read_acquisition(Dataset(), said.focal_spot_mm, said.magnification, said.detector_spacing_mm)
    except XAReadError as error:
        return DicomFacts(path, note=f"{note} {error}")
    return DicomFacts(path, note=note, acquisition=acquisition)


def fileForInstance(uid: str) -> str:
    """The file of a SOP instance in Slicer's DICOM database, or "" when it is not there."""
    database = getattr(slicer, "dicomDatabase", None)
    if database is None:
        return ""
    path = database.fileForInstance(uid)
    return path if path and os.path.isfile(path) else ""


def _pixelRule(header) -> PixelRule | None:
    import pydicom

    layout = header.stored_pixels
    tags = ["PhotometricInterpretation", "RescaleSlope", "RescaleIntercept"]
    try:
        dataset = pydicom.dcmread(layout.path, stop_before_pixels=True, specific_tags=tags)
        slope = float(dataset.get("RescaleSlope", None) or 1)
        intercept = float(dataset.get("RescaleIntercept", None) or 0)
        readerInverts = dataset.PhotometricInterpretation == "MONOCHROME1"
    except Exception as error:  # read_header has accepted the file; an odd tag here only costs the rule
        logging.debug(f"No pixel rule for {layout.path}: {error}")
        return None
    # The library adds `zero` to the stored value and then inverts where the user chose so; the reader inverts
    # MONOCHROME1 and then rescales.
    intercept -= slope * layout.zero
    if readerInverts != layout.inverted:
        intercept += slope * layout.top
        slope = -slope
    dtype = np.dtype(np.uint8 if layout.bits_allocated <= 8 else np.uint16)
    return PixelRule(dtype, header.bits_stored, slope, intercept)


def _fits(rule: PixelRule, frames) -> bool:
    """Whether the node can hold values the reader made from this file: undoing and redoing gives them back."""
    frame = frames[len(frames) // 2]
    return np.array_equal(rule.toNode(rule.toStored(frame), frames.dtype), frame)
