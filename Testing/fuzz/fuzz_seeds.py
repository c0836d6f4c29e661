"""The files that fuzzing starts from: small simulated runs in every syntax that can be made here, and real ones."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless, RLELossless

from DSADeblurLib.lab.simulation.xa_object import write_simulated_run

_NATIVE = "1.2.840.10008.1.2.1"
_TOOLS = {
    "implicit": ("dcmconv", "+ti"),
    "big-endian": ("dcmconv", "+tb"),
    "jpeg-lossless": ("dcmcjpeg", "+e1"),
    "jpeg-lossless-14": ("dcmcjpeg", "+el"),
    "jpeg-extended": ("dcmcjpeg", "+ee"),
    "jpeg-2000": ("gdcmconv", "--j2k"),
    "gdcm-jpeg-ls": ("gdcmconv", "--jpegls"),
}


def make_seeds(folder: Path, real: Path | None = None) -> list[Path]:
    """Write the seeds into `folder` and return them, the real files of folder `real` last.

    What needs a tool that is not installed (DCMTK, GDCM) is left out.
    """
    seeds = [
        _run(folder / "linear.dcm"),
        _run(folder / "log.dcm", relationship="LOG"),
        _run(folder / "jpeg-ls.dcm", transfer_syntax=JPEGLSLossless),
        _run(folder / "eight.dcm", bits=8),
        _run(folder / "sixteen.dcm", bits=16),
        _run(folder / "single.dcm", count=1),
    ]
    seeds.append(_edited(seeds[0], folder / "rle.dcm", _run_lengths))
    seeds.append(_edited(seeds[0], folder / "monochrome1.dcm", _monochrome1))
    seeds.append(_edited(seeds[0], folder / "enhanced.dcm", _enhanced))
    seeds.append(_edited(seeds[0], folder / "rich.dcm", _rich))
    for name, command in _TOOLS.items():
        if shutil.which(command[0]):
            target = folder / f"{name}.dcm"
            done = subprocess.run([*command, seeds[0], target], capture_output=True)
            if done.returncode == 0 and target.exists():
                seeds.append(target)
    if real is not None and real.is_dir():
        seeds += sorted(real.glob("*.dcm"))
    return seeds


def real_folder() -> Path:
    """Return where real test files are looked for."""
    root = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("DSADEBLUR_DATA", root.parent / "shared" / "data")) / "xa"


def _run(path: Path, relationship: str = "LIN", bits: int = 12, count: int = 5, **options) -> Path:
    rng = np.random.default_rng(len(path.name))
    y, x = np.mgrid[:28, :24]
    frames = (1 << bits) * (0.5 + 0.2 * np.sin(x / 4 + y / 7) + 0.02 * rng.standard_normal((count, 28, 24)))
    dtype = np.uint8 if bits == 8 else np.uint16
    masks = {"mask_frames": [1, 2], "contrast_frames": range(3, count + 1)} if count > 2 else {}
    return write_simulated_run(
        path,
        frames.astype(dtype),
        bits_stored=bits,
        relationship=relationship,
        frame_time_ms=100,
        focal_spot_mm=(0.4, 0.8),
        sid_mm=1100,
        sod_mm=720,
        imager_pixel_spacing_mm=0.154,
        **{"transfer_syntax": _NATIVE, **masks, **options},
    )


def _edited(source: Path, target: Path, edit) -> Path:
    dataset = pydicom.dcmread(source)
    edit(dataset)
    dataset.save_as(target)
    return target


def _run_lengths(dataset: Dataset) -> None:
    dataset.compress(RLELossless, generate_instance_uid=False, encoding_plugin="pydicom")


def _monochrome1(dataset: Dataset) -> None:
    dataset.PhotometricInterpretation = "MONOCHROME1"


def _rich(dataset: Dataset) -> None:
    """Add what most readers never meet: shutters, motion, several windows, tables, biplane and private data."""
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "BIPLANE A"]
    dataset.ReferencedImageSequence = [
        _item(ReferencedSOPClassUID=dataset.SOPClassUID, ReferencedSOPInstanceUID="1.2.3")
    ]
    dataset.ShutterShape, dataset.VerticesOfThePolygonalShutter = "POLYGONAL", [1, 1, 1, 20, 25, 20]
    dataset.CollimatorShape, dataset.CenterOfCircularCollimator = "CIRCULAR", [12, 12]
    dataset.RadiusOfCircularCollimator = 14
    dataset.PositionerMotion, dataset.PositionerPrimaryAngleIncrement = "DYNAMIC", [0, 1, 2, 3, 4]
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = [1000, 2000], [500, 600], "SIGMOID"
    table = _item(LUTExplanation="table")
    table.add_new("LUTDescriptor", "US", [16, 0, 16])
    table.add_new("LUTData", "OW", np.arange(16, dtype="<u2").tobytes())
    dataset.VOILUTSequence = [table]
    block = dataset.private_block(0x0029, "FUZZ", create=True)
    block.add_new(1, "OB", b"private")
    dataset.DerivationCodeSequence = [_item(CodeValue="113040", CodingSchemeDesignator="DCM", CodeMeaning="Lossy")]


def _enhanced(dataset: Dataset) -> None:
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.12.1.1"
    dataset.SharedFunctionalGroupsSequence = [
        _item(
            FramePixelDataPropertiesSequence=[_item(PixelIntensityRelationship="LIN", ImagerPixelSpacing=[0.15, 0.15])],
            XRayGeometrySequence=[_item(DistanceSourceToIsocenter=720.0, DistanceSourceToDetector=1100.0)],
            FrameVOILUTSequence=[_item(WindowCenter="2000", WindowWidth="1500")],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        _item(
            FrameContentSequence=[_item(FrameAcquisitionDateTime=f"2026010112000{index}")],
            FramePixelShiftSequence=[_item(SubtractionItemID=1, MaskSubPixelShift=[0.5, 0.0])],
            PositionerPositionSequence=[_item(PositionerPrimaryAngle=10.0 * index, PositionerSecondaryAngle=0.0)],
        )
        for index in range(5)
    ]
    dataset.MaskSubtractionSequence[0].SubtractionItemID = 1
    del dataset.PixelIntensityRelationship, dataset.FrameTime, dataset.FrameIncrementPointer


def _item(**values) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item
