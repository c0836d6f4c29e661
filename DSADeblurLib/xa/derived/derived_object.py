"""Write deblurred frames as a new derived object that says where it came from and that it is for research only."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydicom.charset import python_encoding
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pydicom.valuerep import format_number_as_ds

from DSADeblurLib.errors import XAReadError, XAWriteError
from DSADeblurLib.lazy_frames import Frames
from DSADeblurLib.xa.derived.attributes import copy_attributes, copy_item
from DSADeblurLib.xa.derived.compression import fragment_encoder, transfer_syntax_of
from DSADeblurLib.xa.derived.derived_header import (
    add_equipment,
    add_lossy_history,
    add_motion,
    add_sources,
    add_timing,
    base_dataset,
    code_item,
    why_not_xray,
)
from DSADeblurLib.xa.derived.save import attach_compressed_pixels, attach_native_pixels, check_storable, write_dicom
from DSADeblurLib.xa.file.dataset import SC_CLASSES, read_dataset
from DSADeblurLib.xa.file.elements import items_of, numbers_of, text_of
from DSADeblurLib.xa.file.mended import mend
from DSADeblurLib.xa.file.reading import reading
from DSADeblurLib.xa.header.header import RunHeader
from DSADeblurLib.xa.subtraction.plan import SubtractionPlan
from DSADeblurLib.xa.subtraction.subtract import is_quantitative

RESEARCH_USE = "RESEARCH USE ONLY"
# Label and explanation of what the values of a difference mean.
OPTICAL_DENSITY = ("OD", "ln contrast intensity - ln mask intensity")
_WINDOW_SAMPLES = 200_000
# How much larger than those of the run itself values may be where several results of it share a scale.
_ROOM = 4
_SUBTRACTION = ("113062", "DCM", "Pixel by pixel subtraction")


@dataclass(frozen=True)
class Provenance:
    """What produced the frames. `settings` is one line; `assumed` are phrases such as 'focal spot 0.6 mm (user)'."""

    model_name: str
    model_sha256: str
    software_version: str
    settings: str = ""
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Scale:
    """The one linear scale of a subtracted run: stored = offset + D / slope, and a window for display."""

    slope: float
    offset: int
    bits: int
    window: tuple[float, float]


def write_derived(
    path: str | os.PathLike,
    run: RunHeader,
    frames: Frames,
    *,
    frame_numbers: Sequence[int],
    provenance: Provenance,
    plan: SubtractionPlan | None = None,
    bits: int = 16,
    compression: str = "none",
    scale_of: Frames | None = None,
) -> Path:
    """Write deblurred frames as one derived DICOM file.

    The object is of the source's class where that is legal, else Secondary Capture; the reason is then in its
    derivation description. The file appears only when it is complete, and only if the source is then still what it was
    when the run was read. The source's header is read again, of the same open file where `run` has one. The source is
    never changed.

    Args:
        path: of the file; an older one is replaced.
        run: the source.
        frames: any array-like of shape (n, rows, columns), read one at a time, twice when subtracted. Without `plan`
            integers in the source's depth and meaning, with it optical densities, float32.
        frame_numbers: the source frames (1-based), one per frame, ascending.
        provenance: what produced the frames.
        plan: that the frames were subtracted with. They are then stored around mid-grey with one scale for the run,
            which is also given as a Real World Value Mapping.
        bits: 16, 12 or 8, of subtracted frames.
        compression: none, jpeg-ls, jpeg-2000 or rle, all without loss.
        scale_of: other subtracted frames of the run, (n, rows, columns), whose scale and window are used, with room for
            larger values, so that several results are stored and shown alike.

    Returns:
        `path`.

    Raises:
        XAWriteError: one sentence; then nothing is left behind and a file at `path` is unchanged.

    Source: PS3.3 A.14, C.7.6.1.1, C.8.7, C.12.1.1.5.
    """
    path, numbers = Path(path), tuple(int(one) for one in frame_numbers)
    _check(path, run, frames, numbers, bits)
    syntax = transfer_syntax_of(compression)
    scale = None
    if plan is not None:
        fitted, room = (frames, 1) if scale_of is None else (scale_of, _ROOM)
        scale = _fit_scale(fitted, numbers, bits, run.exposed(), room)
    dataset = _derived_header(run, numbers, provenance, plan, scale)
    encode = _subtracted_encoder(frames, numbers, scale) if scale else _native_encoder(frames, numbers, run)
    _attach_pixels(dataset, encode, syntax, len(numbers))
    return write_dicom(dataset, path, syntax, run.stored_pixels.file)


def check_derived(
    run: RunHeader,
    frame_numbers: Sequence[int],
    *,
    plan: SubtractionPlan | None = None,
    bits: int = 16,
    compression: str = "none",
) -> None:
    """Check before any frame is computed that `write_derived` can write them: all but frames and path is looked at.

    Raises:
        XAWriteError: one sentence, as `write_derived` would.
    """
    numbers, syntax = tuple(int(one) for one in frame_numbers), transfer_syntax_of(compression)
    scale = None if plan is None else _Scale(1.0, 1 << (bits - 1), bits, (1.0, 1.0))
    dataset = _derived_header(run, numbers, Provenance("", "", ""), plan, scale)
    _attach_pixels(dataset, lambda index: np.empty(0), syntax, len(numbers))
    check_storable(dataset, syntax)


def _attach_pixels(dataset: Dataset, encode: Callable[[int], np.ndarray], syntax: UID, count: int) -> None:
    if syntax.is_encapsulated:
        attach_compressed_pixels(dataset, fragment_encoder(syntax, encode, dataset.BitsStored), count)
    else:
        frame_bytes = dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8
        attach_native_pixels(dataset, encode, count, frame_bytes, dataset.BitsAllocated)


def _derived_header(
    run: RunHeader,
    numbers: tuple[int, ...],
    provenance: Provenance,
    plan: SubtractionPlan | None,
    scale: _Scale | None,
) -> Dataset:
    """Return the derived object without its pixels; the source's header is read again."""
    try:
        with run.stored_pixels.file.opened() as file:
            source, _ = read_dataset(file, run.stored_pixels.choices)
            mend(source)
    except XAReadError as error:
        raise XAWriteError(str(error)) from error
    capture = why_not_xray(source, run, plan is not None, len(numbers))
    allocated, bits_stored = _depth(run, scale, bool(capture), len(numbers))
    with _using_source():
        dataset = base_dataset(source, run, plan is not None, len(numbers), allocated)
        _describe(dataset, run, provenance, plan, capture, source)
        if plan is None and run.subtracted and not run.subtraction_guessed:
            # The device subtracted, and the next reader must not do it again.
            dataset.DerivationCodeSequence.insert(0, code_item(*_SUBTRACTION))
        add_sources(dataset, run, numbers, plan)
        # The name comes last and is shorter: the last value may get a pad byte, and a hash already fills all 64.
        software = (
            _plain(f"DSADeblur {provenance.software_version}", 64),
            _plain(provenance.model_sha256, 64),
            _plain(provenance.model_name, 62),
        )
        add_equipment(dataset, source, run, [one for one in software if one])
        add_lossy_history(dataset, source, run)
        add_timing(dataset, run, numbers)
        _image_pixel(dataset, run, allocated, bits_stored)
        if not capture:
            add_motion(dataset, source, run, numbers)
            # What is of a kind that DICOM does not name is for display, and so are differences.
            dataset.PixelIntensityRelationship = "DISP" if scale else run.relationship or "DISP"
        if scale is not None and plan is not None:
            _subtracted_display(dataset, scale, run, plan)
        else:
            _native_display(dataset, source, run, numbers, bool(capture))
    return dataset


