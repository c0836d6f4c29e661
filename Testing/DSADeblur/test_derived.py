"""Derived nodes lie beside their source, in step with it, and leave it as it was."""

from __future__ import annotations

import numpy as np
import pytest
import samples
import slicer
from scenes import allFrames, derive, fingerprint, ijkToRas, load


def test_sequence_in_step_with_its_source(host, tmp_path):
    from DSADeblurScene.derived import sourceOf
    from DSADeblurScene.input import browserForSequence, readInput, shownVolume

    frames = samples.vessel_frames()
    source = load(tmp_path / "a.dcm", spacing=(0.4, 0.2))
    before, result = fingerprint(source), frames // 2
    derived = derive(source, result, range(1, 7))
    assert fingerprint(source) == before
    run = readInput(derived)
    assert run.frames.dtype == np.uint16 and np.array_equal(allFrames(run), result)
    assert run.indexValues == readInput(source).indexValues
    assert (derived.GetIndexName(), derived.GetIndexUnit()) == ("time", "s")
    assert derived.GetIndexType() == source.GetIndexType()
    assert sourceOf(derived) is source and derived.GetAttribute("DSADeblur.ResearchUseOnly") == "true"
    browser = browserForSequence(source)
    assert browserForSequence(derived) is browser and browser.GetMasterSequenceNode() is source
    for number in (4, 0, 5):
        browser.SetSelectedItemNumber(number)
        assert np.array_equal(slicer.util.arrayFromVolume(shownVolume(derived))[0], result[number])
        assert np.array_equal(slicer.util.arrayFromVolume(shownVolume(source))[0], frames[number])
    geometry = slicer.modules.volumes.logic().CompareVolumeGeometry(shownVolume(source), shownVolume(derived))
    assert geometry == ""


def test_window_transform_and_place_follow_the_source(host, tmp_path):
    from DSADeblurScene.derived import setWindow
    from DSADeblurScene.input import shownVolume

    source = load(tmp_path / "a.dcm")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    shownVolume(source).SetAndObserveTransformNodeID(transform.GetID())
    setWindow(shownVolume(source), 100, 900)
    derived = derive(source, samples.vessel_frames(), range(1, 7))
    shown = shownVolume(derived)
    display = shown.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (100, 900)
    assert shown.GetTransformNodeID() == transform.GetID()
    assert shown.GetAttribute("DICOM.instanceUIDs") is None
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    items = [hierarchy.GetItemByDataNode(shownVolume(node)) for node in (source, derived)]
    assert items[1] and hierarchy.GetItemParent(items[0]) == hierarchy.GetItemParent(items[1])


def test_some_frames_leave_the_others_empty(host, tmp_path):
    from DSADeblurScene.input import browserForSequence, shownVolume

    source = load(tmp_path / "a.dcm")
    density = np.random.default_rng(0).normal(size=(2, 48, 64)).astype(np.float32)
    derived = derive(source, density, (3, 5), subtracted=True)
    browser, shown = browserForSequence(source), shownVolume(derived)
    assert [derived.GetNthIndexValue(i) for i in range(2)] == ["0.500", "1.000"]
    for number, expected in ((2, density[0]), (3, None), (4, density[1]), (5, None)):
        browser.SetSelectedItemNumber(number)
        image = shown.GetImageData()
        if expected is None:
            assert image is None or image.GetNumberOfPoints() == 0
        else:
            assert np.array_equal(slicer.util.arrayFromVolume(shown)[0], expected)
    low, high = shown.GetDisplayNode().GetWindowLevelMin(), shown.GetDisplayNode().GetWindowLevelMax()
    assert low < 0 < high < -low * 1.5


def test_stack_keeps_its_place_in_space(host, tmp_path):
    from DSADeblurScene.input import readInput

    source = load(tmp_path / "a.dcm", stack=True)
    before = fingerprint(source)
    derived = derive(source, samples.vessel_frames()[2:4], (3, 4))
    assert fingerprint(source) == before and len(readInput(derived).frames) == 2
    matrices = [ijkToRas(node) for node in (source, derived)]
    # Frame 3 of the source and frame 1 of the result are the same place.
    assert np.allclose(matrices[0] @ (5, 7, 2, 1), matrices[1] @ (5, 7, 0, 1))
    with pytest.raises(ValueError, match="must follow each other"):
        derive(source, samples.vessel_frames()[:2], (1, 3))


@pytest.mark.parametrize("numbers", [(1, 2), (0, 1, 2), (5, 6, 7), ()])
def test_result_of_another_run_is_refused(host, tmp_path, numbers):
    source = load(tmp_path / "a.dcm")
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(ValueError, match="does not belong"):
        derive(source, samples.vessel_frames()[:3], numbers)
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_sequence_without_a_browser_gets_one(host, tmp_path):
    from DSADeblurScene.input import browserForSequence

    source = load(tmp_path / "a.dcm")
    slicer.mrmlScene.RemoveNode(browserForSequence(source))
    derived = derive(source, samples.vessel_frames(), range(1, 7))
    assert browserForSequence(derived) is browserForSequence(source) is not None


def test_saved_scene_brings_everything_back(host, tmp_path):
    from DSADeblurScene.derived import sourceOf
    from DSADeblurScene.input import browserForSequence, readInput, shownVolume

    source = load(tmp_path / "a.dcm")
    derived = derive(source, samples.vessel_frames() // 2, range(1, 7))
    names, before = (source.GetName(), derived.GetName()), fingerprint(source)
    host.saveScene(tmp_path / "scene.mrb")
    host.loadScene(tmp_path / "scene.mrb")
    sequences = {node.GetName(): node for node in slicer.util.getNodesByClass("vtkMRMLSequenceNode")}
    source, derived = (sequences[name] for name in names)
    assert sourceOf(derived) is source and fingerprint(source) == before
    assert np.array_equal(allFrames(readInput(derived)), samples.vessel_frames() // 2)
    assert derived.GetAttribute("DSADeblur.ResearchUseOnly") == "true"
    browserForSequence(source).SetSelectedItemNumber(3)
    shown = slicer.util.arrayFromVolume(shownVolume(derived))[0]
    assert np.array_equal(shown, samples.vessel_frames()[3] // 2)
