"""Reads a run out of the scene: a sequence of 2D frames, one frame, or a 3D stack of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from DSADeblurLib.lazy_frames import LazyFrames

INSTANCE_UIDS = "DICOM.instanceUIDs"


class NodeFrames(LazyFrames):
    """The frames of a node, read one at a time: shape (n, rows, cols), [i] gives a copy of frame i."""

    def __init__(self, volumes, dtype: np.dtype, shape: tuple[int, int, int]) -> None:
        self._volumes = volumes
        self.dtype = dtype
        self.shape = shape

    def frame(self, index: int) -> np.ndarray:
        """Return a copy of frame `index`, (rows, cols)."""
        if len(self._volumes) == 1:
            return slicer.util.arrayFromVolume(self._volumes[0])[index].copy()
        return slicer.util.arrayFromVolume(self._volumes[index])[0].copy()

    def sample(self, index: int, step: int) -> np.ndarray:
        """Every step-th row and column of frame i; the rest is not touched."""
        single = len(self._volumes) == 1
        pixels = slicer.util.arrayFromVolume(self._volumes[0 if single else index])[index if single else 0]
        return pixels[::step, ::step].copy()


@dataclass(frozen=True)
class InputRun:
    """A run as it lies in the scene.

    node: the sequence or volume that holds the frames; of a proxy volume, its sequence.
    volumes: the volume nodes of the frames; one node for a single frame or a stack.
    frames: pixel values as Slicer read them.
    indexValues: of a sequence, as text, in order; else empty.
    instanceUIDs: SOP Instance UIDs behind the frames, in order, each once; empty without DICOM.
    """

    node: slicer.vtkMRMLNode
    volumes: tuple[slicer.vtkMRMLScalarVolumeNode, ...]
    frames: NodeFrames
    indexValues: tuple[str, ...]
    instanceUIDs: tuple[str, ...]

    @property
    def isSequence(self) -> bool:
        return bool(self.indexValues)


def resolveNode(node):
    """The node to work on: a proxy volume that shows the current frame of a sequence stands for that sequence."""
    if node is None or node.IsA("vtkMRMLSequenceNode"):
        return node
    browser = browserForProxy(node)
    sequence = browser.GetSequenceNode(node) if browser else None
    return sequence or node


def browserForProxy(node):
    """The sequence browser that shows its current frame in this node, or None."""
    for browser in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode"):
        if browser.GetSequenceNode(node):
            return browser
    return None


def browserForSequence(sequence):
    """The first sequence browser that plays this sequence, or None."""
    for browser in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode"):
        if browser.IsSynchronizedSequenceNode(sequence, True):
            return browser
    return None


def shownVolume(node):
    """The volume node that slice views can show: the proxy of a sequence, or the volume itself."""
    if not node.IsA("vtkMRMLSequenceNode"):
        return node
    browser = browserForSequence(node)
    return browser.GetProxyNode(node) if browser else None


def shownIndex(node) -> int:
    """Index, counted from 0, of the frame of a sequence or stack that a browser or a slice view shows; or none of its.

    The browser counts where it plays a sequence, the first slice view with the volume where it is a stack.
    """
    if not node.IsA("vtkMRMLSequenceNode"):
        return _shownSlice(node)
    browser = browserForSequence(node)
    if browser is None:
        return 0 if node.GetNumberOfDataNodes() == 1 else -1
    position = browser.GetSelectedItemNumber()
    if position < 0:
        return -1
    # Sequences in one browser meet by their index values, not by their positions.
    return node.GetItemNumberFromIndexValue(browser.GetMasterSequenceNode().GetNthIndexValue(position), True)


def _shownSlice(stack) -> int:
    if stack.GetImageData().GetDimensions()[2] == 1:
        return 0
    collection = slicer.app.applicationLogic().GetSliceLogics()
    logics = [collection.GetItemAsObject(i) for i in range(collection.GetNumberOfItems())]
    # Those of the layout first: another view may still hold the volume at another slice.
    for logic in sorted(logics, key=lambda one: not one.GetSliceNode().IsMappedInLayout()):
        if stack in (logic.GetBackgroundLayer().GetVolumeNode(), logic.GetForegroundLayer().GetVolumeNode()):
            return slicedIndex(stack, logic.GetSliceNode())
    return -1


def slicedIndex(stack, sliceNode) -> int:
    """Index, counted from 0, of the frame of a stack that lies in the plane of a slice view; it may have none there."""
    toIJK, plane = vtk.vtkMatrix4x4(), sliceNode.GetSliceToRAS()
    stack.GetRASToIJKMatrix(toIJK)
    return round(toIJK.MultiplyPoint((*(plane.GetElement(row, 3) for row in range(3)), 1))[2])


def readInput(node) -> InputRun:
    """The run of a sequence or volume node.

    Raises:
        ValueError: one sentence, if the node holds no grey-scale frames of one size and type.
    """
    node = resolveNode(node)
    if node is None:
        raise ValueError(_("Select a run: a sequence of frames or a volume."))
    if node.IsA("vtkMRMLSequenceNode"):
        return _sequenceRun(node)
    _checkVolume(node, node.GetName())
    pixels = slicer.util.arrayFromVolume(node)
    frames = NodeFrames((node,), pixels.dtype, pixels.shape)
    return InputRun(node, (node,), frames, (), _instanceUIDs((node,)))


def _sequenceRun(sequence) -> InputRun:
    count = sequence.GetNumberOfDataNodes()
    if count == 0:
        raise ValueError(_("The sequence {name} is empty; load the run again.").format(name=sequence.GetName()))
    volumes = tuple(sequence.GetNthDataNode(i) for i in range(count))
    kinds = set()
    for number, volume in enumerate(volumes, 1):
        _checkVolume(volume, _("frame {number} of {name}").format(number=number, name=sequence.GetName()))
        pixels = slicer.util.arrayFromVolume(volume)
        kinds.add((pixels.shape, pixels.dtype))
    if len(kinds) > 1:
        raise ValueError(
            _("The frames of {name} differ in size or type; select a run of one acquisition.").format(
                name=sequence.GetName()
            )
        )
    (shape, dtype) = kinds.pop()
    if shape[0] != 1:
        raise ValueError(
            _("{name} is a sequence of 3D volumes; select a sequence of 2D frames.").format(name=sequence.GetName())
        )
    indexValues = tuple(sequence.GetNthIndexValue(i) for i in range(count))
    frames = NodeFrames(volumes, dtype, (count, *shape[1:]))
    # A sequence of one frame is indexed by frame like a stack of one; both give frame 0.
    return InputRun(sequence, volumes, frames, indexValues, _instanceUIDs(volumes))


def _checkVolume(volume, label: str) -> None:
    if volume is None or not volume.IsA("vtkMRMLScalarVolumeNode"):
        raise ValueError(_("{label} is not an image; select a run.").format(label=label))
    image = volume.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        raise ValueError(_("{label} holds no pixels; load the run again.").format(label=label))
    if image.GetNumberOfScalarComponents() != 1:
        raise ValueError(
            _("{label} is a colour image (screen capture?); grey-scale angiography is needed.").format(label=label)
        )


def _instanceUIDs(volumes) -> tuple[str, ...]:
    uids = " ".join(volume.GetAttribute(INSTANCE_UIDS) or "" for volume in volumes)
    return tuple(dict.fromkeys(uids.split()))
