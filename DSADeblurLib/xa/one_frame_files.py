"""One-frame files of one series as one run: which belong together, in which order, when, and their frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydicom import dcmread

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.lazy_frames import LazyFrames
from DSADeblurLib.regular_file import sha256_of
from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa.file.dataset import XA_IMAGE, XRF_IMAGE
from DSADeblurLib.xa.file.decoding import check_decoder
from DSADeblurLib.xa.file.elements import integers_of, moment_of, numbers_of, text_of, texts_of
from DSADeblurLib.xa.file.frame_stack import FrameStack
from DSADeblurLib.xa.file.input_file import InputFile
from DSADeblurLib.xa.file.reading import reading
from DSADeblurLib.xa.file.stored_pixels import StoredPixels
from DSADeblurLib.xa.header.header import RunHeader, read_header
from DSADeblurLib.xa.header.motion import STILL_DEGREES, Motion
from DSADeblurLib.xa.run import Run, read_run, run_of

# What all files of a run have in common: whose it is, how its pixels are stored, and what they mean.
_COMMON = (
    "SOPClassUID",
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "AcquisitionNumber",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "PhotometricInterpretation",
    "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign",
)
_MOMENTS = (("AcquisitionDateTime",), ("AcquisitionDate", "AcquisitionTime"), ("ContentDate", "ContentTime"))
_ANGLES = ("PositionerPrimaryAngle", "PositionerSecondaryAngle")
_TAGS = [
    *("ImageType", "NumberOfFrames", "InstanceNumber", "SOPInstanceUID", "FrameTime", *_COMMON, *_ANGLES),
    *(name for names in _MOMENTS for name in names),
]


@dataclass(frozen=True)
class _OneFrame:
    """What a one-frame file says of its place in a run; `moments` has a time, or None, for each of `_MOMENTS`."""

    path: Path
    common: tuple
    number: int
    moments: tuple[datetime | None, ...]
    angles: tuple[float, ...]
    frame_time_ms: float | None
    instance: str


def runs_of(paths: Iterable[Path]) -> list[tuple[Path, ...]]:
    """Group files into runs: one-frame X-ray angiograms of one series are a run, every other file is for itself.

    Args:
        paths: of files of any kind.

    Returns:
        The files of each run in the order of instance number and time, each instance once; runs in the order of their
        first path.
    """
    together: dict[tuple, list[_OneFrame]] = {}
    runs: dict[object, tuple[Path, ...]] = {}
    for path in paths:
        frame = _read(path)
        if frame is None:
            runs[path] = (path,)
        else:
            runs.setdefault(frame.common, ())
            together.setdefault(frame.common, []).append(frame)
    for common, frames in together.items():
        runs[common] = tuple(frame.path for frame in _in_order(frames))
    return list(runs.values())


def read_files(paths: Sequence[Path], user_facts: UserFacts = UserFacts()) -> Run:
    """Read the file or the one-frame files of a run.

    Each frame of several files is read of the file that was there when the run was opened: one that changed is noticed.
    Header facts are those of the first file; where others say something else of the acquisition, that is told.

    Args:
        paths: as `runs_of` gives them.
        user_facts: what the user says, which overrides the header.

    Raises:
        XAReadError: one sentence, for anything that goes wrong; of one file among several with its name.
    """
    if len(paths) == 1:
        return read_run(paths[0], user_facts)
    headers = []
    for path in paths:
        with _named(path):
            headers.append(read_header(path, user_facts))
    places = [place for path in paths if (place := _read(path)) is not None]
    if len(places) < len(paths) or len({place.common for place in places}) > 1:
        raise XAReadError(f"{Path(paths[0]).name} and the {len(paths) - 1} files after it are not of one run.")
    for first, second in pairwise(sorted(places, key=_as_instance)):
        if _as_instance(first) == _as_instance(second):
            raise XAReadError(
                f"{first.path.name} and {second.path.name} say that they are the same image, and are not; "
                "remove the wrong one."
            )
    check_decoder(headers[0].stored_pixels)
    frames = _Files([header.stored_pixels for header in headers])
    for index in (0, len(frames) // 2, len(frames) - 1):
        frames[index]
    return run_of(_of_all(headers, places), frames, user_facts)


class _Files(LazyFrames):
    """The frames of one-frame files, (n, rows, columns); see `FrameStack`."""

    def __init__(self, stored: list[StoredPixels]) -> None:
        self._stored = stored
        self.shape = (len(stored), stored[0].rows, stored[0].columns)
        self.dtype = FrameStack(stored[0]).dtype
        self._remarks: dict[str, None] = {}

    def frame(self, index: int) -> np.ndarray:
        stored = self._stored[index]
        with _named(stored.path), stored.file.opened() as file:
            stack = FrameStack(dataclasses.replace(stored, file=file))
            frame = stack[0]
        self._remarks.update(dict.fromkeys(stack.remarks()))
        return frame

    def remarks(self) -> list[str]:
        return list(self._remarks)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say of a failure in the block which of the files it is about."""
    try:
        yield
    except XAReadError as error:
        name = Path(path).name
        raise type(error)(str(error) if name in str(error) else f"{name}: {error}") from error


