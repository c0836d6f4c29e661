"""What Slicer loads is read back frame by frame, as it lies in the file."""

from __future__ import annotations

import numpy as np
import pytest
import samples
import slicer
from scenes import allFrames, load

pytestmark = pytest.mark.usefixtures("host")


@pytest.mark.parametrize(
    ("frames", "kwargs", "index"),
    [
        (samples.vessel_frames(), {}, ["0.000", "0.250", "0.500", "0.750", "1.000", "1.250"]),
        (samples.vessel_frames(3, bits=8), {"bits": 8, "frame_time": 33.333}, ["0.000", "0.033", "0.067"]),
        (samples.vessel_frames(3), {"frame_times": [0, 100, 300]}, ["0", "1", "2"]),
        (samples.vessel_frames(1), {"frame_time": None}, ["0"]),
        (samples.vessel_frames(2), {"spacing": (0.4, 0.2)}, ["0.000", "0.250"]),
    ],
)
def test_sequence_as_slicer_loads_it(tmp_path, frames, kwargs, index):
    from DSADeblurScene.input import readInput

    run = readInput(load(tmp_path / "a.dcm", frames, **kwargs))
    assert run.isSequence and list(run.indexValues) == index
    assert run.frames.dtype == frames.dtype and run.frames.shape == frames.shape
    assert np.array_equal(allFrames(run), frames)
    assert len(run.instanceUIDs) == 1 and slicer.dicomDatabase.fileForInstance(run.instanceUIDs[0])


def test_stack_and_single_volume(tmp_path):
    from DSADeblurScene.input import readInput

    run = readInput(load(tmp_path / "a.dcm", stack=True))
    assert not run.isSequence and np.array_equal(allFrames(run), samples.vessel_frames())


def test_proxy_volume_stands_for_its_sequence(tmp_path):
    from DSADeblurScene.input import readInput, resolveNode, shownVolume

    sequence = load(tmp_path / "a.dcm")
    proxy = shownVolume(sequence)
    assert proxy.IsA("vtkMRMLScalarVolumeNode") and resolveNode(proxy) is sequence
    assert len(readInput(proxy).frames) == 6


def test_frames_are_copies(tmp_path):
    from DSADeblurScene.input import readInput

    run = readInput(load(tmp_path / "a.dcm"))
    run.frames[0][:] = 0
    assert np.array_equal(allFrames(run), samples.vessel_frames())


def colour(tmp_path):
    pixels = np.zeros((3, 20, 24, 3), np.uint8)
    return load(tmp_path / "rgb.dcm", pixels, bits=8, photometric="RGB", relationship=None)


def empty(_):
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "nothing")


def no_pixels(_):
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")


def sequence_of(*arrays):
    def make(_):
        sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "odd")
        for number, pixels in enumerate(arrays):
            volume = slicer.util.addVolumeFromArray(pixels)
            sequence.SetDataNodeAtValue(volume, str(number))
        return sequence

    return make


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: None, "Select a run"),
        (colour, "grey-scale angiography"),
        (empty, "is empty"),
        (no_pixels, "holds no pixels"),
        (sequence_of(np.zeros((1, 20, 20), np.uint8), np.zeros((1, 20, 21), np.uint8)), "differ in size"),
        (sequence_of(np.zeros((1, 20, 20), np.uint8), np.zeros((1, 20, 20), np.uint16)), "differ in size or type"),
        (sequence_of(np.zeros((2, 20, 20), np.uint8)), "sequence of 3D volumes"),
    ],
)
def test_what_is_no_run_is_told_in_a_sentence(tmp_path, make, words):
    from DSADeblurScene.input import readInput

    with pytest.raises(ValueError, match=words) as caught:
        readInput(make(tmp_path))
    assert str(caught.value).count("\n") == 0


def test_sequence_of_other_nodes(tmp_path):
    from DSADeblurScene.input import readInput

    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "texts")
    sequence.SetDataNodeAtValue(slicer.vtkMRMLTextNode(), "0")
    with pytest.raises(ValueError, match="is not an image"):
        readInput(sequence)
