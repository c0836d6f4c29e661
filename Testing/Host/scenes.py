"""Scenes for tests: runs as Slicer loads them, and what must not change about a node."""

from __future__ import annotations

import hashlib

import dicomhost
import numpy as np
import samples
import slicer
import vtk
from pydicom.uid import generate_uid


def load(path, frames=None, stack: bool = False, known: bool = True, **options):
    """Write a run with `samples.write_run` and load it; as a sequence, or as a stack."""
    samples.write_run(path, samples.vessel_frames() if frames is None else frames, **options)
    return (dicomhost.loadStack if stack else dicomhost.loadLikeSlicer)(path, known)


def loadOneFrameFiles(folder, frames=None, order=None, sequence: bool = False, **options) -> tuple:
    """Write a run as files of one frame each, and load it as a stack or as a sequence.

    order: of the frames in the node; the instances are named in the order of the files. Returns the node and the
    paths in the order of the acquisition.
    """
    frames = samples.vessel_frames() if frames is None else frames
    series = {"SeriesInstanceUID": generate_uid(), "StudyInstanceUID": generate_uid(), "AcquisitionDate": "20240102"}
    paths = [folder / f"{99 - index}.dcm" for index in range(len(frames))]
    for index, path in enumerate(paths):
        extra = {"StudyID": "1", **series, "AcquisitionTime": f"1011{index / 4:09.6f}", **options.get("extra", {})}
        number = {"instance_number": index + 1, "frame_time": None}
        samples.write_run(path, frames[index : index + 1], **{**options, **number, "extra": extra})
    uids, order = [slicer.dicomDatabase.addFile(path) for path in paths], order or range(len(frames))
    if not sequence:
        node = slicer.util.addVolumeFromArray(frames[list(order)], name="run")
        node.SetAttribute("DICOM.instanceUIDs", " ".join(uids))
        return node, paths
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "run")
    for position, index in enumerate(order):
        volume = slicer.util.addVolumeFromArray(frames[index : index + 1])
        volume.SetAttribute("DICOM.instanceUIDs", uids[index])
        node.SetDataNodeAtValue(volume, str(position))
        slicer.mrmlScene.RemoveNode(volume)
    return node, paths


def allFrames(node) -> np.ndarray:
    """(n, rows, cols), the frames of a node or of an InputRun."""
    from DSADeblurScene.input import readInput

    run = node if hasattr(node, "frames") else readInput(node)
    return np.stack([run.frames[i] for i in range(len(run.frames))])


def fingerprint(node) -> str:
    """Hash of pixels, index, geometry and attributes of a node."""
    from DSADeblurScene.input import readInput

    run, digest = readInput(node), hashlib.sha256()
    for volume in run.volumes:
        digest.update(ijkToRas(volume).tobytes())
        # Slicer itself renames the base of a frame when a scene is saved.
        names = sorted(set(volume.GetAttributeNames()) - {"Sequences.BaseName"})
        digest.update(repr([(name, volume.GetAttribute(name)) for name in names]).encode())
    digest.update(allFrames(run).tobytes() + repr((run.indexValues, node.GetName())).encode())
    return digest.hexdigest()


def ijkToRas(volume) -> np.ndarray:
    """(4, 4) matrix of a volume."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix) + 0.0  # no negative zeros


def derive(node, frames, numbers, subtracted: bool = False, **attributes):
    """Add a derived node with some attributes."""
    from DSADeblurScene.derived import addDerived
    from DSADeblurScene.input import readInput

    texts = {"FrameNumbers": " ".join(map(str, numbers)), "ResearchUseOnly": "true", **attributes}
    run, name = readInput(node), "run deblurred"
    return addDerived(run, frames, numbers, name=name, attributes=texts, subtracted=subtracted)
