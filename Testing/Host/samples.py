"""Small X-ray angiography files for tests, written with pydicom: one run of a moving dark vessel on a slope."""

from __future__ import annotations

import os

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

XA_STORAGE = "1.2.840.10008.5.1.4.1.1.12.1"


def vessel_frames(count: int = 6, rows: int = 48, cols: int = 64, bits: int = 12, seed: int = 3) -> np.ndarray:
    """(count, rows, cols) uint8 or uint16: the first two frames are without contrast, then a vessel fills."""
    rng = np.random.default_rng(seed)
    top = 2**bits - 1
    y, x = np.mgrid[:rows, :cols].astype(float)
    background = 0.45 + 0.35 * x / cols + 0.08 * np.sin(y / 5)
    frames = np.empty((count, rows, cols), np.uint8 if bits <= 8 else np.uint16)
    for n in range(count):
        filling = max(0, n - 1) / max(1, count - 2)
        vessel = np.exp(-(((x - cols / 2 - 6 * np.sin(y / 9)) / 3.0) ** 2)) * (y < rows * min(1.0, 0.4 + filling))
        clean = background * np.exp(-0.9 * filling * vessel)
        frames[n] = np.clip(np.rint(top * (clean + rng.normal(0, 0.004, clean.shape))), 0, top)
    return frames


def write_run(
    path: str | os.PathLike,
    frames: np.ndarray,
    *,
    bits: int = 12,
    relationship: str | None = "LIN",
    frame_time: float | None = 250.0,
    frame_times: list[float] | None = None,
    mask_frames: tuple[int, ...] = (),
    contrast_range: tuple[int, int] | None = None,
    mask_shift: tuple[float, float] | None = None,
    geometry: bool = True,
    spacing: tuple[float, float] | None = (0.3, 0.3),
    photometric: str = "MONOCHROME2",
    instance_number: int = 1,
    sop_class: str = XA_STORAGE,
    extra: dict | None = None,
) -> Dataset:
    """Write one XA file and return its data set.

    frames: (n, rows, cols) uint8/uint16, or (n, rows, cols, 3) uint8 for a colour file.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.PatientName, ds.PatientID = "Phantom^Test", "TEST"
    ds.PatientBirthDate = ds.PatientSex = ds.StudyID = ds.AccessionNumber = ds.ReferringPhysicianName = ""
    ds.StudyDate, ds.StudyTime = "20240102", "101112"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "XA", 5, instance_number
    ds.SeriesDescription, ds.Manufacturer = "DSA cerebral", "Test"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]
    ds.BodyPartExamined = "HEAD"
    ds.KVP, ds.RadiationSetting, ds.PositionerMotion = "80", "GR", "STATIC"
    ds.XRayTubeCurrent = ds.ExposureTime = None
    ds.PositionerPrimaryAngle, ds.PositionerSecondaryAngle = "10.0", "20.0"
    ds.Rows, ds.Columns = frames.shape[1:3]
    ds.SamplesPerPixel = 1 if frames.ndim == 3 else 3
    ds.PhotometricInterpretation = photometric
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = 8 * frames.dtype.itemsize
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, 0
    if relationship is not None:
        ds.PixelIntensityRelationship = relationship
    ds.NumberOfFrames = len(frames)
    if frame_times is not None:
        ds.FrameTimeVector, ds.FrameIncrementPointer = [f"{t:g}" for t in frame_times], 0x00181065
    elif frame_time is not None:
        ds.FrameTime, ds.FrameIncrementPointer = f"{frame_time:g}", 0x00181063
    if spacing is not None:
        ds.ImagerPixelSpacing = [f"{value:g}" for value in spacing]
    if geometry:
        ds.DistanceSourceToDetector, ds.DistanceSourceToPatient, ds.FocalSpots = "1100", "720", "0.6"
    if mask_frames:
        item = Dataset()
        item.MaskOperation, item.MaskFrameNumbers = "AVG_SUB", list(mask_frames)
        if contrast_range is not None:
            item.ApplicableFrameRange = list(contrast_range)
        if mask_shift is not None:
            item.MaskSubPixelShift = list(mask_shift)
        ds.MaskSubtractionSequence, ds.RecommendedViewingMode = [item], "SUB"
    for name, value in (extra or {}).items():
        setattr(ds, name, value)
    ds.PixelData = np.ascontiguousarray(frames).astype(frames.dtype.newbyteorder("<")).tobytes()
    ds["PixelData"].VR = "OW" if frames.dtype.itemsize == 2 else "OB"
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return ds