@contextmanager
def _using_source() -> Iterator[None]:
    """Turn a failure to use the source's header into one XAWriteError."""
    try:
        with reading():
            yield
    except XAReadError as error:
        raise XAWriteError(f"The source's header cannot be used: {error}") from error


def _check(path: Path, run: RunHeader, frames: Frames, numbers: tuple[int, ...], bits: int) -> None:
    if bits not in (8, 12, 16):
        raise XAWriteError(f"Subtracted frames are stored in 16, 12 or 8 bits, not {bits}.")
    if tuple(frames.shape) != (len(numbers), run.image_rows, run.image_columns):
        raise XAWriteError(
            f"Frames of shape {tuple(frames.shape)} do not fit {len(numbers)} frame numbers of a "
            f"{run.image_rows} x {run.image_columns} run."
        )
    if not numbers or any(one >= two for one, two in pairwise(numbers)):
        raise XAWriteError("Frame numbers must be ascending and without repetition.")
    if numbers[0] < 1 or numbers[-1] > run.number_of_frames:
        raise XAWriteError(f"Frame numbers {numbers[0]}-{numbers[-1]} lie outside 1..{run.number_of_frames}.")
    if path.exists() and run.source.path.exists() and path.samefile(run.source.path):
        raise XAWriteError("The derived object may not replace its source; choose another file name.")


def _finite(frame: np.ndarray, number: int) -> np.ndarray:
    if frame.dtype.kind == "f" and not np.isfinite(frame).all():
        raise XAWriteError(f"Network produced invalid values in frame {number}.")
    return frame


