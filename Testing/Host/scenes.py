"""Scenes for tests: runs as Slicer loads them, and what must not change about a node."""

from __future__ import annotations

import hashlib

import dicomhost
import numpy as np
import samples
import slicer
import vtk


def load(path, frames=None, stack: bool = False, known: bool = True, **options):
    """Write a run with `samples.write_run` and load it; as a sequence, or as a stack."""
    samples.write_run(path, samples.vessel_frames() if frames is None else frames, **options)
    return (dicomhost.loadStack if stack else dicomhost.loadLikeSlicer)(path, known)


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
