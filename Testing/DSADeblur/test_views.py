"""Peak opacification and anatomical background of subtracted runs, in the scene and from the panel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import samples
import slicer
import slicerapi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scenes import allFrames, derive, fingerprint, ijkToRas, load

MASKED = {"mask_frames": (1, 2), "contrast_range": (3, 6)}


def subtractedRun(path: Path, numbers=(3, 4, 5, 6), **options):
    """(source, its deblurred node, differences of the source, those deblurred): "deblurred" is 1.5 times as strong."""
    from DSADeblurLib.xa import plan_subtraction, read_run, subtract

    source = load(path, **MASKED, **options)
    run = read_run(path)
    plan = plan_subtraction(run)
    frames = subtract(run.frames, plan, run.relationship)
    differences = np.stack([frames[plan.contrast_frames.index(number)] for number in numbers])
    sharp = differences * np.float32(1.5)
    texts = {"Subtraction": json.dumps(plan.as_dict()), "Relationship": run.relationship}
    return source, derive(source, sharp, numbers, True, **texts), differences, sharp


def pixels(volume) -> np.ndarray:
    return slicer.util.arrayFromVolume(volume)[0]


def window(node) -> tuple[float, float]:
    from DSADeblurScene.input import shownVolume

    display = shownVolume(node).GetDisplayNode()
    return display.GetWindowLevelMin(), display.GetWindowLevelMax()


@pytest.mark.parametrize(
    "options", [{}, {"stack": True}, {"relationship": "LOG"}, {"spacing": (0.4, 0.2)}], ids=lambda one: str(one)
)
def test_peak_opacification_is_the_minimum(host, tmp_path, options):
    from DSADeblurScene.derived import sourceOf, vesselWindow
    from DSADeblurScene.views import showPeakOpacification

    source, derived, differences, sharp = subtractedRun(tmp_path / "a.dcm", **options)
    before, steps = (fingerprint(source), fingerprint(derived)), []
    original, peak = showPeakOpacification(derived, lambda *step: steps.append(step))
    assert np.array_equal(pixels(original), differences.min(axis=0))
    assert np.array_equal(pixels(peak), sharp.min(axis=0))
    assert (fingerprint(source), fingerprint(derived)) == before
    assert steps[0] == (0, 8) and steps[-1] == (8, 8) and sorted(steps) == steps
    for node in (original, peak):
        place = source if options.get("stack") else source.GetNthDataNode(0)
        assert np.allclose(ijkToRas(node), ijkToRas(place)) and sourceOf(node) is source
        assert "peak opacification (research use only)" in node.GetName()
        assert node.GetAttribute("DSADeblur.ResearchUseOnly") == "true"
        assert window(node) == pytest.approx(vesselWindow(pixels(original)[None]))
    assert "subtracted" in original.GetName() and "deblurred" in peak.GetName()


def test_both_pictures_are_shown_and_renewed(host, tmp_path):
    from DSADeblurScene.layouts import LAYOUT_IDS, VIEWS, CompareView
    from DSADeblurScene.views import showPeakOpacification

    _source, derived, *_ = subtractedRun(tmp_path / "a.dcm")
    showPeakOpacification(derived)
    count = slicer.mrmlScene.GetNumberOfNodes()
    nodes = showPeakOpacification(derived)
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert host.layoutLogic.GetLayoutNode().GetViewArrangement() == LAYOUT_IDS[CompareView.PAIR]
    for tag, node in zip(VIEWS, nodes, strict=False):
        logic = slicer.app.applicationLogic().GetSliceLogicByLayoutName(tag)
        assert logic.GetBackgroundLayer().GetVolumeNode() is node


def test_background_goes_from_the_difference_to_the_contrast_frame(host, tmp_path):
    from DSADeblurLib.xa import read_run
    from DSADeblurScene.views import showWithBackground

    source, derived, differences, sharp = subtractedRun(tmp_path / "a.dcm", numbers=(4, 5))
    before = fingerprint(source), fingerprint(derived)
    logs = np.log(np.maximum(read_run(tmp_path / "a.dcm").frames[:].astype(float), 1))
    logMask = np.log(read_run(tmp_path / "a.dcm").frames[0:2].astype(float).mean(axis=0))

    original, deblurred = showWithBackground(derived, 0.0)
    assert np.array_equal(allFrames(original), differences) and np.array_equal(allFrames(deblurred), sharp)
    original, deblurred = showWithBackground(derived, 1.0)
    for shown, contrast in zip(allFrames(original), logs[3:5], strict=True):
        constant = contrast - shown
        assert np.ptp(constant) < 1e-5 and constant.mean() == pytest.approx(logMask.mean(), abs=1e-5)

    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.floats(0, 1))
    def check(fraction):
        original, deblurred = showWithBackground(derived, fraction)
        background = fraction * (logMask - logMask.mean())
        assert np.allclose(allFrames(original), differences + background, atol=1e-5)
        assert np.allclose(allFrames(deblurred), sharp + background, atol=1e-5)

    check()
    assert (fingerprint(source), fingerprint(derived)) == before


def test_background_plays_in_step_and_says_what_it_is(host, tmp_path):
    from DSADeblurScene.derived import sourceOf
    from DSADeblurScene.input import browserForSequence, readInput, shownVolume
    from DSADeblurScene.views import showWithBackground

    source, derived, *_ = subtractedRun(tmp_path / "a.dcm", numbers=(4, 6))
    nodes = showWithBackground(derived, 0.25)
    for node in nodes:
        assert readInput(node).indexValues == readInput(derived).indexValues
        assert browserForSequence(node) is browserForSequence(source) and sourceOf(node) is source
        assert "25 % background (display only, research use only)" in node.GetName()
        for name, value in (("DisplayOnly", "true"), ("ResearchUseOnly", "true"), ("BackgroundFraction", "0.25")):
            assert node.GetAttribute("DSADeblur." + name) == value
            assert node.GetNthDataNode(0).GetAttribute("DSADeblur." + name) == value
    assert window(nodes[0]) == window(nodes[1])
    # Renewed, not added to; what the views show is renewed as well.
    browserForSequence(source).SetSelectedItemNumber(3)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()
    count, before = slicer.mrmlScene.GetNumberOfNodes(), pixels(shownVolume(nodes[0])).copy()
    renewed = showWithBackground(derived, 0.5)
    assert slicer.mrmlScene.GetNumberOfNodes() == count and renewed == nodes
    for node in renewed:
        for one in (node, node.GetNthDataNode(1), shownVolume(node)):
            assert one.GetAttribute("DSADeblur.BackgroundFraction") == "0.5" and "50 %" in one.GetName()
    assert not np.array_equal(pixels(shownVolume(nodes[0])), before)
    assert np.array_equal(pixels(shownVolume(nodes[0])), allFrames(nodes[0])[0])
    assert list(Path(slicer.app.temporaryPath).glob("dsad-*")) == []


def test_registered_mask_is_the_one_that_was_subtracted(host, tmp_path):
    from dataclasses import replace

    from DSADeblurLib.xa import SubtractionPlan
    from DSADeblurScene.compare import subtractedSource
    from DSADeblurScene.views import showWithBackground

    source, derived, *_ = subtractedRun(tmp_path / "a.dcm")
    plan = SubtractionPlan.from_dict(json.loads(derived.GetAttribute("DSADeblur.Subtraction")))
    mask = replace(plan.masks[0], shift=(1.5, -2.25))
    derived.SetAttribute("DSADeblur.Subtraction", json.dumps(replace(plan, masks=(mask,)).as_dict()))
    frames = subtractedSource(derived)
    original, _ = showWithBackground(derived, 1.0)
    contrast = frames[2] + frames.mask(2)
    assert np.ptp(allFrames(original)[2] - contrast) < 1e-5
    plain = allFrames(showWithBackground(derived, 0.0)[0])[2]
    assert np.array_equal(plain, frames[2])


@pytest.mark.parametrize("view", ["peak", "background"])
def test_a_stopped_view_leaves_the_scene_as_it_was(host, tmp_path, view):
    from DSADeblurScene.views import Stopped, showPeakOpacification, showWithBackground

    _source, derived, *_ = subtractedRun(tmp_path / "a.dcm")

    def make(node, *progress):
        return showPeakOpacification(node, *progress) if view == "peak" else showWithBackground(node, 0.3, *progress)

    earlier = make(derived)
    count = slicer.mrmlScene.GetNumberOfNodes()

    def stop(done, total):
        if done == 2:
            raise Stopped

    with pytest.raises(Stopped):
        make(derived, stop)
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert all(slicer.mrmlScene.IsNodePresent(node) for node in earlier)
    assert list(Path(slicer.app.temporaryPath).glob("dsad-*")) == []


def test_what_cannot_be_shown_is_told(host, tmp_path):
    from DSADeblurScene.views import hasViews, showPeakOpacification, showWithBackground

    source, derived, *_ = subtractedRun(tmp_path / "a.dcm")
    native = derive(source, samples.vessel_frames(), range(1, 7))
    assert hasViews(derived) and not hasViews(native) and not hasViews(source) and not hasViews(None)
    for view in (showPeakOpacification, lambda node: showWithBackground(node, 0.5)):
        with pytest.raises(ValueError, match="was subtracted, and its source"):
            view(native)
    with pytest.raises(ValueError, match="fraction must be from 0 to 1"):
        showWithBackground(derived, 1.2)
    slicer.mrmlScene.RemoveNode(source)
    assert not hasViews(derived)


def test_saved_with_the_scene(host, tmp_path):
    from DSADeblurScene.views import BACKGROUND_REFERENCES, PEAK_REFERENCES, showPeakOpacification, showWithBackground

    _source, derived, differences, _sharp = subtractedRun(tmp_path / "a.dcm")
    showPeakOpacification(derived)
    shown = allFrames(showWithBackground(derived, 0.5)[1])
    host.saveScene(tmp_path / "scene.mrb")
    host.loadScene(tmp_path / "scene.mrb")
    derived = slicer.util.getFirstNodeByClassByName("vtkMRMLSequenceNode", "run deblurred")
    assert np.array_equal(pixels(derived.GetNodeReference(PEAK_REFERENCES[0])), differences.min(axis=0))
    assert np.array_equal(allFrames(derived.GetNodeReference(BACKGROUND_REFERENCES[1])), shown)
    count = slicer.mrmlScene.GetNumberOfNodes()
    showPeakOpacification(derived)
    showWithBackground(derived, 0.5)
    assert slicer.mrmlScene.GetNumberOfNodes() == count


@pytest.fixture
def panel(gui, tmp_path):
    """(panel, source, deblurred node chosen)."""
    widget = gui.openModule()
    source, derived, *_ = subtractedRun(tmp_path / "a.dcm")
    widget.ui.inputSelector.setCurrentNode(source)
    assert not widget.ui.peakButton.enabled and not widget.ui.backgroundButton.enabled
    widget._parameterNode.derivedNode = derived
    assert widget.ui.peakButton.enabled and widget.ui.backgroundButton.enabled
    return widget, source, derived


def named(words: str) -> list:
    return [node for node in slicer.util.getNodesByClass("vtkMRMLNode") if words in (node.GetName() or "")]


def test_buttons(gui, panel):
    widget, _source, _derived = panel
    widget.ui.peakButton.click()
    assert widget.ui.statusLabel.text.startswith("Added 5: XA DSA cerebral [1] subtracted peak opacification")
    assert widget.runSection.isIdle and not widget.ui.progressBar.visible
    widget.ui.backgroundSlider.value = 35
    widget.ui.backgroundButton.click()
    assert widget._parameterNode.background == 35 and "35 % background" in widget.ui.statusLabel.text
    widget._parameterNode.derivedNode = None
    assert not widget.ui.peakButton.enabled and widget.ui.peakButton.toolTip == "Deblur a subtracted run first."


@pytest.mark.parametrize("button", ["peakButton", "backgroundButton"])
def test_cancel(gui, panel, monkeypatch, button):
    widget, seen = panel[0], []

    def press() -> None:
        seen.append((widget.ui.progressBar.visible, widget.ui.applyButton.text, widget.ui.statusLabel.text))
        # A second view is not begun, and Cancel ends the first.
        widget.ui.peakButton.click()
        widget.ui.applyButton.click()

    slicerapi.replace(monkeypatch, "slicer.app.processEvents", press)
    count = slicer.mrmlScene.GetNumberOfNodes()
    getattr(widget.ui, button).click()
    assert len(seen) == 1 and seen[0][:2] == (True, "Cancel") and "step 0 of" in seen[0][2]
    assert widget.ui.statusLabel.text == "Cancelled." and widget.runSection.isIdle
    assert slicer.mrmlScene.GetNumberOfNodes() == count and not widget.ui.progressBar.visible
    monkeypatch.undo()
    getattr(widget.ui, button).click()
    assert widget.ui.statusLabel.text.startswith("Added")


@pytest.mark.parametrize("button", ["peakButton", "backgroundButton"])
def test_scene_closed_meanwhile(gui, panel, monkeypatch, button):
    widget = panel[0]
    slicerapi.replace(monkeypatch, "slicer.app.processEvents", gui.closeScene)
    getattr(widget.ui, button).click()
    assert "scene was closed" in widget.ui.statusLabel.text and widget.runSection.isIdle
    assert named("peak") == [] == named("background")


def test_module_reloaded_meanwhile(gui, panel, monkeypatch):
    widget = panel[0]
    slicerapi.replace(monkeypatch, "slicer.app.processEvents", lambda: gui.reloadModule())
    widget.ui.peakButton.click()
    assert named("peak opacification") == []


def test_source_without_its_pixels_is_told(gui, panel):
    widget, source, _derived = panel
    source.RemoveAllDataNodes()
    widget.ui.peakButton.click()
    assert "is empty" in widget.ui.statusLabel.text and widget.runSection.isIdle