def _fit_scale(
    frames: Frames, numbers: tuple[int, ...], bits: int, exposed: np.ndarray | None, room: int = 1
) -> _Scale:
    """Return the finest symmetric scale that holds every value of the run `room` times; 0 is exactly mid-grey.

    The window for display is that of the `exposed` pixels: what lies behind shutters is not looked at.
    """
    largest, samples = 0.0, []
    step = max(1, int(np.prod(frames.shape)) // _WINDOW_SAMPLES)
    for index, number in enumerate(numbers):
        frame = _finite(np.asarray(frames[index]), number)
        largest = max(largest, float(np.abs(frame).max()))
        values = frame.ravel() if exposed is None else frame[exposed]
        samples.append(values[::step].astype(np.float32))
    offset = 1 << (bits - 1)
    slope = room * (largest or 1.0) / (offset - 1)
    low, high = np.percentile(np.concatenate(samples), (0.5, 99.5)) / slope
    return _Scale(slope, offset, bits, (offset + (low + high) / 2, max(high - low, 1.0)))


def _subtracted_encoder(frames: Frames, numbers: tuple[int, ...], scale: _Scale) -> Callable[[int], np.ndarray]:
    dtype = np.uint8 if scale.bits == 8 else np.uint16

    def encode(index: int) -> np.ndarray:
        frame = _finite(np.asarray(frames[index]), numbers[index])
        values = np.rint(frame.astype(np.float64) / scale.slope) + scale.offset
        return np.clip(values, 0, (1 << scale.bits) - 1).astype(dtype)

    return encode


def _native_encoder(frames: Frames, numbers: tuple[int, ...], run: RunHeader) -> Callable[[int], np.ndarray]:
    bits = run.stored_pixels.bits_stored
    largest = (1 << bits) - 1

    def encode(index: int) -> np.ndarray:
        frame = _finite(np.asarray(frames[index]), numbers[index])
        if frame.dtype.kind not in "ui":
            raise XAWriteError(f"Native frames are whole numbers of {bits} bits, not {frame.dtype}.")
        if frame.min() < 0 or frame.max() > largest:
            raise XAWriteError(f"Frame {numbers[index]} has values outside 0..{largest}.")
        return frame.astype(np.uint8 if run.stored_pixels.bits_allocated == 8 else np.uint16)

    return encode


def _depth(run: RunHeader, scale: _Scale | None, capture: bool, frames: int) -> tuple[int, int]:
    """Return (bits allocated, bits stored): the source's where its object class allows that depth, else the next."""
    if scale is not None:
        return (8 if scale.bits == 8 else 16), scale.bits
    source = run.stored_pixels
    if not capture:
        # XA and RF know 8, 10, 12 and 16 stored bits only (C.8.7.1). A wider field holds the same values.
        stored = next(one for one in (8, 10, 12, 16) if one >= source.bits_stored)
        return (8 if source.bits_allocated == 8 else 16), stored
    if frames > 1:
        return (8, 8) if source.bits_stored <= 8 else (16, source.bits_stored)
    return source.bits_allocated, source.bits_stored


def _plain(text: str, limit: int, encoding: str = "ascii") -> str:
    """Return one printable line, at most `limit` long; as ASCII it is legal in any character set and text type."""
    line = " ".join(str(text).replace("\\", "/").split()).encode(encoding, "replace").decode(encoding)
    return "".join(one for one in line if one.isprintable())[:limit].strip()


def _encoding(dataset: Dataset) -> str:
    """Return what Python calls the data set's character set, if it has a single one; else ASCII."""
    charset = dataset.get("SpecificCharacterSet")
    return python_encoding.get(charset, "ascii") if isinstance(charset, str) and charset else "ascii"


def result_name(subtracted: bool) -> str:
    """Return what a series description says of the result, whatever the source was called."""
    return "subtracted, deblurred (research use only)" if subtracted else "deblurred (research use only)"


def _describe(
    dataset: Dataset,
    run: RunHeader,
    provenance: Provenance,
    plan: SubtractionPlan | None,
    capture: str,
    source: Dataset,
) -> None:
    """Write the descriptions and codes. Results that are not differences never say 'subtract': readers look for it."""
    suffix = result_name(plan is not None)
    plane = run.source.plane
    if plane.startswith("BIPLANE"):
        suffix = f"plane {plane[-1]} {suffix}"
    original = _plain(run.source.description, 63 - len(suffix), _encoding(dataset))
    dataset.SeriesDescription = f"{original} {suffix}".strip()
    model = f"model {provenance.model_name}" if provenance.model_name else "no model"
    if provenance.model_sha256:
        model += f" (sha256 {provenance.model_sha256[:16]})"
    parts = [f"{RESEARCH_USE}. Focal-spot deblurring by DSADeblur {provenance.software_version}, {model}"]
    if plane.startswith("BIPLANE"):
        names = ("PositionerPrimaryAngle", "PositionerSecondaryAngle")
        angles = [one for name in names for one in numbers_of(source, name) or ()]
        parts.append(f"Plane {plane[-1]}, positioner angles {', '.join(f'{one:g}' for one in angles) or 'unknown'}")
    if plan is None and run.subtraction_guessed:
        # The next reader asks again.
        parts.append("The source looks subtracted already")
    if plan is not None:
        parts.append(f"Subtracted: {plan.describe()}")
        parts += plan.notes
    facts = run.acquisition
    assumed = list(dict.fromkeys((*provenance.assumed, *facts.assumed())))
    of_source = text_of(source, "PixelIntensityRelationship")
    if of_source and run.relationship is None:
        assumed.append(f"values for display (pixel intensity relationship {of_source[:16]})")
    if run.relationship and of_source != run.relationship:
        assumed.append(f"pixel intensity relationship {run.relationship} (user)")
    if run.stored_pixels.choices.polarity:
        assumed.append(f"polarity of stored values: {run.stored_pixels.choices.polarity} (user)")
    if text_of(source, "StudyInstanceUID") != run.source.study_instance_uid:
        assumed.append("a new Study Instance UID (user)")
    if run.stored_pixels.frames != run.stored_pixels.declared_frames:
        assumed.append(f"{run.stored_pixels.frames} frames as the file holds (user)")
    if assumed:
        parts.append("Assumed " + ", ".join(assumed))
    if facts.blur_detector_px.value is not None:
        parts.append(
            f"Geometry: focal spot {facts.focal_spot.text} mm, magnification {facts.magnification.text}, "
            f"blur {facts.blur_detector_px.text} px"
        )
    if capture and run.source.sop_class_uid not in SC_CLASSES:
        parts.append(f"Secondary Capture because {capture}")
    if provenance.settings:
        parts.append(f"Settings: {provenance.settings}")
    dataset.DerivationDescription = _plain(". ".join(one.rstrip(".") for one in parts) + ".", 1024)
    dataset.DerivationCodeSequence = [code_item("113086", "DCM", "Edge enhancement")]
    if plan is not None:
        dataset.DerivationCodeSequence.insert(0, code_item(*_SUBTRACTION))


def _image_pixel(dataset: Dataset, run: RunHeader, allocated: int, stored: int) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = run.image_rows, run.image_columns
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, stored, stored - 1
    dataset.PixelRepresentation = 0


def _native_display(dataset: Dataset, source: Dataset, run: RunHeader, numbers: tuple[int, ...], capture: bool) -> None:
    """Keep what the stored values mean: window, real-world values, the LUT of a LOG image, masks of the same frames."""
    if run.windows:
        dataset.WindowCenter = [format_number_as_ds(round(one.center, 6)) for one in run.windows]
        dataset.WindowWidth = [format_number_as_ds(round(one.width, 6)) for one in run.windows]
        if run.windows[0].function != "LINEAR":
            dataset.VOILUTFunction = run.windows[0].function
    if items_of(source, "RealWorldValueMappingSequence"):
        mappings = items_of(source, "RealWorldValueMappingSequence")
        dataset.RealWorldValueMappingSequence = [copy_item(one) for one in mappings]
    if capture:
        return
    if run.relationship == "LOG":
        keep = (
            ("ModalityLUTSequence",)
            if items_of(source, "ModalityLUTSequence")
            else ("RescaleSlope", "RescaleIntercept", "RescaleType")
        )
        for element in copy_attributes(source, frozenset(keep)):
            dataset.add(element)
    whole = numbers == tuple(range(1, run.number_of_frames + 1))
    mask = run.mask
    if whole and mask is not None and all(one.operation != "NONE" and not one.problems for one in mask.items):
        dataset.MaskSubtractionSequence = [copy_item(one) for one in items_of(source, "MaskSubtractionSequence")]
        dataset.RecommendedViewingMode = mask.viewing_mode or None


def _subtracted_display(dataset: Dataset, scale: _Scale, run: RunHeader, plan: SubtractionPlan) -> None:
    """Write a window for the differences, and what a stored value means where that is known (C.7.6.16.2.11)."""
    dataset.WindowCenter = format_number_as_ds(round(scale.window[0], 1))
    dataset.WindowWidth = format_number_as_ds(round(scale.window[1], 1))
    if not is_quantitative(run, plan):
        return
    item = Dataset()
    item.add_new("RealWorldValueFirstValueMapped", "US", 0)
    item.add_new("RealWorldValueLastValueMapped", "US", (1 << scale.bits) - 1)
    item.RealWorldValueIntercept = -scale.offset * scale.slope
    item.RealWorldValueSlope = scale.slope
    item.LUTLabel, item.LUTExplanation = OPTICAL_DENSITY
    item.MeasurementUnitsCodeSequence = [code_item("1", "UCUM", "no units")]
    dataset.RealWorldValueMappingSequence = [item]
