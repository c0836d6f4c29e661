"""A result follows the two controls: what is shown while sliding is what the worker writes, and nothing is mixed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import qtemu
import samples
import slicer
from fakerunner import FakeRunner
from scenes import allFrames, fingerprint, load

pytestmark = pytest.mark.slow
SAME = dict(device="cpu", engine="torch", precision="float32")
MASKED = dict(mask_frames=(1, 2), contrast_range=(3, 6))


@pytest.fixture
def panel(gui, tiny_model):
    """The open module with the small network chosen, on the CPU."""
    widget = gui.openModule()
    widget._parameterNode.request.model = tiny_model
    for box in (widget.ui.deviceComboBox, widget.ui.engineComboBox, widget.ui.precisionComboBox):
        box.currentIndex = 1
    return widget


@pytest.fixture
def apply(gui, panel):
    """Deblurs a node by the panel and waits until it is shown; returns the result."""

    def deblur(node):
        panel.ui.inputSelector.setCurrentNode(node)
        panel.ui.applyButton.click()
        wait(gui, panel)
        assert panel.ui.statusLabel.text.startswith("Done"), panel.ui.statusLabel.text
        return panel._parameterNode.derivedNode

    return deblur


def wait(gui, panel) -> None:
    assert gui.processEvents(lambda: panel.runSection.isIdle and not panel.compareSection._slices.isBusy)


def handle(slider):
    return qtemu.unwrap(slider)._slider


def slide(gui, slider, value: float) -> None:
    """Press the slider, move it by way of another value, and hold it there."""
    handle(slider).setSliderDown(True)
    for one in (0.9 * value, value):
        handle(slider).setValue(round(100 * one))
    gui.turnEventLoop()
    gui.processEvents(lambda: not slicer.modules.dsadeblurLive._showing.isBusy)


@pytest.fixture(autouse=True)
def live(panel):
    slicer.modules.dsadeblurLive = panel.logic.live
    yield panel.logic.live
    del slicer.modules.dsadeblurLive


def shownPixels(node) -> np.ndarray:
    from DSADeblurScene.input import shownIndex, shownVolume

    pixels = slicer.util.arrayFromVolume(shownVolume(node))
    return pixels[shownIndex(node)].copy() if pixels.shape[0] > 1 else pixels[0].copy()


def controlsOf(node) -> tuple[float, float]:
    request = json.loads(node.GetAttribute("DSADeblur.Request"))
    return request["sharpness"], request["noise_reduction"]


def temporaryFolders() -> list[Path]:
    return list(Path(slicer.app.temporaryPath).glob("dsad-*"))


@pytest.mark.parametrize("kind", ["native", "subtracted", "stack", "rescaled"])
def test_what_is_shown_while_sliding_is_what_the_worker_writes(gui, panel, apply, tmp_path, tiny_model, kind):
    from DSADeblurScene.input import shownIndex

    extra = {"extra": {"RescaleSlope": "2", "RescaleIntercept": "-100", "RescaleType": "US"}}
    options = {"subtracted": MASKED, "stack": {**MASKED, "stack": True}, "rescaled": extra}.get(kind, {})
    source = load(tmp_path / "a.dcm", **options)
    original, derived = fingerprint(source), apply(source)
    expected = {
        (s, n): allFrames(panel.logic.process(source, tiny_model, **SAME, sharpness=s, noise_reduction=n))
        for s, n in ((1, 0.5), (0.6, 0.5), (0.6, 0.2))
    }
    assert np.array_equal(allFrames(derived), expected[1, 0.5]) and "sharpness 1, noise" in panel.ui.controlsLabel.text
    index, seen = shownIndex(derived), []
    assert not np.array_equal(expected[1, 0.5][index], expected[0.6, 0.5][index])

    slide(gui, panel.ui.sharpnessSlider, 0.6)
    seen.append(shownPixels(derived))
    assert np.array_equal(seen[0], expected[0.6, 0.5][index])
    # The other frames, and what is told of the node, wait.
    others = [i for i in range(len(expected[1, 0.5])) if i != index]
    assert np.array_equal(allFrames(derived)[others], expected[1, 0.5][others]) and controlsOf(derived) == (1, 0.5)
    handle(panel.ui.sharpnessSlider).setSliderDown(False)
    assert panel.ui.applyButton.text == "Cancel"
    wait(gui, panel)
    assert panel.ui.statusLabel.text == "All frames follow the controls."
    assert np.array_equal(allFrames(derived), expected[0.6, 0.5]) and np.array_equal(shownPixels(derived), seen[0])
    assert controlsOf(derived) == (0.6, 0.5) and "sharpness 0.6, noise" in panel.ui.controlsLabel.text

    panel.ui.noiseReductionSlider.value = 0.2
    wait(gui, panel)
    assert np.array_equal(allFrames(derived), expected[0.6, 0.2]) and controlsOf(derived) == (0.6, 0.2)
    assert panel._parameterNode.request.noise_reduction == 0.2
    panel.ui.resetControlsButton.click()
    wait(gui, panel)
    assert (panel.ui.sharpnessSlider.value, panel.ui.noiseReductionSlider.value) == (1, 0.5)
    assert np.array_equal(allFrames(derived), expected[1, 0.5]) and controlsOf(derived) == (1, 0.5)
    assert fingerprint(source) == original


def test_the_truth_is_told_of_a_result_that_has_followed(gui, panel, apply, tmp_path):
    from DSADeblurScene.export_result import provenanceOf, resultOf
    from DSADeblurScene.input import readInput, shownVolume

    derived = apply(load(tmp_path / "a.dcm", **MASKED))
    panel._parameterNode.exportReviewed = True
    panel.ui.uniformNoiseReductionCheckBox.checked = True
    wait(gui, panel)
    assert "uniform noise reduction true" in provenanceOf(resultOf(derived), ()).settings
    for one in (derived, shownVolume(derived), *readInput(derived).volumes):
        assert json.loads(one.GetAttribute("DSADeblur.Request"))["uniform_noise_reduction"]
    assert not panel._parameterNode.exportReviewed


@pytest.mark.parametrize("kind", ["CHANGE", "SWIPE", "FLICKER"])
def test_views_follow_and_pictures_of_older_frames_go(gui, panel, apply, tmp_path, kind):
    from DSADeblurScene.compare import originalFrames
    from DSADeblurScene.input import shownIndex, shownVolume
    from DSADeblurScene.layouts import BOTH, VIEWS, CompareView, logicOf
    from DSADeblurScene.views import BACKGROUND_REFERENCES, PEAK_REFERENCES

    derived = apply(load(tmp_path / "a.dcm", **MASKED))
    for button in (panel.ui.peakButton, panel.ui.backgroundButton):
        button.click()
        wait(gui, panel)
    panel.ui.compareViewComboBox.currentIndex = list(CompareView).index(CompareView[kind])
    panel.ui.compareButton.click()
    wait(gui, panel)
    made = [derived.GetNodeReference(name) for name in (*PEAK_REFERENCES, *BACKGROUND_REFERENCES)]
    made += [shownVolume(one) for one in made]
    views, index = panel.logic.compareViews, shownIndex(derived)
    assert views.kind is CompareView[kind]
    for value, letGo in ((0.4, False), (0.4, True)):
        if letGo:
            handle(panel.ui.sharpnessSlider).setSliderDown(False)
            wait(gui, panel)
        else:
            slide(gui, panel.ui.sharpnessSlider, value)
        shown = shownPixels(derived)
        if kind == "CHANGE":
            assert logicOf(VIEWS[2]).GetBackgroundLayer().GetVolumeNode() is views._frames.change
            assert np.array_equal(shownPixels(views._frames.change), shown - originalFrames(derived)[index])
        else:
            seen = logicOf(BOTH).GetForegroundLayer().GetVolumeNode()
            assert np.array_equal(slicer.util.arrayFromVolume(seen)[0], shown)
        assert f"sharpness {value}" in views._frames.labels()[1]
    assert None not in made and not any(map(slicer.mrmlScene.IsNodePresent, made))


def test_runs_are_not_mixed(gui, panel, apply, tmp_path, tiny_model):
    first, second = (
        load(tmp_path / name, samples.vessel_frames(seed=seed)) for seed, name in enumerate(("a.dcm", "b.dcm"))
    )
    older, other = apply(first), apply(second)
    result = apply(first)
    assert len(temporaryFolders()) == 2  # of an older result of the same run nothing is kept
    before = fingerprint(older), fingerprint(other)
    panel.ui.sharpnessSlider.value = 0.3
    wait(gui, panel)
    expected = panel.logic.process(first, tiny_model, **SAME, sharpness=0.3)
    assert np.array_equal(allFrames(result), allFrames(expected))
    assert (fingerprint(older), fingerprint(other)) == before
    panel.ui.inputSelector.setCurrentNode(second)
    assert "sharpness 1," in panel.ui.controlsLabel.text
    panel.ui.noiseReductionSlider.value = 0.1
    wait(gui, panel)
    expected = panel.logic.process(second, tiny_model, **SAME, sharpness=0.3, noise_reduction=0.1)
    assert np.array_equal(allFrames(other), allFrames(expected)) and fingerprint(older) == before[0]
    assert controlsOf(result) == (0.3, 0.5) and panel._parameterNode.derivedNode is other
    slicer.mrmlScene.RemoveNode(result)
    assert len(temporaryFolders()) == 1
    panel.ui.inputSelector.setCurrentNode(first)
    assert panel.ui.controlsLabel.text == "Taken at the next Apply."


@pytest.mark.parametrize("choices", [{"order": 1, "subtraction": 0}, {"strength": 0}])
def test_what_cannot_follow_says_so(gui, panel, apply, tmp_path, choices):
    if "order" in choices:
        panel.ui.orderComboBox.currentIndex = 1
    else:
        panel.ui.sharpnessSlider.value = panel.ui.noiseReductionSlider.value = 0
    derived = apply(load(tmp_path / "a.dcm", **MASKED))
    before = fingerprint(derived)
    assert panel.ui.controlsLabel.text == "Taken at the next Apply." and temporaryFolders() == []
    panel.ui.sharpnessSlider.value = 0.5
    gui.turnEventLoop()
    assert fingerprint(derived) == before and panel.runSection.isIdle


def test_a_scene_that_is_loaded_again_follows_at_the_next_apply(gui, panel, apply, tmp_path):
    derived = apply(load(tmp_path / "a.dcm"))
    panel.ui.sharpnessSlider.value = 0.5
    wait(gui, panel)
    pixels = allFrames(derived)
    gui.leaveModule()
    gui.saveScene(tmp_path / "scene.mrb")
    gui.loadScene(tmp_path / "scene.mrb")
    panel.enter()
    derived = panel._parameterNode.derivedNode
    assert np.array_equal(allFrames(derived), pixels) and controlsOf(derived) == (0.5, 0.5)
    assert panel.ui.controlsLabel.text == "Taken at the next Apply." and temporaryFolders() == []
    panel.ui.sharpnessSlider.value = 0.9
    gui.turnEventLoop()
    assert np.array_equal(allFrames(derived), pixels)


@pytest.fixture
def following(gui, panel, apply, tmp_path):
    """(result, its fingerprint, what plays the worker) of a result whose slider was just let go at 0.5."""
    derived = apply(load(tmp_path / "a.dcm", **MASKED))
    client, before = panel.logic._client, fingerprint(derived)
    client.stop()
    client._makeRunner = FakeRunner
    slide(gui, panel.ui.sharpnessSlider, 0.5)
    handle(panel.ui.sharpnessSlider).setSliderDown(False)
    gui.turnEventLoop()
    assert fingerprint(derived) != before
    return derived, before, FakeRunner.made[-1]


@pytest.mark.parametrize("how", ["cancelled", "error", "exit"])
def test_what_does_not_come_to_its_end_leaves_the_result_as_it_was(gui, panel, following, how):
    derived, before, worker = following
    job = worker.sent[-1]["job"]
    assert worker.sent[-1]["type"] == "recombine"
    if how == "cancelled":
        panel.ui.applyButton.click()
        assert worker.sent[-1] == {"type": "cancel", "job": job}
        worker.say(type="cancelled", job=job)
    elif how == "error":
        worker.say(type="error", job=job, message="There is no room.")
    else:
        worker.end(None)
    wait(gui, panel)
    assert fingerprint(derived) == before and controlsOf(derived) == (1, 0.5)
    told = {"cancelled": "Cancelled.", "error": "There is no room.", "exit": "ended unexpectedly"}[how]
    assert told in panel.ui.statusLabel.text and panel.ui.sharpnessSlider.value == 1 and not panel.logic.isBusy


def test_cancel_while_frames_are_put_in(gui, panel, following):
    from DSADeblurLib.kept import recombine
    from DSADeblurLib.request import DeblurSettings

    derived, before, worker = following
    message, live = worker.sent[-1], panel.logic.live
    recombine(message["kept"], DeblurSettings(sharpness=0.5), Path(message["output"]))
    worker.say(type="finished", job=message["job"], output=message["output"])
    next(live._putting._steps), next(live._putting._steps)
    panel.ui.applyButton.click()
    wait(gui, panel)
    assert fingerprint(derived) == before and panel.ui.statusLabel.text == "Cancelled."


def test_a_slider_moved_meanwhile_is_followed_next(gui, panel, following):
    derived, _, worker = following
    job = worker.sent[-1]["job"]
    panel.ui.noiseReductionSlider.value = 0.3
    assert worker.sent[-1] == {"type": "cancel", "job": job}
    worker.say(type="cancelled", job=job)
    assert gui.processEvents(lambda: worker.sent[-1]["type"] == "recombine")
    request = worker.sent[-1]["request"]
    assert (request["sharpness"], request["noise_reduction"]) == (0.5, 0.3) and panel.ui.applyButton.text == "Cancel"
    # Back at what the node has, nothing is left to be computed.
    panel.ui.resetControlsButton.click()
    worker.say(type="cancelled", job=worker.sent[-1]["job"])
    wait(gui, panel)
    assert controlsOf(derived) == (1, 0.5) and panel.ui.statusLabel.text == "All frames follow the controls."
    assert fingerprint(derived) == following[1] and [one["type"] for one in worker.sent].count("recombine") == 2


def test_nothing_else_begins_meanwhile(panel, following):
    with pytest.raises(RuntimeError, match="follows its controls"):
        panel.logic.export(following[0])
    with pytest.raises(RuntimeError, match="follows its controls"):
        panel.logic.check(print, print)


@pytest.mark.parametrize("how", ["close", "remove", "quit", "reload"])
def test_its_end_leaves_nothing(gui, panel, following, how):
    worker = following[2]
    if how == "close":
        gui.closeScene()
        assert "scene was closed" in panel.ui.statusLabel.text
    elif how == "remove":
        slicer.mrmlScene.RemoveNode(following[0])
        assert panel.ui.statusLabel.text == "The result was removed from the scene."
    elif how == "quit":
        slicer.app.emit("aboutToQuit()")
    else:
        panel = gui.reloadModule()
        assert fingerprint(following[0]) == following[1]
    gui.turnEventLoop()
    assert temporaryFolders() == [] and worker.stopped and not panel.logic.isBusy
    if how != "quit":
        assert panel.runSection.isIdle


def test_a_slider_that_is_held_is_settled_before_an_export(gui, panel, apply, tmp_path, out):
    from DSADeblurLib.xa import read_run

    derived = apply(load(tmp_path / "a.dcm", relationship="LOG"))
    before = allFrames(derived)
    slide(gui, panel.ui.sharpnessSlider, 0.2)
    assert not np.array_equal(allFrames(derived), before)
    exported = panel.logic.export(derived, str(out), reviewed=True)
    assert np.array_equal(read_run(exported.path).frames[:], before) and np.array_equal(allFrames(derived), before)


def test_a_mask_frame_that_is_shown_has_no_result(gui, panel, apply, tmp_path):
    from DSADeblurScene.input import browserForSequence

    source = load(tmp_path / "a.dcm", **MASKED)
    derived = apply(source)
    before = fingerprint(derived)
    browserForSequence(source).SetSelectedItemNumber(0)
    slide(gui, panel.ui.sharpnessSlider, 0.5)
    assert fingerprint(derived) == before
    handle(panel.ui.sharpnessSlider).setSliderDown(False)
    wait(gui, panel)
    assert controlsOf(derived) == (0.5, 0.5) and fingerprint(derived) != before


def test_what_somebody_cleared_away_is_told(gui, panel, apply, tmp_path):
    import shutil

    derived = apply(load(tmp_path / "a.dcm"))
    before = fingerprint(derived)
    shutil.rmtree(temporaryFolders()[0])
    panel.ui.sharpnessSlider.value = 0.5
    wait(gui, panel)
    assert fingerprint(derived) == before and panel.ui.sharpnessSlider.value == 1
