"""One run, ready to be worked on: its header facts and its lazily decoded frames."""

import contextlib
import dataclasses
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from DSADeblurLib.lazy_frames import Frames, LazyFrames
from DSADeblurLib.regular_file import open_regular
from DSADeblurLib.request import RequestError, UserFacts
from DSADeblurLib.xa.file.decoding import check_decoder
from DSADeblurLib.xa.file.frame_stack import FrameStack
from DSADeblurLib.xa.file.input_file import InputFile
from DSADeblurLib.xa.file.reading import reading
from DSADeblurLib.xa.header.header import LOOKS_SUBTRACTED, RunHeader, header_in, headerless


@dataclass(frozen=True, kw_only=True, eq=False)
class Run(RunHeader):
    """The header of a run and its frames: a context manager, for a file that was read stays open, see `InputFile`."""

    frames: Frames

    @classmethod
    def from_frames(cls, frames: Frames, header: RunHeader | None, facts: UserFacts) -> "Run":
        """A run of frames that were read elsewhere.

        Args:
            frames: array-like (n, rows, columns), with the values that the header's file stores.
            header: of these frames; None where nothing but the user tells what they are.
            facts: what the user says of them.
        """
        count, rows, columns = frames.shape
        if header is None:
            return cls(**headerless(count, rows, columns, facts), frames=frames)
        values = {field.name: getattr(header, field.name) for field in dataclasses.fields(RunHeader)}
        if header.number_of_frames != count:
            values |= {"number_of_frames": count, "times": None}
        return cls(**values, frames=frames)

    def remarks(self) -> list[str]:
        """Return what the frames that were read until now showed and `warnings` does not say yet."""
        found = self.frames.remarks() if isinstance(self.frames, LazyFrames) else []
        return [one for one in found if one not in self.warnings]

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_) -> None:
        if self.in_file is not None:
            self.in_file.file.close()


def read_run(path: str | os.PathLike, user_facts: UserFacts = UserFacts()) -> Run:
    """Open one XA, RF or grey-scale Secondary Capture file.

    The first frame is decoded once, so that a missing decoder or broken pixel data is found here.

    Args:
        path: of the file.
        user_facts: what the user says, which overrides the header.

    Returns:
        The run, whose file stays open: use it as a context manager, or drop it when the frames are read.

    Raises:
        XAReadError: one sentence, for anything that goes wrong.
    """
    with reading(), contextlib.ExitStack() as failed:
        file = failed.enter_context(InputFile(path))
        header = header_in(file, user_facts)
        stored = header.stored_pixels
        check_decoder(stored)
        frames = FrameStack(stored)
        frames.sample()
        run = run_of(header, frames, user_facts)
        failed.pop_all()
        return run


def run_of(header: RunHeader, frames: LazyFrames, user_facts: UserFacts) -> Run:
    """Return the run of a header and its stored frames, with what the frames add to it; looks at the middle one."""
    values = {field.name: getattr(header, field.name) for field in dataclasses.fields(header)}
    warnings = [*header.warnings, *frames.remarks()]
    if user_facts.content is None and not header.subtracted and _looks_subtracted(header, frames):
        warnings.insert(0, LOOKS_SUBTRACTED.format("its values lie around mid-grey"))
        values |= {"subtracted": True, "subtraction_guessed": True}
    return Run(**{**values, "warnings": tuple(warnings)}, frames=frames)


def _looks_subtracted(header: RunHeader, frames: LazyFrames) -> bool:
    """Tell whether a DERIVED run without a mask shows mid-grey with little spread, as stored differences do.

    Linear intensities are never differences. The limits are a judgement: half of all pixels within 15 % of the grey
    scale, around a median in its middle fifth.
    """
    usable = header.mask is not None and bool(header.mask.usable)
    if header.source.image_type[:1] != ("DERIVED",) or usable or header.relationship == "LIN":
        return False
    frame, exposed = frames[len(frames) // 2], header.exposed()
    values = frame if exposed is None else frame[exposed]
    low, median, high = np.percentile(values, (25, 50, 75)) / header.stored_pixels.top
    return bool(0.4 <= median <= 0.6 and high - low < 0.15)


def find_inputs(paths: Iterable[str | os.PathLike]) -> list[Path]:
    """Return the files among `paths` and those in folders, searched recursively, each once and sorted.

    Pipes, devices and links to folders are left out there, see `not_followed`; links that lead nowhere are not.

    Whether a file is DICOM, or a file at all, is for the reader to say.

    Raises:
        RequestError: a path does not exist.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = (Path(folder) / name for folder, _, names in os.walk(path) for name in names)
            found.update(dict.fromkeys(sorted(one for one in inside if one.is_file() or not one.exists())))
        elif path.exists():
            found[path] = None
        else:
            raise RequestError(f"No such file or folder: {path}.")
    return list(found)


def not_followed(paths: Iterable[str | os.PathLike]) -> list[Path]:
    """Return the links to folders, pipes and devices in the folders among `paths`, sorted."""
    found = []
    for path in map(Path, paths):
        for folder, folders, names in os.walk(path):
            found += [one for name in folders if (one := Path(folder) / name).is_symlink()]
            found += [one for name in names if (one := Path(folder) / name).exists() and not one.is_file()]
    return sorted(found)


def may_be_dicom(path: str | os.PathLike) -> bool:
    """Tell whether a file is DICOM by how it begins (PS3.10 7.1); one that cannot be read or is called so, may be."""
    if os.fspath(path).lower().endswith(".dcm"):
        return True
    try:
        with open_regular(path) as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return True
