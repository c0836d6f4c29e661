"""Write simulated frames as a valid X-Ray Angiographic object: the sample run and the fixtures of the tests."""

import math
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless
from pydicom.valuerep import format_number_as_ds

from DSADeblurLib.errors import XAWriteError
from DSADeblurLib.request import RELATIONSHIPS
from DSADeblurLib.xa.derived.compression import fragment_encoder
from DSADeblurLib.xa.derived.save import attach_compressed_pixels, attach_native_pixels, write_dicom
from DSADeblurLib.xa.file.dataset import XA_IMAGE

# Simulations have no time of their own. One fixed moment keeps the files reproducible byte for byte.
_DATE, _TIME = "20260101", "120000"
# The largest intensity a LOG image's Modality LUT gives back.
_LUT_MAXIMUM = 65535


def write_simulated_run(
    path: str | os.PathLike,
    frames: np.ndarray,
    *,
    bits_stored: int = 12,
    relationship: str = "LIN",
    frame_time_ms: float | Sequence[float],
    focal_spot_mm: float | Sequence[float] | None,
    sid_mm: float | None,
    sod_mm: float | None,
    imager_pixel_spacing_mm: tuple[float, float] | float | None,
    mask_frames: Sequence[int] | None = None,
    contrast_frames: Sequence[int] | None = None,
    averaging: int = 1,
    shift: tuple[float, float] = (0.0, 0.0),
    series_description: str = "Simulated angiogram",
    patient_name: str = "SIMULATED^DSADEBLUR",
    body_part: str = "HEAD",
    kvp: float | None = None,
    series_number: int = 1,
    study_uid: str | None = None,
    uid_seed: str = "DSADeblur",
    transfer_syntax: str = JPEGLSLossless,
) -> Path:
    """Write uint8 or uint16 `frames` of shape (n, rows, columns) as one XA object and return its path.

    `frame_time_ms` is the time between frames, or n increments of which the first is 0 (Frame Time Vector). Spacing
    is (row, column) in mm. `mask_frames` and `contrast_frames` are 1-based and make a Mask Module with operation
    AVG_SUB; `shift` is its sub-pixel shift. Geometry given as None is left out. A LOG run gets a Modality LUT whose
    values rise exponentially from 1 to 65535. The same arguments always give the same bytes: every UID is derived
    from `uid_seed`. `transfer_syntax` is JPEG-LS lossless or Explicit VR Little Endian.

    Raises XAWriteError when the frames do not fit the arguments. Source: PS3.3 A.14 (XA Image IOD).
    """
    frames = np.asarray(frames)
    _check(frames, bits_stored, relationship)
    dataset = _identity(patient_name, series_description, series_number, study_uid, uid_seed)
    dataset.BodyPartExamined = body_part
    dataset.KVP = None if kvp is None else _ds(kvp)
    dataset.RadiationSetting = "GR"
    dataset.XRayTubeCurrent = dataset.ExposureTime = dataset.Exposure = None
    dataset.PositionerMotion = "STATIC"
    dataset.PositionerPrimaryAngle = dataset.PositionerSecondaryAngle = "0"
    _geometry(dataset, focal_spot_mm, sid_mm, sod_mm, imager_pixel_spacing_mm)
    _image(dataset, frames, bits_stored, relationship)
    _timing(dataset, len(frames), frame_time_ms)
    if mask_frames is not None:
        dataset.MaskSubtractionSequence = [_mask_item(mask_frames, contrast_frames, averaging, shift)]
        dataset.RecommendedViewingMode = "SUB"

    if transfer_syntax == JPEGLSLossless:
        encode = fragment_encoder(JPEGLSLossless, frames.__getitem__, bits_stored)
        attach_compressed_pixels(dataset, encode, len(frames))
    elif transfer_syntax == ExplicitVRLittleEndian:
        attach_native_pixels(dataset, frames.__getitem__, len(frames), frames[0].nbytes, frames.dtype.itemsize * 8)
    else:
        raise XAWriteError("A simulated run is written as JPEG-LS lossless or Explicit VR Little Endian only.")
    return write_dicom(dataset, path, transfer_syntax)


def _check(frames: np.ndarray, bits_stored: int, relationship: str) -> None:
    if frames.ndim != 3 or frames.dtype not in (np.uint8, np.uint16) or not frames.size:
        raise XAWriteError("Simulated frames must be a uint8 or uint16 array of shape (n, rows, columns).")
    if bits_stored not in ((8,) if frames.dtype == np.uint8 else (10, 12, 16)):
        raise XAWriteError(f"{bits_stored} stored bits are not allowed for {frames.dtype} XA frames.")
    if int(frames.max()) >> bits_stored:
        raise XAWriteError(f"Frame values exceed {bits_stored} bits.")
    if relationship not in RELATIONSHIPS:
        raise XAWriteError(f"Pixel intensity relationship must be LIN, LOG or DISP, not {relationship!r}.")


