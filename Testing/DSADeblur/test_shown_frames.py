"""The frame that is looked at, its original and their difference are always of the same number, and no more is kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
import samples
import slicer
from results import deblurred
from scenes import allFrames, derive, ijkToRas, load

MASKED = {"mask_frames": (1, 2), "contrast_range": (3, 6)}


def pixels(volume) -> np.ndarray:
    return slicer.util.arrayFromVolume(volume)[0]


def tick(source) -> int:
    """Let the browser play one frame on; returns its index."""
    from DSADeblurScene.input import browserForSequence

    browser = browserForSequence(source)
    browser.SelectNextItem(1)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()
    return browser.GetSelectedItemNumber()


@pytest.mark.parametrize("registration", ["none", "shift"])
def test_original_and_change_are_in_step_on_every_tick(host, tmp_path, registration):
    from DSADeblurScene.compare import originalFrames
    from DSADeblurScene.shown_frames import ShownFrames

    source = load(tmp_path / "a.dcm", **MASKED)
    derived = deblurred(source, registration=registration)
    originals, sharp = originalFrames(derived)[:], allFrames(derived)
    shown, seen = ShownFrames(derived, withChange=True), []
    shown.follow()
    for _ in range(12):
        number = tick(source) + 1
        seen.append(number)
        assert shown.number == (number if number > 2 else None)
        original = originals[number - 3] if number > 2 else np.zeros_like(originals[0])
        assert np.array_equal(pixels(shown.original), original)
        assert np.array_equal(pixels(shown.change), sharp[number - 3] - original if number > 2 else original)
        if number > 2:
            assert np.array_equal(pixels(shown.deblurred), sharp[number - 3])
    assert set(seen) == {1, 2, 3, 4, 5, 6}
    shown.close()


def test_a_native_original_is_the_source_itself(host, tmp_path):
    from DSADeblurScene.input import shownVolume
    from DSADeblurScene.shown_frames import ShownFrames

    frames = samples.vessel_frames()
    source = load(tmp_path / "a.dcm", frames)
    derived = derive(source, frames[1:5] // 2, range(2, 6))
    count = slicer.mrmlScene.GetNumberOfNodes()
    shown = ShownFrames(derived)
    assert shown.original is shownVolume(source) and slicer.mrmlScene.GetNumberOfNodes() == count
    shown.close()
    assert slicer.mrmlScene.IsNodePresent(shownVolume(source))


def test_a_frame_that_changes_is_followed(host, tmp_path):
    from DSADeblurScene.derived import renewFrame, updateShown
    from DSADeblurScene.shown_frames import ShownFrames

    source = load(tmp_path / "a.dcm", **MASKED)
    derived, told = deblurred(source), []
    for _ in range(3):
        tick(source)
    shown = ShownFrames(derived, withChange=True)
    shown.follow(lambda: told.append(shown.number))
    renewFrame(derived, shown.index, np.full(pixels(shown.original).shape, 0.25, np.float32))
    updateShown(derived)
    assert told == [4] and np.array_equal(pixels(shown.change), np.float32(0.25) - pixels(shown.original))
    shown.close()


def test_stack_is_followed_slice_by_slice(host, tmp_path):
    from DSADeblurScene.compare import originalFrames
    from DSADeblurScene.layouts import VIEWS, logicOf, showSideBySide
    from DSADeblurScene.shown_frames import ShownFrames

    source = load(tmp_path / "a.dcm", stack=True, **MASKED)
    derived = deblurred(source)
    originals, sharp = originalFrames(derived)[:], allFrames(derived)
    shown = ShownFrames(derived, withChange=True)
    showSideBySide(shown.original, shown.deblurred, shown.change)
    shown.follow()
    for index in (2, 0, 3, 1):
        place = ijkToRas(derived) @ (0, 0, index, 1)
        for tag in VIEWS:
            logicOf(tag).GetSliceNode().JumpSliceByOffsetting(*place[:3])
        assert shown.number == index + 3
        assert np.array_equal(pixels(shown.original), originals[index])
        assert np.array_equal(pixels(shown.change), sharp[index] - originals[index])
        # It lies where the frame lies.
        assert np.allclose(ijkToRas(shown.original)[:, 3], place)
    shown.close()


def test_views_of_other_layouts_do_not_count(host, tmp_path):
    from DSADeblurScene.layouts import BOTH, CompareView, logicOf, showInViews, showLayout
    from DSADeblurScene.shown_frames import ShownFrames

    derived = deblurred(load(tmp_path / "a.dcm", stack=True, **MASKED))
    place = ijkToRas(derived) @ np.array([(0, 0, index, 1) for index in range(4)]).T
    layout = host.layoutLogic.GetLayoutNode()
    layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    red = logicOf("Red")
    red.GetSliceCompositeNode().SetBackgroundVolumeID(derived.GetID())
    red.GetSliceNode().SetOrientationToAxial()
    red.GetSliceNode().JumpSliceByOffsetting(*place[:3, 3])
    shown = ShownFrames(derived)
    showLayout(CompareView.SWIPE)
    showInViews({BOTH: shown.original}, shown.deblurred)
    shown.follow()
    logicOf(BOTH).GetSliceNode().JumpSliceByOffsetting(*place[:3, 1])
    assert shown.number == 4
    shown.close()


def test_memory_of_a_comparison_is_two_frames_and_goes(host, tmp_path):
    from DSADeblurScene.shown_frames import ShownFrames

    source = load(tmp_path / "a.dcm", **MASKED)
    derived = deblurred(source)
    for _ in range(3):
        tick(source)
    before = slicer.mrmlScene.GetNumberOfNodes()
    shown = ShownFrames(derived, withChange=True)
    made = [shown.original, shown.change]
    assert all(volume.GetImageData().GetDimensions()[2] == 1 for volume in made)
    assert not any(volume.GetSaveWithScene() for volume in made)
    # One window for both, whatever the user does with it.
    assert shown.original.GetDisplayNode() is shown.deblurred.GetDisplayNode()
    window = shown.change.GetDisplayNode()
    assert window.GetWindowLevelMin() == -window.GetWindowLevelMax() < 0
    shown.close()
    assert slicer.mrmlScene.GetNumberOfNodes() == before and shown.deblurred.GetDisplayNode() is not None


def test_labels_say_model_and_both_controls(host, tmp_path):
    from DSADeblurScene.shown_frames import ShownFrames

    source = load(tmp_path / "a.dcm", **MASKED)
    shown = ShownFrames(deblurred(source, sharpness=0.25))
    shown.follow()
    assert shown.labels()[0] == "ORIGINAL" and "no result for this frame" in shown.labels()[1]
    for _ in range(3):
        tick(source)
    original, sharp, change = shown.labels()
    assert original == "ORIGINAL\nframe 4" and "RESEARCH USE ONLY" in change
    assert sharp.startswith("AI-DEBLURRED, RESEARCH USE ONLY\nmodel arithmetic")
    assert "sharpness 0.25, noise reduction 0.5" in sharp
    shown.close()


def test_controls_of_a_frame_that_is_ahead_are_those_in_its_label(host, tmp_path):
    from DSADeblurScene.shown_frames import ShownFrames

    source = load(tmp_path / "a.dcm")
    derived = deblurred(source)
    ahead = json.loads(derived.GetAttribute("DSADeblur.Request")) | {"sharpness": 0.875}
    derived.GetNthDataNode(0).SetAttribute("DSADeblur.Request", json.dumps(ahead))
    shown = ShownFrames(derived)
    shown.follow()
    assert "sharpness 0.875" in shown.labels()[1]
    tick(source)
    assert "sharpness 0.5" in shown.labels()[1]
    shown.close()


def test_nothing_to_compare(host, tmp_path):
    from DSADeblurScene.shown_frames import ShownFrames

    source = load(tmp_path / "a.dcm")
    derived = derive(source, samples.vessel_frames(), range(1, 7))
    slicer.mrmlScene.RemoveNode(source)
    for node in (None, derived):
        with pytest.raises(ValueError, match="Nothing to compare"):
            ShownFrames(node)
