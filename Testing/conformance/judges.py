"""Programs that know nothing of this project judge a derived object; each says what is wrong, or nothing."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless
from variants import Specimen


class NotApplicable(Exception):
    """The judge has nothing to say on such a file, and why."""


@dataclass(frozen=True)
class Judge:
    """`check` returns what is wrong in one line, '' when nothing is. `tools` and `modules` are what it needs."""

    name: str
    check: Callable[[Specimen], str]
    tools: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not installed of what the judge needs."""
        tools = [one for one in self.tools if shutil.which(one) is None]
        return (*tools, *(one for one in self.modules if importlib.util.find_spec(one) is None))


def _call(*command) -> subprocess.CompletedProcess:
    return subprocess.run([str(one) for one in command], capture_output=True, text=True, timeout=600)


def _first_line(*texts: str) -> str:
    return next((line.strip()[:120] for text in texts for line in text.splitlines() if line.strip()), "no reason given")


def _compared(found: np.ndarray, specimen: Specimen) -> str:
    expected = specimen.pixels
    if found.size != expected.size:
        return f"{found.size} pixels instead of {expected.size}"
    wrong = np.count_nonzero(found.reshape(expected.shape) != expected)
    return f"{wrong} of {expected.size} pixels differ" if wrong else ""


def _dciodvfy(specimen: Specimen) -> str:
    result = _call("dciodvfy", "-new", specimen.path)
    remarks = [line for line in result.stderr.splitlines() if line.startswith(("Error", "Warning"))]
    if remarks:
        return f"{len(remarks)} remarks: {remarks[0][:110]}"
    return "" if result.returncode == 0 else f"exit code {result.returncode}"


def _dcentvfy(specimen: Specimen) -> str:
    if specimen.variant.anonymous:
        raise NotApplicable("another patient on purpose")
    result = _call("dcentvfy", specimen.source, specimen.path)
    said = result.stdout + result.stderr
    return _first_line(said) if said or result.returncode else ""


def _dcmtk(specimen: Specimen) -> str:
    """Test the file format, decompress with DCMTK's own codecs, and draw every frame without a window."""
    result = _call("dcmftest", specimen.path)
    if result.returncode:
        return "dcmftest: " + _first_line(result.stdout, result.stderr)
    syntax = pydicom.dcmread(specimen.path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    if syntax == JPEG2000Lossless:
        raise NotApplicable("DCMTK has no JPEG 2000")
    with tempfile.TemporaryDirectory() as folder:
        path = specimen.path
        decoder = {JPEGLSLossless: "dcmdjpls", RLELossless: "dcmdrle"}.get(syntax)
        if decoder:
            path = Path(folder) / "plain.dcm"
            result = _call(decoder, specimen.path, path)
            if result.returncode:
                return f"{decoder}: " + _first_line(result.stderr, result.stdout)
        bits = pydicom.dcmread(path, stop_before_pixels=True).BitsStored
        result = _call("dcm2pnm", "+opn", bits, "-W", "+Fa", path, Path(folder) / "frame")
        if result.returncode:
            return "dcm2pnm: " + _first_line(result.stderr, result.stdout)
        pictures = sorted(Path(folder).glob("frame*"), key=lambda one: int((one.stem.split(".") + ["0"])[1] or 0))
        count = specimen.pixels[0].size
        frames = [np.array(one.read_text().split()[-count:], dtype=int) for one in pictures]
        return _compared(np.concatenate(frames), specimen)


def _gdcm(specimen: Specimen) -> str:
    """Have gdcmconv decompress the file, and gdcmraw cut out the pixel data."""
    with tempfile.TemporaryDirectory() as folder:
        plain, raw = Path(folder) / "plain.dcm", Path(folder) / "pixels.raw"
        for command in (
            ("gdcminfo", specimen.path),
            ("gdcmconv", "--raw", specimen.path, plain),
            ("gdcmraw", "-i", plain, "-o", raw),
        ):
            result = _call(*command)
            if result.returncode:
                return f"{command[0]}: " + _first_line(result.stderr, result.stdout)
        dtype = np.uint8 if pydicom.dcmread(plain, stop_before_pixels=True).BitsAllocated == 8 else "<u2"
        found = np.fromfile(raw, dtype)
        return _compared(found[: specimen.pixels.size] if dtype == np.uint8 else found, specimen)


def _pydicom(specimen: Specimen) -> str:
    return _compared(pydicom.dcmread(specimen.path).pixel_array, specimen)


def _simpleitk(specimen: Specimen) -> str:
    import SimpleITK

    image = SimpleITK.ReadImage(str(specimen.path))
    wrong = _compared(SimpleITK.GetArrayFromImage(image), specimen)
    return wrong or _spaced(image.GetSpacing(), specimen)


def _spaced(spacing: tuple[float, ...], specimen: Specimen) -> str:
    """Compare pixel spacing (x, y) and, where it is written, the frame time, which ITK gives as spacing along z."""
    dataset = pydicom.dcmread(specimen.path, stop_before_pixels=True)
    expected = [float(one) for one in dataset.get("ImagerPixelSpacing", ())][::-1]
    if "FrameTime" in dataset:
        expected += [float(dataset.FrameTime)] if expected else []
    if expected and not np.allclose(spacing[: len(expected)], expected):
        return f"spacing {spacing} instead of {expected}"
    return ""


def _highdicom(specimen: Specimen) -> str:
    import highdicom

    image = highdicom.imread(specimen.path)
    frames = image.get_frames(
        apply_modality_transform=False,
        apply_voi_transform=False,
        apply_presentation_lut=False,
        apply_real_world_transform=False,
    )
    return _compared(np.asarray(frames), specimen)


@functools.cache
def _slicer_classes():
    import slicer
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    return slicer.vtkITKArchetypeImageSeriesScalarReader, vtk.vtkErrorCode.NoError, vtk_to_numpy


def _slicer(specimen: Specimen) -> str:
    """Read the file as Slicer's volume storage and DICOM plug-ins do: ITK's archetype reader with GDCM."""
    make, no_error, to_numpy = _slicer_classes()
    reader = make()
    reader.SetArchetype(str(specimen.path))
    reader.AddFileName(str(specimen.path))
    reader.SetSingleFile(True)
    reader.SetOutputScalarTypeToNative()
    reader.SetDesiredCoordinateOrientationToNative()
    reader.SetUseNativeOriginOn()
    reader.SetDICOMImageIOApproachToGDCM()
    reader.Update()
    if reader.GetErrorCode() != no_error:
        return f"error code {reader.GetErrorCode()}"
    image = reader.GetOutput()
    found = to_numpy(image.GetPointData().GetScalars())
    return _compared(found, specimen) or _spaced(image.GetSpacing(), specimen)


JUDGES = (
    Judge("dciodvfy", _dciodvfy, ("dciodvfy",)),
    Judge("dcentvfy", _dcentvfy, ("dcentvfy",)),
    Judge("DCMTK", _dcmtk, ("dcmftest", "dcm2pnm", "dcmdjpls", "dcmdrle")),
    Judge("GDCM", _gdcm, ("gdcminfo", "gdcmconv", "gdcmraw")),
    Judge("pydicom", _pydicom),
    Judge("SimpleITK", _simpleitk, modules=("SimpleITK",)),
    Judge("highdicom", _highdicom, modules=("highdicom",)),
    Judge("Slicer reader", _slicer, modules=("slicer_core",)),
)
