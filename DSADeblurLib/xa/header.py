"""The header of one run: what it is, what its pixels mean, how it was acquired, and what is wrong with it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.filereader import read_dataset as parse_dataset
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian

from DSADeblurLib.xa.elements import integers_of, items_of, numbers_of, printable, raw_text, text_of, texts_of
from DSADeblurLib.xa.errors import XAReadError, reading
from DSADeblurLib.xa.facts import Acquisition, read_acquisition
from DSADeblurLib.xa.layout import PixelLayout, locate_pixels
from DSADeblurLib.xa.mask import MaskModule, read_mask_module

XA_IMAGE, XRF_IMAGE = "1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SC_BYTE, SC_WORD = SECONDARY_CAPTURE + ".2", SECONDARY_CAPTURE + ".3"
SC_CLASSES = (SECONDARY_CAPTURE, SC_BYTE, SC_WORD)
RELATIONSHIPS = ("LIN", "LOG", "DISP")
ALREADY_SUBTRACTED = "This series looks already subtracted; deblur without subtraction?"
RELATIONSHIP_MISSING = "Pixel intensity relationship missing; choose linear or log."
_MAX_HEADER_ELEMENT = 256 * 2**20
# "subtract" as an action done; "unsubtracted" and "not subtracted" say the opposite.
_SUBTRACTED = re.compile(r"(?<!un)(?<!non)(?<!non-)(?<!not )(?<!without )subtract", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """Which object the frames came from."""

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


@dataclass(frozen=True, kw_only=True, eq=False)
class RunHeader:
    """Everything known about a run except its pixels.

    `times` are seconds since the first frame, float64 of shape (n,), or None. `relationship` is the Pixel Intensity
    Relationship, None when the header has none. `log_slope` is the change of ln intensity per stored unit, known
    only for LOG with a Modality LUT. `subtracted` means that the frames are differences already.
    """

    source: Source
    number_of_frames: int
    image_rows: int
    image_columns: int
    bits_allocated: int
    bits_stored: int
    relationship: str | None
    log_slope: float | None
    times: np.ndarray | None
    mask: MaskModule | None
    moved: bool
    subtracted: bool
    acquisition: Acquisition
    layout: PixelLayout
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict:
        """Return the header as plain, JSON-able values."""
        source = {name: str(value) if isinstance(value, Path) else value for name, value in vars(self.source).items()}
        mask = None
        if self.mask is not None:
            mask = {"items": [dict(vars(item)) for item in self.mask.items], "viewing_mode": self.mask.viewing_mode}
        return {
            "source": source, "number_of_frames": self.number_of_frames, "rows": self.image_rows,
            "columns": self.image_columns, "bits_stored": self.bits_stored, "relationship": self.relationship,
            "times": None if self.times is None else [float(one) for one in self.times], "mask": mask,
            "subtracted": self.subtracted, "acquisition": self.acquisition.as_dict(), "warnings": list(self.warnings),
        }


class _BoundedFile:
    """A binary file that refuses reads past its end, so that a false length cannot claim memory."""

    def __init__(self, stream, size: int) -> None:
        self._stream, self._size = stream, size
        self.seek, self.tell, self.name = stream.seek, stream.tell, stream.name

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._stream.tell()
        # Up to eight bytes are asked for to find out whether an element follows.
        if size > 8 and size > left:
            raise XAReadError(f"File is truncated: {max(left, 0)} of {size} bytes.")
        if min(size if size >= 0 else left, left) > _MAX_HEADER_ELEMENT:
            raise XAReadError(f"A header element is larger than {_MAX_HEADER_ELEMENT // 2**20} MiB.")
        return self._stream.read(size)


def read_dataset(path: str | os.PathLike) -> tuple[FileDataset, PixelLayout]:
    """Return the data set without pixel data, and where the pixel data lies. Raises XAReadError."""
    path = Path(path)
    with reading(), open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        bounded = _BoundedFile(stream, size)
        syntax = _transfer_syntax(bounded)
        stream.seek(0)
        dataset = dcmread(bounded, stop_before_pixels=True)
        check_sop_class(dataset)
        return dataset, locate_pixels(path, bounded, size, dataset, syntax)


def _transfer_syntax(stream: _BoundedFile) -> str:
    """Return the transfer syntax from the file meta information alone: a deflated file must not be inflated to ask."""
    stream.seek(128)
    if stream.read(4) != b"DICM":
        raise XAReadError("Not a DICOM file.")
    meta = parse_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    syntax = text_of(meta, "TransferSyntaxUID")
    if not syntax:
        raise XAReadError("The file does not name its transfer syntax; convert it to a DICOM file first.")
    if syntax == DeflatedExplicitVRLittleEndian:
        raise XAReadError("Deflated transfer syntax is not supported; convert the file to "
                          "Explicit VR Little Endian first.")
    if UID(syntax).is_private or not UID(syntax).is_transfer_syntax:
        raise XAReadError(f"Unknown transfer syntax {printable(syntax)}.")
    return syntax


def check_sop_class(dataset: FileDataset) -> None:
    """Raise XAReadError unless the object is one of the supported image classes."""
    uid = text_of(dataset, "SOPClassUID")
    if uid not in (XA_IMAGE, XRF_IMAGE, *SC_CLASSES):
        raise XAReadError(f"Unsupported SOP class {printable(uid) or '(none)'}. Supported: X-Ray Angiographic / "
                          "Radiofluoroscopic, and grey-scale Secondary Capture.")


def read_header(
    path: str | os.PathLike, *, focal_spot_mm: float | None = None, magnification: float | None = None,
    relationship: str | None = None,
) -> RunHeader:
    """Read everything but the pixels of one XA, RF or grey-scale Secondary Capture file.

    `focal_spot_mm`, `magnification` and `relationship` ('LIN' or 'LOG') are the user's values and override the
    header. Raises XAReadError with one sentence for anything that cannot be used.
    """
    dataset, layout = read_dataset(path)
    with reading():
        return header_of(dataset, layout, focal_spot_mm=focal_spot_mm, magnification=magnification,
                         relationship=relationship)


def header_of(
    dataset: FileDataset, layout: PixelLayout, *, focal_spot_mm: float | None = None,
    magnification: float | None = None, relationship: str | None = None,
) -> RunHeader:
    """Return the header facts of a data set that was read with `read_dataset`."""
    if relationship not in (None, *RELATIONSHIPS):
        raise XAReadError(f"Pixel intensity relationship must be LIN, LOG or DISP, not {relationship!r}.")
    source = _source(dataset, layout)
    warnings: list[str] = []
    found = _relationship(dataset, source, warnings) if relationship is None else relationship
    times = _times(dataset, layout.frames, warnings)
    mask, mask_warnings = read_mask_module(dataset, layout.frames)
    subtracted = _is_subtracted(dataset)
    if subtracted:
        warnings.append(ALREADY_SUBTRACTED)
    else:
        warnings += mask_warnings
    if "DEBLURRED" in source.image_type:
        warnings.append("This series was already deblurred.")
    if source.sop_class_uid in SC_CLASSES and source.modality not in ("XA", "RF"):
        warnings.append(f"Modality is {printable(source.modality, 16) or 'not given'}, not XA: is this an angiogram?")
    acquisition = read_acquisition(dataset, focal_spot_mm, magnification)
    return RunHeader(
        source=source, number_of_frames=layout.frames, image_rows=layout.rows, image_columns=layout.columns,
        bits_allocated=layout.bits_allocated, bits_stored=layout.bits_stored, relationship=found,
        log_slope=_log_slope(dataset) if found == "LOG" else None, times=times, mask=mask,
        moved="DYNAMIC" in (text_of(dataset, "PositionerMotion"), text_of(dataset, "TableMotion")),
        subtracted=subtracted, acquisition=acquisition, layout=layout,
        warnings=(*warnings, *acquisition.warnings),
    )


def _source(dataset: FileDataset, layout: PixelLayout) -> Source:
    return Source(
        path=layout.path, sop_class_uid=text_of(dataset, "SOPClassUID"),
        sop_instance_uid=text_of(dataset, "SOPInstanceUID"), series_instance_uid=text_of(dataset, "SeriesInstanceUID"),
        study_instance_uid=text_of(dataset, "StudyInstanceUID"), transfer_syntax=layout.transfer_syntax,
        image_type=texts_of(dataset, "ImageType"), modality=text_of(dataset, "Modality"),
        description=text_of(dataset, "SeriesDescription"), series_number=text_of(dataset, "SeriesNumber"),
        instance_number=text_of(dataset, "InstanceNumber"), manufacturer=text_of(dataset, "Manufacturer"),
        model=text_of(dataset, "ManufacturerModelName"),
    )


def _relationship(dataset: FileDataset, source: Source, warnings: list[str]) -> str | None:
    value = text_of(dataset, "PixelIntensityRelationship")
    if value in RELATIONSHIPS:
        return value
    # Secondary Capture has no such attribute: nothing is missing there, there is just no physics.
    if value or source.sop_class_uid not in SC_CLASSES:
        warnings.append(RELATIONSHIP_MISSING)
    return None


def _times(dataset: FileDataset, frames: int, warnings: list[str]) -> np.ndarray | None:
    """Return seconds per frame from Frame Time or Frame Time Vector (PS3.3 C.7.6.5, C.7.6.6), in milliseconds there."""
    if frames == 1:
        return np.zeros(1)
    pointer = integers_of(dataset, "FrameIncrementPointer")
    vector = numbers_of(dataset, "FrameTimeVector")
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


def _is_subtracted(dataset: FileDataset) -> bool:
    """Tell from codes and descriptions whether a device subtracted already (PS3.3 C.7.6.1.1.3, C.8.7.1.1.3)."""
    codes = [text_of(item, "CodeValue") for item in items_of(dataset, "DerivationCodeSequence")]
    texts = [text_of(dataset, name) for name in ("DerivationDescription", "AcquisitionDeviceProcessingDescription")]
    return "113062" in codes or any(_SUBTRACTED.search(one) for one in texts)


def _log_slope(dataset: FileDataset) -> float | None:
    """Return d ln(intensity) / d(stored value) from the Modality LUT of a LOG image (PS3.3 C.8.7.1.1.2).

    The sign tells whether higher stored values mean more or fewer X-rays. None without a usable table.
    """
    for item in items_of(dataset, "ModalityLUTSequence"):
        try:
            count, first, bits = (int(one) for one in item.LUTDescriptor)
            data = item.LUTData
            table = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.asarray(data)
            count = count or 65536
            if bits == 8 and len(table) * 2 == count:
                table = table.astype("<u2").view(np.uint8)
            output = table[:count].astype(float)
            # Rounded small outputs say little about the slope.
            usable = output >= max(1.0, output.max() / 4096)
            if len(output) != count or usable.sum() < 2:
                return None
            slope = float(np.polyfit((first + np.arange(count))[usable], np.log(output[usable]), 1)[0])
            return slope if np.isfinite(slope) and slope != 0 else None
        except Exception:
            return None
    return None
