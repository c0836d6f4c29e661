"""Every kind of derived object that can be written, each with its source and the pixels it must hold."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa import Provenance, plan_subtraction, read_run, subtract, write_derived
from DSADeblurLib.xa.derived.deidentified import Deidentifier
from DSADeblurLib.xa.file.dataset import SC_BYTE, SC_CLASSES, SC_WORD, SECONDARY_CAPTURE, XA_IMAGE, XRF_IMAGE

_PROVENANCE = Provenance("conformance", "0123456789abcdef" * 4, "0.0", "sharpness 1", ("focal spot 0.6 mm (user)",))
_SIZE = (48, 64)


@dataclass(frozen=True)
class Variant:
    """How a source is made and what is derived from it.

    `numbers` are the frames of a native result, all when empty; `changes` alter the source's header; `lossy` passes
    the source through a JPEG encoder; `again` derives a second time; `anonymous` drops the identity of the result.
    """

    name: str
    bits: int = 12
    relationship: str = "LIN"
    count: int = 6
    size: tuple[int, int] = _SIZE
    times: float | Sequence[float] = 125.0
    masked: bool = True
    changes: Callable[[Dataset], None] | None = None
    subtracted: bool = False
    numbers: tuple[int, ...] = ()
    stored: int = 16
    compression: str = "none"
    assumed: str | None = None
    lossy: bool = False
    again: bool = False
    anonymous: bool = False


@dataclass(frozen=True)
class Specimen:
    """A variant as files. `pixels` (n, rows, columns) are the stored values that every reader must find."""

    variant: Variant
    source: Path
    path: Path
    pixels: np.ndarray


def _biplane(plane: str) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        code, item = Dataset(), Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "121314", "DCM", "Other image of biplane pair"
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = XA_IMAGE, "1.2.3.4.5"
        item.PurposeOfReferenceCodeSequence = [code]
        dataset.ReferencedImageSequence = [item]
        dataset.ImageType = ["ORIGINAL", "PRIMARY", f"BIPLANE {plane}"]

    return change


def _fluoroscopy(dataset: Dataset) -> None:
    dataset.SOPClassUID, dataset.Modality = XRF_IMAGE, "RF"
    for keyword in ("PositionerMotion", "PositionerPrimaryAngle", "PositionerSecondaryAngle"):
        del dataset[keyword]


def _capture(uid: str) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        dataset.SOPClassUID, dataset.ImageType = uid, ["ORIGINAL", "PRIMARY"]
        del dataset.PixelIntensityRelationship

    return change


def _without(*keywords: str) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        for keyword in keywords:
            del dataset[keyword]

    return change


def _fourteen_bits(dataset: Dataset) -> None:
    dataset.BitsStored, dataset.HighBit = 14, 13


def _clinical(dataset: Dataset) -> None:
    """What the header of a hospital's run carries besides."""
    dataset.private_block(0x0029, "VENDOR X", create=True).add_new(0x01, "LO", "secret")
    dataset.add_new(0x60000010, "US", 48)
    dataset.SpecificCharacterSet, dataset.PatientName = "ISO_IR 192", "Müller^Jörg"
    dataset.PatientSex, dataset.PatientAge, dataset.PatientBirthDate = "M", "061Y", "19630102"
    dataset.OperatorsName, dataset.InstitutionName, dataset.StationName = "Doe^Jane", "Hospital", "ROOM1"
    dataset.IrradiationEventUID, dataset.ContrastBolusAgent = "1.2.3.4", "Iodixanol"
    dataset.PositionerMotion, dataset.TableMotion = "DYNAMIC", "STATIC"
    dataset.PositionerPrimaryAngleIncrement = ["0", "1", "2", "3", "4", "5"]
    dataset.PositionerSecondaryAngleIncrement = "0.5"
    dataset.CollimatorShape = "RECTANGULAR"
    dataset.CollimatorLeftVerticalEdge, dataset.CollimatorRightVerticalEdge = 0, 65
    dataset.CollimatorUpperHorizontalEdge, dataset.CollimatorLowerHorizontalEdge = 0, 49
    dataset.ShutterShape, dataset.RadiusOfCircularShutter = "CIRCULAR", 40
    dataset.CenterOfCircularShutter = [24, 32]
    dataset.PixelSpacing, dataset.PixelSpacingCalibrationType = [0.11, 0.11], "GEOMETRY"
    dataset.PixelSpacingCalibrationDescription = "isocentre"
    dataset.RescaleSlope, dataset.RescaleIntercept = "2", "-100"
    dataset.WindowCenter, dataset.WindowWidth = ["1000", "2000"], ["500", "900"]


_VECTOR = (0.0, 100.0, 150.0, 150.0, 300.0, 100.0)

