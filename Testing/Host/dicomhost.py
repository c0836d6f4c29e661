"""Test-only stand-in for Slicer's DICOM database, on pydicom, and for its loading of angiography runs."""

from __future__ import annotations

import os
import shutil
import types
from pathlib import Path

import numpy as np
import pydicom
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy


class DicomDatabase:
    """slicer.dicomDatabase: files by SOP Instance UID, single header values as text."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self.isOpen = True

    def addFile(self, path: str | os.PathLike) -> str:
        """Index a file and return its SOP Instance UID."""
        uid = str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        self._files[uid] = str(path)
        return uid

    def paths(self) -> list[str]:
        """For tests: the files known."""
        return list(self._files.values())

    def fileForInstance(self, sopInstanceUID: str) -> str:
        return self._files.get(sopInstanceUID, "")

    def instanceForFile(self, fileName: str) -> str:
        return next((uid for uid, known in self._files.items() if known == str(fileName)), "")

    def fileValue(self, fileName: str, tag: str) -> str:
        group, element = (int(part, 16) for part in tag.split(","))
        item = pydicom.dcmread(fileName, stop_before_pixels=True).get((group, element))
        return "" if item is None or item.value is None else str(item.value)


class DicomUtils(types.ModuleType):
    """DICOMLib.DICOMUtils: what is imported, and copies of it in a storage folder as Slicer's database makes them."""

    def __init__(self, storage: str | os.PathLike) -> None:
        super().__init__("DICOMUtils")
        self._storage = Path(storage)
        self.imported: list[list[str]] = []

    def importDicom(self, dicomDataDir, dicomDatabase=None, copyFiles=False) -> bool:
        database = slicer.dicomDatabase if dicomDatabase is None else dicomDatabase
        paths = sorted(path for path in Path(dicomDataDir).rglob("*") if path.is_file())
        self.imported.append([path.name for path in paths])
        for path in paths:
            if copyFiles:
                self._storage.mkdir(exist_ok=True)
                path = shutil.copy(path, self._storage / f"{pydicom.dcmread(path).SOPInstanceUID}.dcm")
            if path.suffix == ".dcm":
                database.addFile(path)
        return True

    def openTemporaryDatabase(self, directory=None) -> str:
        slicer.dicomDatabase = DicomDatabase()
        return "the user's"

    def closeTemporaryDatabase(self, originalDatabaseDir, cleanup=True) -> None:
        slicer.dicomDatabase.isOpen = False

    def loadSeriesByUID(self, seriesUIDs) -> list[str]:
        """Load the series that the database knows; the ids of the volumes that show their current frames."""
        from DSADeblurScene.input import shownVolume

        paths = [path for path in slicer.dicomDatabase.paths() if _seriesOf(path) in seriesUIDs]
        return [shownVolume(loadLikeSlicer(path)).GetID() for path in paths]


def _seriesOf(path: str) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID)


def readPixels(path: str | os.PathLike, vector: bool = False):
    """The image of a file as Slicer's reader (ITK with GDCM) gives it, and its IJK to RAS matrix."""
    name = "vtkITKArchetypeImageSeriesVectorReaderFile" if vector else "vtkITKArchetypeImageSeriesScalarReader"
    reader = getattr(slicer, name)()
    reader.SetArchetype(str(path))
    reader.AddFileName(str(path))
    reader.SetSingleFile(True)
    reader.SetOutputScalarTypeToNative()
    reader.SetDesiredCoordinateOrientationToNative()
    reader.SetUseNativeOriginOn()
    reader.SetDICOMImageIOApproachToGDCM()
    reader.Update()
    if reader.GetErrorCode() != vtk.vtkErrorCode.NoError:
        raise ValueError(f"{path} cannot be read")
    ijkToRas = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(reader.GetRasToIjkMatrix(), ijkToRas)
    return reader.GetOutput(), ijkToRas


def loadLikeSlicer(path: str | os.PathLike, known: bool = True):
    """Load a file as the image sequence plug-in of Slicer 5.12 does, and return the sequence node.

    known: whether the DICOM database knows the file afterwards.
    """
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    uid = slicer.dicomDatabase.addFile(path) if known else str(ds.SOPInstanceUID)
    number = ds.get("InstanceNumber")
    parts = [f"{ds.get('SeriesNumber', '')}:", ds.get("Modality", ""), ds.get("SeriesDescription", "")]
    name = " ".join(str(part) for part in (*parts, f"[{number}]" if number is not None else "") if part)
    colour = "MONOCHROME" not in ds.PhotometricInterpretation
    image, _ = readPixels(path, colour)
    spacingX, spacingY, frameTime = image.GetSpacing()
    timed = frameTime != 1.0
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    sequence.SetIndexName("time" if timed else "frame")
    sequence.SetIndexUnit("s" if timed else "")
    pixels = vtk_to_numpy(image.GetPointData().GetScalars())
    cols, rows, count = image.GetDimensions()
    pixels = pixels.reshape((count, rows, cols, 3) if colour else (count, rows, cols))
    className = "vtkMRMLVectorVolumeNode" if colour else "vtkMRMLScalarVolumeNode"
    frame = slicer.mrmlScene.AddNewNodeByClass(className, "Volume")
    frame.SetAttribute("DICOM.instanceUIDs", uid)
    # Half a turn, or the frames would stand on their head.
    ijkToRas = vtk.vtkMatrix4x4()
    ijkToRas.SetElement(0, 0, -1.0)
    ijkToRas.SetElement(1, 1, -1.0)
    for i in range(count):
        slicer.util.updateVolumeFromArray(frame, np.ascontiguousarray(pixels[i])[np.newaxis])
        frame.SetIJKToRASMatrix(ijkToRas)
        frame.SetSpacing(spacingX, spacingY, 1.0)
        sequence.SetDataNodeAtValue(frame, f"{i * (frameTime * 0.001):.3f}" if timed else str(i))
    slicer.mrmlScene.RemoveNode(frame)
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeSequenceStorageNode")
    sequence.SetAndObserveStorageNodeID(storage.GetID())
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{name} browser")
    browser.SetPlaybackRateFps(1000 / frameTime if timed else 10)
    browser.AddSynchronizedSequenceNode(sequence)
    _addToSubjectHierarchy(browser.GetProxyNode(sequence), ds)
    return sequence


def loadStack(path: str | os.PathLike, known: bool = True):
    """Load a file as one 3D volume of frames, as Slicer's scalar volume plug-in does."""
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    image, ijkToRas = readPixels(path)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", str(ds.get("SeriesDescription", "stack")))
    image.SetSpacing(1, 1, 1)
    image.SetOrigin(0, 0, 0)
    volume.SetIJKToRASMatrix(ijkToRas)
    volume.SetAndObserveImageData(image)
    volume.CreateDefaultDisplayNodes()
    if known:
        volume.SetAttribute("DICOM.instanceUIDs", slicer.dicomDatabase.addFile(path))
    return volume


def _addToSubjectHierarchy(volume, ds) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), str(ds.get("PatientName", "")))
    study = hierarchy.CreateStudyItem(patient, str(ds.get("StudyDate", "")))
    hierarchy.CreateItem(study, volume)
