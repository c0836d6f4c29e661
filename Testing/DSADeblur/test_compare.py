"""The compare layout shows original, deblurred and their difference, linked, in the same grey."""

from __future__ import annotations

import json

import numpy as np
import pytest
import samples
import slicer
import viewhost
from scenes import allFrames, derive, fingerprint, load


def shown_in(tag: str):
    logic = slicer.app.applicationLogic().GetSliceLogicByLayoutName(tag)
    return logic.GetSliceCompositeNode(), logic.GetBackgroundLayer().GetVolumeNode(), logic.GetSliceNode()


def test_native_run(host, tmp_path):
    from DSADeblurScene.compare import LAYOUT_ID, VIEWS, differenceNode, showComparison
    from DSADeblurScene.input import browserForSequence, readInput, shownVolume

    frames = samples.vessel_frames(rows=64, cols=64)
    source = load(tmp_path / "a.dcm", frames)
    before = fingerprint(source)
    derived = derive(source, frames // 2, range(1, 7))
    showComparison(derived)
    assert host.layoutLogic.GetLayoutNode().GetViewArrangement() == LAYOUT_ID and fingerprint(source) == before
    difference = differenceNode(derived, source)
    assert np.array_equal(allFrames(readInput(difference)), (frames // 2).astype(np.float32) - frames)
    browser = browserForSequence(source)
    for tag, node in zip(VIEWS, (source, derived, difference), strict=True):
        composite, volume, view = shown_in(tag)
        assert volume is shownVolume(node) and browserForSequence(node) is browser
        assert composite.GetLinkedControl() and composite.GetHotLinkedControl()
        assert view.GetOrientation() == "Axial"
    windows = [shown_in(tag)[1].GetDisplayNode() for tag in VIEWS]
    assert windows[0].GetWindowLevelMin() == windows[1].GetWindowLevelMin()
    assert windows[0].GetWindowLevelMax() == windows[1].GetWindowLevelMax()
    assert windows[2].GetWindowLevelMin() == -windows[2].GetWindowLevelMax() < 0
    count = slicer.mrmlScene.GetNumberOfNodes()
    showComparison(derived)
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_pictures_show_the_pixels(host, tmp_path):
    from DSADeblurScene.compare import showComparison
    from DSADeblurScene.input import browserForSequence

    frames = samples.vessel_frames(rows=128, cols=128)
    source = load(tmp_path / "a.dcm", frames)
    derived = derive(source, frames, range(1, 7))
    showComparison(derived)
    viewhost.showFrame(browserForSequence(source), 6)
    picture = viewhost.renderLayout(host, size=(128, 128))[..., 0].astype(float)
    views = picture[:, :128], picture[:, 134:262], picture[:, 268:]
    assert np.array_equal(views[0], views[1])
    # The top of the frame is at the top, its left at the left, dark is dark: as in the file.
    assert np.corrcoef(views[0].ravel(), frames[5].ravel())[0, 1] > 0.98
    inside = views[2][4:-4, 4:-4]
    assert inside.std() < 2 and abs(inside.mean() - 127.5) < 3


def test_subtracted_run_is_compared_with_the_subtracted_source(host, tmp_path):
    from DSADeblurLib.xa import plan_subtraction, read_run, subtract
    from DSADeblurScene.compare import comparable, differenceNode, showComparison
    from DSADeblurScene.input import readInput, shownVolume

    extra = {"RescaleSlope": "2", "RescaleIntercept": "-100", "RescaleType": "US"}
    source = load(tmp_path / "a.dcm", mask_frames=(1, 2), contrast_range=(3, 6), extra=extra)
    run = read_run(tmp_path / "a.dcm")
    plan = plan_subtraction(run)
    truth = subtract(run.frames, plan, run.relationship)[:]
    numbers = (4, 5)
    density = truth[1:3] * np.float32(1.5)
    text = json.dumps(plan.as_dict())
    derived = derive(source, density, numbers, True, Subtraction=text, Relationship="LIN")
    showComparison(derived)
    original = comparable(derived)
    assert original is not source and np.array_equal(allFrames(readInput(original)), truth[1:3])
    assert np.array_equal(allFrames(readInput(differenceNode(derived, original))), density - truth[1:3])
    windows = [shownVolume(node).GetDisplayNode() for node in (original, derived)]
    assert windows[0].GetWindowLevelMin() == windows[1].GetWindowLevelMin()


def test_stack(host, tmp_path):
    from DSADeblurScene.compare import VIEWS, showComparison

    source = load(tmp_path / "a.dcm", stack=True)
    derived = derive(source, samples.vessel_frames()[1:3], (2, 3))
    showComparison(derived)
    assert shown_in(VIEWS[1])[1] is derived


def test_nothing_to_compare(host, tmp_path):
    from DSADeblurScene.compare import showComparison

    source = load(tmp_path / "a.dcm")
    derived = derive(source, samples.vessel_frames(), range(1, 7))
    slicer.mrmlScene.RemoveNode(source)
    for node in (None, derived):
        with pytest.raises(ValueError, match="Nothing to compare"):
            showComparison(node)