VARIANTS = (
    *(Variant(f"native {bits} bit", bits=bits) for bits in (8, 10, 12, 16)),
    Variant("native 14 bit, kept as 16", changes=_fourteen_bits),
    Variant("native LOG", relationship="LOG"),
    Variant("native DISP", relationship="DISP", bits=8),
    Variant("native, frames chosen", numbers=(2, 3, 5)),
    Variant("native, odd size", bits=8, count=3, size=(47, 61)),
    *(Variant(f"subtracted {bits} bit", subtracted=True, stored=bits) for bits in (16, 12, 8)),
    Variant("subtracted LOG", relationship="LOG", subtracted=True),
    Variant("subtracted DISP", relationship="DISP", subtracted=True),
    Variant("subtracted, deblurred again", subtracted=True, again=True),
    Variant("single frame of a run", numbers=(4,)),
    Variant("single frame", count=1, masked=False),
    Variant("frame time vector, native", times=_VECTOR),
    Variant("frame time vector, subtracted", times=_VECTOR, subtracted=True),
    Variant("biplane A", changes=_biplane("A")),
    Variant("biplane B, subtracted", changes=_biplane("B"), subtracted=True),
    Variant("clinical header, C-arm moved", changes=_clinical),
    Variant("lossy source", bits=8, masked=False, lossy=True),
    Variant("RF native", changes=_fluoroscopy),
    Variant("RF subtracted", changes=_fluoroscopy, subtracted=True),
    Variant("SC single frame", changes=_capture(SECONDARY_CAPTURE), count=1, masked=False),
    Variant("SC byte", changes=_capture(SC_BYTE), bits=8, masked=False),
    Variant("SC word", changes=_capture(SC_WORD), masked=False),
    Variant("SC word, subtracted", changes=_capture(SC_WORD), subtracted=True, assumed="LIN"),
    Variant("XA as SC: no radiation setting", changes=_without("RadiationSetting")),
    Variant("XA as SC: no frame timing", changes=_without("FrameTime")),
    *(
        Variant(f"{compression} {kind}", compression=compression, **options)
        for compression in ("jpeg-ls", "jpeg-2000", "rle")
        for kind, options in (
            ("native 8 bit", {"bits": 8, "size": (47, 61)}),
            ("native 12 bit", {}),
            ("subtracted 16 bit", {"subtracted": True}),
            ("single frame", {"numbers": (4,)}),
        )
    ),
    Variant("without identity, native", changes=_clinical, anonymous=True),
    Variant("without identity, subtracted", subtracted=True, anonymous=True),
    Variant("without identity, biplane", changes=_biplane("A"), anonymous=True),
    Variant("without identity, RF jpeg-ls", changes=_fluoroscopy, compression="jpeg-ls", anonymous=True),
    Variant("without identity, SC", changes=_without("RadiationSetting"), anonymous=True),
)


def make(variant: Variant, folder: Path) -> Specimen:
    """Write the source and the derived object of one variant into `folder`.

    Raises RuntimeError or XAWriteError with the reason when something it needs is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = _source(variant, folder)
    run = read_run(source, UserFacts(relationship=variant.assumed))
    path, pixels = _derived(variant, run, folder / "derived.dcm")
    if variant.again:
        again = read_run(path)
        source, (path, pixels) = path, _derived(Variant(variant.name), again, folder / "again.dcm")
    if variant.anonymous:
        path = Deidentifier().write(path, folder).path
    return Specimen(variant, source, path, pixels)


def _source(variant: Variant, folder: Path) -> Path:
    options = {}
    if variant.masked:
        options = {"mask_frames": (1, 2), "contrast_frames": range(3, variant.count + 1)}
    path = write_simulated_run(
        folder / "source.dcm",
        _frames(variant),
        bits_stored=variant.bits,
        relationship=variant.relationship,
        frame_time_ms=variant.times,
        focal_spot_mm=0.6,
        sid_mm=1100.0,
        sod_mm=720.0,
        imager_pixel_spacing_mm=0.154,
        transfer_syntax=ExplicitVRLittleEndian if variant.changes or variant.lossy else JPEGLSLossless,
        **options,
    )
    if variant.lossy:
        original, path = path, folder / "lossy.dcm"
        try:
            subprocess.run(["dcmcjpeg", "+eb", "+q", "70", original, path], check=True, capture_output=True)
        except FileNotFoundError:
            raise RuntimeError("dcmcjpeg is not installed") from None
    if variant.changes:
        dataset = pydicom.dcmread(path)
        variant.changes(dataset)
        if dataset.SOPClassUID in SC_CLASSES and "MaskSubtractionSequence" in dataset:
            del dataset.MaskSubtractionSequence, dataset.RecommendedViewingMode
        dataset.save_as(path, enforce_file_format=True)
    return path


def _frames(variant: Variant) -> np.ndarray:
    """A background with an edge, noise, and a vessel that fills from frame 3 on."""
    rows, columns = variant.size
    y, x = np.mgrid[:rows, :columns]
    tissue = 0.3 + 0.4 * (x > columns // 3) + 0.2 * np.sin(y / 5.0)
    vessel = np.exp(-((x - 0.6 * columns - 0.1 * y) ** 2) / 18.0)
    iodine = np.maximum(np.arange(variant.count) - 1, 0)[:, None, None] * 0.15 * vessel
    top = (1 << variant.bits) - 1
    noise = np.random.default_rng(7).normal(0, 0.005, iodine.shape)
    line = np.exp(-tissue - iodine + noise)
    if variant.relationship == "LOG":
        line = 1 + np.log(line) / np.log(65535)
    return np.clip(np.rint(0.95 * top * line), 0, top).astype(np.uint8 if variant.bits == 8 else np.uint16)


def _derived(variant: Variant, run, path: Path) -> tuple[Path, np.ndarray]:
    """Derive with frames that are not the source's, as a network's are not."""
    if variant.subtracted:
        plan = plan_subtraction(run, "always", (1, 2) if variant.assumed else None)
        frames = np.asarray(subtract(run.frames, plan, run.relationship)) * 0.9
        written = write_derived(
            path,
            run,
            frames,
            frame_numbers=plan.contrast_frames,
            provenance=_PROVENANCE,
            plan=plan,
            bits=variant.stored,
            compression=variant.compression,
        )
        slope = float(np.abs(frames).max()) / ((1 << variant.stored - 1) - 1)
        return written, np.rint(frames.astype(np.float64) / slope).astype(int) + (1 << variant.stored - 1)
    numbers = variant.numbers or tuple(range(1, run.number_of_frames + 1))
    frames = run.frames[[one - 1 for one in numbers]] ^ 1
    written = write_derived(
        path, run, frames, frame_numbers=numbers, provenance=_PROVENANCE, compression=variant.compression
    )
    return written, frames.astype(int)