def _ds(value: float) -> str:
    return format_number_as_ds(float(value))


def _uid(seed: str, role: str) -> str:
    """Return a UID that depends on seed and role only (PS3.5 B.2, from a name-based UUID)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'DSADeblur simulation/{seed}/{role}').int}"


def _identity(name: str, description: str, number: int, study_uid: str | None, seed: str) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = _DATE, _TIME
    dataset.SOPClassUID = XA_IMAGE
    dataset.SOPInstanceUID = _uid(seed, "instance")
    dataset.StudyInstanceUID = study_uid or _uid(seed, "study")
    dataset.SeriesInstanceUID = _uid(seed, "series")
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = _DATE
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = _TIME
    dataset.Modality = "XA"
    dataset.AccessionNumber = ""
    dataset.Manufacturer = "DSADeblur"
    dataset.ManufacturerModelName = "DSADeblur simulator"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "SIMULATED, no patient"
    dataset.SeriesDescription = description[:64]
    dataset.ImageComments = "SIMULATED DATA: computed by the DSADeblur simulator, no patient was imaged."
    dataset.PatientName = name
    dataset.PatientID = "SIMULATED"
    dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.StudyID = "SIM"
    dataset.SeriesNumber, dataset.InstanceNumber = number, 1
    dataset.PatientOrientation = ""
    dataset.BurnedInAnnotation = "NO"
    return dataset


def _geometry(dataset: Dataset, spot, sid: float | None, sod: float | None, spacing) -> None:
    if sid is not None:
        dataset.DistanceSourceToDetector = _ds(sid)
    if sod is not None:
        dataset.DistanceSourceToPatient = _ds(sod)
    if sid is not None and sod is not None:
        dataset.EstimatedRadiographicMagnificationFactor = _ds(sid / sod)
    if spacing is not None:
        pair = (spacing, spacing) if isinstance(spacing, int | float) else spacing
        dataset.ImagerPixelSpacing = [_ds(one) for one in pair]
    if spot is not None:
        spots = (spot,) if isinstance(spot, int | float) else spot
        dataset.FocalSpots = [_ds(one) for one in spots]


def _image(dataset: Dataset, frames: np.ndarray, bits_stored: int, relationship: str) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = frames.shape[1:]
    dataset.BitsAllocated = frames.dtype.itemsize * 8
    dataset.BitsStored, dataset.HighBit = bits_stored, bits_stored - 1
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship = relationship
    dataset.LossyImageCompression = "00"
    low, high = np.percentile(frames[len(frames) // 2], (0.5, 99.5))
    dataset.WindowCenter, dataset.WindowWidth = _ds(round((low + high) / 2)), _ds(max(round(high - low), 1))
    if relationship == "LOG":
        count = 1 << bits_stored
        table = np.rint(np.exp(np.arange(count) * (math.log(_LUT_MAXIMUM) / (count - 1)))).astype("<u2")
        item = Dataset()
        # 65536 entries are written as 0 (PS3.3 C.11.1.1).
        item.add_new("LUTDescriptor", "US", [count % 65536, 0, 16])
        item.LUTExplanation = "To linear intensity"
        item.ModalityLUTType = "US"
        item.add_new("LUTData", "OW", table.tobytes())
        dataset.ModalityLUTSequence = [item]


def _timing(dataset: Dataset, count: int, frame_time_ms: float | Sequence[float]) -> None:
    dataset.NumberOfFrames = count
    if isinstance(frame_time_ms, int | float):
        dataset.FrameIncrementPointer = 0x00181063
        dataset.FrameTime = _ds(frame_time_ms)
        dataset.CineRate = dataset.RecommendedDisplayFrameRate = max(1, round(1000 / frame_time_ms))
        return
    if len(frame_time_ms) != count:
        raise XAWriteError(f"Frame Time Vector has {len(frame_time_ms)} values for {count} frames.")
    dataset.FrameIncrementPointer = 0x00181065
    dataset.FrameTimeVector = [_ds(one) for one in frame_time_ms]


def frame_ranges(numbers: Sequence[int]) -> list[int]:
    """Return 1-based frame numbers as inclusive pairs, flattened: [1, 2, 3, 7] gives [1, 3, 7, 7]."""
    pairs: list[int] = []
    for number in sorted(set(numbers)):
        if pairs and number == pairs[-1] + 1:
            pairs[-1] = number
        else:
            pairs += [number, number]
    return pairs


def _mask_item(masks: Sequence[int], contrast: Sequence[int] | None, averaging: int, shift) -> Dataset:
    item = Dataset()
    item.MaskOperation = "AVG_SUB"
    item.MaskFrameNumbers = [int(one) for one in masks]
    if contrast is not None:
        item.ApplicableFrameRange = frame_ranges(contrast)
    item.ContrastFrameAveraging = averaging
    item.MaskSubPixelShift = [float(one) for one in shift]
    return item
