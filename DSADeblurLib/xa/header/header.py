"""The header of one run: what it is, what its pixels mean, how it was acquired, and what is wrong with it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.request import RELATIONSHIPS, UserFacts
from DSADeblurLib.xa.file.dataset import SC_CLASSES, read_dataset
from DSADeblurLib.xa.file.elements import integers_of, items_of, numbers_of, printable, raw_text, text_of, texts_of
from DSADeblurLib.xa.file.input_file import InputFile
from DSADeblurLib.xa.file.mended import mend
from DSADeblurLib.xa.file.reading import reading
from DSADeblurLib.xa.file.stored_pixels import PixelChoices, StoredPixels
from DSADeblurLib.xa.header.enhanced import differences
from DSADeblurLib.xa.header.facts import Acquisition, read_acquisition
from DSADeblurLib.xa.header.identity import instance_uids
from DSADeblurLib.xa.header.lookup_table import LookupTable, log_slope, read_table
from DSADeblurLib.xa.header.mask_module import MaskModule, read_mask_module
from DSADeblurLib.xa.header.motion import Motion, read_motion
from DSADeblurLib.xa.header.purpose import outside_of_purpose
from DSADeblurLib.xa.header.shutters import ExposedArea, exposed_pixels, read_exposed_areas
from DSADeblurLib.xa.header.voi import Window, read_windows

PLANES = ("SINGLE PLANE", "BIPLANE A", "BIPLANE B")
ALREADY_SUBTRACTED = "This series was subtracted already; it is deblurred without subtraction."
LOOKS_SUBTRACTED = (
    "This series looks already subtracted ({}): is it? Choose native if not, subtracted if it is; until then it is "
    "subtracted only where you ask for it."
)
RELATIONSHIP_MISSING = "Pixel intensity relationship missing; choose linear or log."
# "subtract" as an action done to a mask; "unsubtracted" and "subtraction: none" say the opposite, scatter is another.
_SUBTRACTED = re.compile(
    r"(?<!un)(?<!non)(?<!non-)(?<!no )(?<!not )(?<!without )(?<!scatter )(?<!background )"
    r"subtract[a-z]*\b(?!\W*(?:none|no|not|off|false|disabled|0)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Source:
    """Which object the frames came from.

    `other_planes` are the instances of the other plane of a biplane run, `instances` those of the frames where each
    came from an object of its own.
    """

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    transfer_syntax: str
    image_type: tuple[str, ...] = ()
    modality: str = ""
    description: str = ""
    series_number: str = ""
    instance_number: str = ""
    manufacturer: str = ""
    model: str = ""
    other_planes: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()

    @property
    def plane(self) -> str:
        """'SINGLE PLANE', 'BIPLANE A', 'BIPLANE B', or '' when the header does not say."""
        value = self.image_type[2] if len(self.image_type) > 2 else ""
        return value if value in PLANES else ""


@dataclass(frozen=True, kw_only=True, eq=False)
class RunHeader:
    """Everything known about a run except its pixels.

    Attributes:
        relationship: the Pixel Intensity Relationship LIN, LOG or DISP, None when the header has none.
        log_slope: change of ln intensity per stored unit, known only for LOG with a Modality LUT.
        times: seconds since the first frame, float64 (n,), or None.
        moved: whether C-arm or table moved.
        subtracted: the frames are differences already; `subtraction_guessed` that it only looks so, from words or
            values: then they are not subtracted again unless the user insists.
        bits_allocated, bits_stored: of a pixel; None without a file.
        in_file: see `stored_pixels`; None without a file.
        to_linear: the header's table from frame values to linear intensity, for LOG and DISP. Like `log_slope` it is
            never applied to frames here.
        playback_fps: how fast to show the frames: by their times, else by the Cine Rate or the recommended rate, which
            say nothing of time.
        windows: for the display of native frames.
        exposed_areas: what shutters and collimators leave to the X-rays.
    """

    source: Source
    number_of_frames: int
    image_rows: int
    image_columns: int
    bits_allocated: int | None
    bits_stored: int | None
    relationship: str | None
    log_slope: float | None
    times: np.ndarray | None
    mask: MaskModule | None
    moved: bool
    subtracted: bool
    acquisition: Acquisition
    in_file: StoredPixels | None
    subtraction_guessed: bool = False
    warnings: tuple[str, ...] = ()
    to_linear: LookupTable | None = None
    playback_fps: float | None = None
    windows: tuple[Window, ...] = ()
    exposed_areas: tuple[ExposedArea, ...] = ()
    motion: Motion = Motion()

    @property
    def has_file(self) -> bool:
        """Whether a header of a file says this; else the user alone does."""
        return self.in_file is not None

    @property
    def stored_pixels(self) -> StoredPixels:
        """Where and how the frames lie in the file.

        Raises:
            XAReadError: one sentence: they come from no file.
        """
        if self.in_file is None:
            raise XAReadError("These frames come without a DICOM file; open their file.")
        return self.in_file

    def exposed(self) -> np.ndarray | None:
        """Return the pixels that shutter and collimator leave open, bool (rows, columns); None when that is all."""
        return exposed_pixels(self.exposed_areas, self.image_rows, self.image_columns) if self.exposed_areas else None

    def as_dict(self) -> dict:
        """Return the header as plain, JSON-able values."""
        source = {name: str(value) if isinstance(value, Path) else value for name, value in vars(self.source).items()}
        mask = None
        if self.mask is not None:
            mask = {"items": [dict(vars(item)) for item in self.mask.items], "viewing_mode": self.mask.viewing_mode}
        return {
            "source": source,
            "number_of_frames": self.number_of_frames,
            "rows": self.image_rows,
            "columns": self.image_columns,
            "bits_stored": self.bits_stored,
            "relationship": self.relationship,
            "times": None if self.times is None else [float(one) for one in self.times],
            "playback_fps": self.playback_fps,
            "mask": mask,
            "subtracted": self.subtracted,
            "subtraction_guessed": self.subtraction_guessed,
            "plane": self.source.plane,
            "motion": self.motion.as_dict(),
            "exposed_areas": [dict(vars(one)) for one in self.exposed_areas],
            "windows": [dict(vars(one)) for one in self.windows],
            "acquisition": self.acquisition.as_dict(),
            "warnings": list(self.warnings),
        }


def read_header(path: str | os.PathLike, user_facts: UserFacts = UserFacts()) -> RunHeader:
    """Read everything but the pixels of one XA, RF or grey-scale Secondary Capture file.

    Args:
        path: of the file.
        user_facts: what the user says, which overrides the header.

    Raises:
        XAReadError: one sentence, for anything that cannot be used.

    Source: PS3.3 A.8, A.14, A.16, A.47, A.48.
    """
    with reading(), InputFile(path) as file:
        return header_in(file, user_facts)


def header_in(file: InputFile, user_facts: UserFacts) -> RunHeader:
    """Return the header of an open file, see `read_header`."""
    dataset, stored = read_dataset(file, PixelChoices(user_facts.polarity, user_facts.frames_in_file))
    return header_of(dataset, stored, user_facts)


def header_of(dataset: Dataset, stored: StoredPixels, user_facts: UserFacts) -> RunHeader:
    """Return the header facts of a data set that was read with `read_dataset`."""
    mended = mend(dataset)
    uids, uid_remarks = instance_uids(dataset, stored, user_facts.new_uids)
    source = _source(dataset, stored, uids)
    warnings = [*stored.remarks, *uid_remarks, *mended, *differences(dataset, stored.frames)]
    found = _relationship(dataset, source, stored, user_facts.relationship, warnings)
    warnings += _remarks_on_values(dataset, source)
    times = _times(dataset, stored.frames, warnings)
    mask, mask_warnings = read_mask_module(dataset, stored.frames)
    motion, motion_warnings = read_motion(dataset, stored.frames)
    subtracted, words = _is_subtracted(dataset, user_facts.content)
    if not subtracted:
        warnings += mask_warnings
        if found is None and mask is not None and mask.usable and source.sop_class_uid not in SC_CLASSES:
            warnings.append("Its mask is not subtracted before it is known what pixel values mean.")
    else:
        warnings.append(LOOKS_SUBTRACTED.format(f"its header says '{words}'") if words else ALREADY_SUBTRACTED)
    if "DEBLURRED" in source.image_type:
        warnings.append("This series was already deblurred.")
    if source.sop_class_uid in SC_CLASSES and source.modality not in ("XA", "RF"):
        warnings.append(f"Modality is {printable(source.modality, 16) or 'not given'}, not XA: is this an angiogram?")
    if source.plane.startswith("BIPLANE") and not source.other_planes:
        warnings.append("Biplane run without a reference to its other plane.")
    windows, window_warnings = read_windows(dataset, stored, source.sop_class_uid in SC_CLASSES)
    exposed_areas, area_warnings = read_exposed_areas(dataset)
    to_linear = _to_linear(dataset, stored) if found in ("LOG", "DISP") else None
    acquisition = read_acquisition(dataset, user_facts)
    outside = outside_of_purpose(
        dataset, stored.transfer_syntax, stored.bits_stored, found, acquisition.removable_blur_px()
    )
    return RunHeader(
        source=source,
        number_of_frames=stored.frames,
        image_rows=stored.rows,
        image_columns=stored.columns,
        bits_allocated=stored.bits_allocated,
        bits_stored=stored.bits_stored,
        relationship=found,
        log_slope=log_slope(to_linear) if found == "LOG" and to_linear is not None else None,
        times=times,
        mask=mask,
        moved=motion.moved,
        subtracted=subtracted,
        subtraction_guessed=bool(words),
        acquisition=acquisition,
        in_file=stored,
        to_linear=to_linear,
        playback_fps=_playback_fps(dataset, times),
        windows=windows,
        exposed_areas=exposed_areas,
        motion=motion,
        warnings=(*warnings, *motion_warnings, *window_warnings, *area_warnings, *acquisition.warnings, *outside),
    )


def headerless(frame_count: int, rows: int, columns: int, user_facts: UserFacts) -> dict:
    """The fields of a `RunHeader` of frames without a file: nothing is known but what the user says."""
    return {
        "source": Source(Path(), "", "", "", "", ""),
        "number_of_frames": frame_count,
        "image_rows": rows,
        "image_columns": columns,
        "bits_allocated": None,
        "bits_stored": None,
        "relationship": user_facts.relationship,
        "log_slope": None,
        "times": None,
        "mask": None,
        "moved": False,
        "subtracted": user_facts.content == "subtracted",
        "acquisition": read_acquisition(Dataset(), user_facts),
        "in_file": None,
    }


def _source(dataset: Dataset, stored: StoredPixels, uids: dict[str, str]) -> Source:
    return Source(
        path=stored.path,
        sop_class_uid=text_of(dataset, "SOPClassUID"),
        sop_instance_uid=uids["SOPInstanceUID"],
        series_instance_uid=uids["SeriesInstanceUID"],
        study_instance_uid=uids["StudyInstanceUID"],
        transfer_syntax=stored.transfer_syntax,
        image_type=texts_of(dataset, "ImageType"),
        modality=text_of(dataset, "Modality"),
        description=text_of(dataset, "SeriesDescription"),
        series_number=text_of(dataset, "SeriesNumber"),
        instance_number=text_of(dataset, "InstanceNumber"),
        manufacturer=text_of(dataset, "Manufacturer"),
        model=text_of(dataset, "ManufacturerModelName"),
        other_planes=_other_planes(dataset),
    )


def _other_planes(dataset: Dataset) -> tuple[str, ...]:
    """Return the instances that Referenced Image Sequence calls the other image of the pair (CID 7201, 121314)."""
    found = []
    for item in items_of(dataset, "ReferencedImageSequence"):
        purposes = [text_of(code, "CodeValue") for code in items_of(item, "PurposeOfReferenceCodeSequence")]
        # The purpose is optional; a biplane image has no other reason to refer to one.
        if (not purposes or "121314" in purposes) and text_of(item, "ReferencedSOPInstanceUID"):
            found.append(text_of(item, "ReferencedSOPInstanceUID"))
    return tuple(found)


def _relationship(
    dataset: Dataset, source: Source, stored: StoredPixels, given: str | None, warnings: list[str]
) -> str | None:
    value = given or text_of(dataset, "PixelIntensityRelationship")
    if value == "LIN" and stored.signed:
        # Half of the range was added to the values: their logarithm means nothing.
        if given:
            raise XAReadError("Signed pixels cannot be linear intensities; choose logarithmic or display values.")
        value = "signed"
    if value in RELATIONSHIPS:
        return value
    if value and value != "signed":
        warnings.append(f"Pixel intensity relationship '{printable(value, 16)}' is of an unknown kind; choose one.")
    # Secondary Capture has no such attribute: nothing is missing there, there is just no physics.
    elif value or source.sop_class_uid not in SC_CLASSES:
        warnings.append(RELATIONSHIP_MISSING)
    return None


def _times(dataset: Dataset, frames: int, warnings: list[str]) -> np.ndarray | None:
    """Return seconds per frame from Frame Time or Frame Time Vector (PS3.3 C.7.6.5, C.7.6.6), in milliseconds there."""
    if frames == 1:
        return np.zeros(1)
    # A pointer to (0000,0000) and times that stand still say nothing.
    pointer = tuple(filter(None, integers_of(dataset, "FrameIncrementPointer") or ()))
    vector = numbers_of(dataset, "FrameTimeVector")
    if vector and not any(vector):
        warnings.append("Frame Time Vector holds zeros only and is not used.")
        vector, pointer = (), ()
    if vector != () and pointer in ((), (0x00181065,)):
        if vector is not None and len(vector) != frames:
            warnings.append(f"Frame Time Vector has {len(vector)} values for {frames} frames.")
            return None
        if vector is None or min(vector) < 0:
            warnings.append("Frame Time Vector unusable; frames numbered only.")
            return None
        # The first increment is defined to be 0; a device that writes another value means the same start.
        return np.cumsum([0.0, *vector[1:]]) / 1000.0
    step = numbers_of(dataset, "FrameTime")
    if step == () or pointer not in ((), (0x00181063,)):
        warnings.append("Frame timing missing; frames numbered only.")
        return None
    if step is None or len(step) != 1 or step[0] <= 0:
        warnings.append(f"Frame Time '{raw_text(dataset, 'FrameTime')}' unusable; frames numbered only.")
        return None
    return np.arange(frames) * step[0] / 1000.0


def _playback_fps(dataset: Dataset, times: np.ndarray | None) -> float | None:
    """Return frames per second for playing: frame times first, then Cine Rate, then the recommended rate."""
    if times is not None and times[-1] > 0:
        return float((len(times) - 1) / times[-1])
    for keyword in ("CineRate", "RecommendedDisplayFrameRate"):
        rate = numbers_of(dataset, keyword)
        if rate and len(rate) == 1 and rate[0] > 0:
            return rate[0]
    return None


def _remarks_on_values(dataset: Dataset, source: Source) -> list[str]:
    """Return sentences about what else the header says of stored values, which nothing here acts on."""
    remarks = []
    rescale = (numbers_of(dataset, "RescaleSlope") or (1.0,), numbers_of(dataset, "RescaleIntercept") or (0.0,))
    if source.sop_class_uid not in SC_CLASSES and rescale != ((1.0,), (0.0,)):
        remarks.append("Rescale of an X-ray angiogram is not applied: stored values are used.")
    return remarks


def _is_subtracted(dataset: Dataset, content: str | None) -> tuple[bool, str]:
    """Tell whether a device subtracted already, and by which words where that is a guess.

    The user knows, then the code does, and free text gives a hint (PS3.3 C.7.6.1.1.3, C.8.7.1.1.3).
    """
    codes = [text_of(item, "CodeValue") for item in items_of(dataset, "DerivationCodeSequence")]
    if content is not None or "113062" in codes:
        return content != "native", ""
    for name in ("DerivationDescription", "AcquisitionDeviceProcessingDescription"):
        text = text_of(dataset, name)
        if _SUBTRACTED.search(text):
            return True, printable(text)
    return False, ""


def _to_linear(dataset: Dataset, stored: StoredPixels) -> LookupTable | None:
    """Return the Modality LUT: in XA it leads back to linear intensity and is for nothing else (C.8.7.1.1.2)."""
    for item in items_of(dataset, "ModalityLUTSequence"):
        return read_table(item, stored)
    return None