def _of_all(headers: list[RunHeader], places: list[_OneFrame]) -> RunHeader:
    """The first file's header as that of all of them."""
    times, problems = _times(places)
    problems += _order_problems(places) + _contradictions(headers)
    moved = any(
        abs(one - two) > STILL_DEGREES
        for place in places
        for one, two in zip(place.angles, places[0].angles, strict=False)
    )
    warnings = dict.fromkeys(warning for header in headers for warning in header.warnings)
    return dataclasses.replace(
        headers[0],
        source=dataclasses.replace(
            headers[0].source, instances=tuple(header.source.sop_instance_uid for header in headers)
        ),
        number_of_frames=len(headers),
        times=times,
        # A mask module counts frames within its file.
        mask=None,
        moved=moved,
        motion=Motion(positioner_moved=moved),
        warnings=(f"One run of {len(headers)} one-frame files.", *warnings, *problems),
    )


def _times(places: list[_OneFrame]) -> tuple[np.ndarray | None, list[str]]:
    """Seconds since the first frame, by the first kind of moment that rises from file to file, else by Frame Time."""
    problems = []
    numbers = [place.number for place in places]
    missing = numbers[-1] - numbers[0] + 1 > len(set(numbers))
    if missing:
        problems.append(
            f"Frames seem to be missing: these are {len(numbers)} of instances {numbers[0]} to {numbers[-1]}."
        )
    for kind in range(len(_MOMENTS)):
        moments = [place.moments[kind] for place in places]
        known = [one for one in moments if one is not None]
        seconds = np.array([(one - known[0]).total_seconds() for one in known])
        if len(known) == len(places) and (np.diff(seconds) > 0).all():
            return seconds, problems
    step = places[0].frame_time_ms
    if step is not None and step > 0 and not missing:
        return np.arange(len(places)) * step / 1000.0, problems
    return None, [*problems, "Frame timing missing; frames numbered only."]


def _order_problems(places: list[_OneFrame]) -> list[str]:
    """What keeps the order of the frames from being sure."""
    if any(_place(one) == _place(two) for one, two in pairwise(places)):
        return ["Neither instance numbers nor times tell all frames apart: their order is that of the files' names."]
    for kind in range(len(_MOMENTS)):
        moments = [moment for place in places if (moment := place.moments[kind]) is not None]
        if len(moments) == len(places) and moments != sorted(moments):
            return ["Instance numbers and times contradict each other; the frames are in the order of the numbers."]
    return []


def _contradictions(headers: list[RunHeader]) -> list[str]:
    """What the files say differently of the acquisition."""
    facts = [header.acquisition.as_dict() for header in headers]
    names = [name for name in facts[0] if name != "warnings" and any(one[name] != facts[0][name] for one in facts)]
    if not names:
        return []
    words = ", ".join(name.replace("_", " ") for name in names)
    return [f"The files say different things of {words}; what the first says is taken for all."]


def _place(frame: _OneFrame) -> tuple[int, datetime]:
    return frame.number, next(filter(None, frame.moments), None) or datetime.min


def _as_instance(frame: _OneFrame) -> tuple:
    # Some tools give one UID to all: only what has the same place in the run too is the same instance.
    return frame.instance, *_place(frame)


def _in_order(frames: list[_OneFrame]) -> list[_OneFrame]:
    """Each instance once; files that say that they are the same one and are not stay, for `read_files` to refuse."""
    first: dict[tuple, _OneFrame] = {}
    ordered = []
    for frame in sorted(frames, key=lambda frame: (*_place(frame), str(frame.path))):
        other = first.setdefault(_as_instance(frame), frame)
        if other is frame or not _same_pixels(other.path, frame.path):
            ordered.append(frame)
    return ordered


def _same_pixels(first: Path, second: Path) -> bool:
    """Whether two files hold the same frame; what cannot be read is not told from a copy."""
    if sha256_of(first) == sha256_of(second):
        return True
    with suppress(XAReadError):
        return np.array_equal(read_run(first).frames[0], read_run(second).frames[0])
    return True


def _read(path: Path) -> _OneFrame | None:
    """What a file says of its place in a run; None for any file that is not a one-frame X-ray angiogram."""
    with suppress(Exception), reading(), InputFile(path) as file:
        if file.read_at(128, 4) != b"DICM":
            return None
        with file.at(0) as stream:
            dataset = dcmread(stream, stop_before_pixels=True, specific_tags=_TAGS)
        if text_of(dataset, "SOPClassUID") not in (XA_IMAGE, XRF_IMAGE) or not text_of(dataset, "SeriesInstanceUID"):
            return None
        if text_of(dataset, "PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2"):
            return None
        if integers_of(dataset, "NumberOfFrames") not in ((), (1,)) or not text_of(dataset, "SOPInstanceUID"):
            return None
        number = integers_of(dataset, "InstanceNumber")
        step = numbers_of(dataset, "FrameTime")
        return _OneFrame(
            path=Path(path),
            common=(*(text_of(dataset, name) for name in _COMMON), *texts_of(dataset, "ImageType")[:3]),
            number=number[0] if number else 0,
            moments=tuple(moment_of(dataset, *names) for names in _MOMENTS),
            angles=tuple(value[0] for name in _ANGLES if (value := numbers_of(dataset, name))),
            frame_time_ms=step[0] if step else None,
            instance=text_of(dataset, "SOPInstanceUID"),
        )
    return None
