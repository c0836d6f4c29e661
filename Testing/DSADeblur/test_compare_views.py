"""Every way to compare shows one frame of both on every tick, in one window, labelled; what was made for it goes."""

from __future__ import annotations

import json

import numpy as np
import pytest
import samples
import slicer
from results import deblurred
from scenes import allFrames, load

MASKED = {"mask_frames": (1, 2), "contrast_range": (3, 6)}
SIZE = (400, 300)


@pytest.fixture
def result(views, tmp_path):
    """(source, result, frames of the original that belong to those of the result)."""
    from DSADeblurScene.compare import originalFrames

    source = load(tmp_path / "a.dcm", samples.vessel_frames(6, 96, 128), **MASKED)
    derived = deblurred(source)
    return source, derived, originalFrames(derived)[:]


def browserOf(source):
    from DSADeblurScene.input import browserForSequence

    return browserForSequence(source)


def showFrame(source, number: int) -> None:
    browserOf(source).SetSelectedItemNumber(number - 1)
    slicer.modules.sequences.logic().UpdateAllProxyNodes()


def viewOf(gui, tag):
    from DSADeblurScene.layouts import fitViews, logicOf

    view = gui.layoutManager.sliceWidget(tag).sliceView()
    view.userResizes(*SIZE)
    composite = logicOf(tag).GetSliceCompositeNode()
    linked = composite.GetLinkedControl()
    composite.SetLinkedControl(False)
    if tag == "Red":
        logicOf(tag).FitSliceToBackground()
    else:
        fitViews()
    composite.SetLinkedControl(linked)
    return view


def drawn(view) -> np.ndarray:
    """(rows, cols) grey of the middle of a view, below the labels."""
    return view.userSees()[90:290, 80:320, 0].astype(float)


def alone(gui, frame: np.ndarray) -> np.ndarray:
    """What Slicer draws of a frame of the run by itself."""
    from DSADeblurScene.layouts import logicOf

    volume = slicer.util.addVolumeFromArray(frame[np.newaxis])
    template = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSequenceNode").GetNthDataNode(0)
    volume.CopyOrientation(template)
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevelMinMax(-1.5, 0.5)
    logicOf("Red").GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
    logicOf("Red").GetSliceNode().SetOrientationToAxial()
    picture = drawn(viewOf(gui, "Red"))
    slicer.mrmlScene.RemoveNode(volume)
    return picture


@pytest.fixture
def drawings(gui, result):
    """(originals, deblurred): what a view shows of each frame when it is alone in it."""
    _source, derived, originals = result
    gui.layoutLogic.GetLayoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    return tuple([alone(gui, frame) for frame in frames] for frames in (originals, allFrames(derived)))


def setWindow(views) -> None:
    from DSADeblurScene.derived import setWindow

    setWindow(views._frames.deblurred, -1.5, 0.5)


def ticks(source, count: int = 14):
    """Numbers of the frames while the run plays."""
    browser = browserOf(source)
    for _ in range(count):
        browser.SelectNextItem(1)
        slicer.modules.sequences.logic().UpdateAllProxyNodes()
        yield browser.GetSelectedItemNumber() + 1


def test_swipe_shows_both_images_of_one_frame_on_every_tick(gui, views, result, drawings):
    from DSADeblurScene.layouts import BOTH, CompareView

    source, derived, _ = result
    views.show(derived, CompareView.SWIPE)
    setWindow(views)
    view, seen = viewOf(gui, BOTH), set()
    # Left and right of the line, which has some width.
    left, right = slice(0, 112), slice(128, None)
    for number in ticks(source):
        if number > 2:
            picture = drawn(view)
            seen.add(number)
            assert np.array_equal(picture[:, left], drawings[0][number - 3][:, left])
            assert np.array_equal(picture[:, right], drawings[1][number - 3][:, right])
    assert seen == {3, 4, 5, 6}


def test_flicker_shows_both_images_of_one_frame_on_every_tick(gui, views, result, drawings):
    from DSADeblurScene.layouts import BOTH, CompareView

    source, derived, _ = result
    views.show(derived, CompareView.FLICKER)
    setWindow(views)
    view, seen = viewOf(gui, BOTH), set()
    for number in ticks(source):
        if number > 2:
            for shown in (1, 0):
                assert np.array_equal(drawn(view), drawings[shown][number - 3])
                assert np.abs(drawings[0][number - 3] - drawings[1][number - 3]).max() > 5
                views.flip()
                seen.add((number, shown))
    assert len(seen) == 8


@pytest.mark.parametrize("kind", ["PAIR", "CHANGE"])
def test_side_by_side_is_in_step_and_linked_on_every_tick(gui, views, result, drawings, kind):
    from DSADeblurScene.layouts import VIEWS, CompareView, logicOf

    source, derived, _ = result
    views.show(derived, CompareView[kind])
    setWindow(views)
    panes = [viewOf(gui, tag) for tag in VIEWS[:2]]
    for number in ticks(source):
        if number > 2:
            for pane, pictures in zip(panes, drawings, strict=True):
                assert np.array_equal(drawn(pane), pictures[number - 3])
    logic = logicOf(VIEWS[0])
    logic.StartSliceNodeInteraction(slicer.vtkMRMLSliceNode.FieldOfViewFlag)
    logic.GetSliceNode().SetFieldOfView(20, 15, 1)
    logic.EndSliceNodeInteraction()
    assert logicOf(VIEWS[1]).GetSliceNode().GetFieldOfView()[0] == pytest.approx(20)


def test_flicker_goes_by_itself_and_by_the_space_bar(gui, views, result):
    from DSADeblurScene.layouts import BOTH, CompareView, logicOf

    composite, stopped, shown = None, [], []
    views.onClockStopped = lambda: stopped.append(True)
    views.setClock(1000)  # three times a second at most
    views.show(result[1], CompareView.FLICKER)
    composite = logicOf(BOTH).GetSliceCompositeNode()
    for _ in range(3):
        before = composite.GetForegroundOpacity()
        assert gui.processEvents(lambda: composite.GetForegroundOpacity() != before)  # noqa: B023
        shown.append(composite.GetForegroundOpacity())
    assert shown == [0, 1, 0] and views._changesPerSecond == 3
    view = viewOf(gui, BOTH)
    view.userPresses("space")
    assert composite.GetForegroundOpacity() == 1 and stopped == [True] and view.seenBySlicer == []
    view.userPresses("space")
    assert composite.GetForegroundOpacity() == 0 and views._changesPerSecond == 0


def texts(views) -> list[str]:
    return [overlay._left.GetInput() for overlay in views._overlays] + [views._overlays[0]._right.GetInput()]


def test_labels_are_those_of_what_is_shown(gui, views, result):
    from DSADeblurScene.layouts import CompareView

    source, derived, _ = result
    showFrame(source, 4)
    sharp = "AI-DEBLURRED, RESEARCH USE ONLY\nmodel arithmetic\nsharpness 0.5, noise reduction 0.5"
    original, change = "ORIGINAL\nframe 4", "CHANGE: deblurred - original\nRESEARCH USE ONLY"
    views.show(derived, CompareView.PAIR)
    assert texts(views) == [original, sharp, ""]
    views.show(derived, CompareView.CHANGE)
    assert texts(views) == [original, sharp, change, ""]
    views.show(derived, CompareView.SWIPE)
    assert texts(views) == [original, sharp]
    views.show(derived, CompareView.FLICKER)
    assert texts(views) == [sharp, ""]
    views.flip()
    assert texts(views) == [original, ""]
    showFrame(source, 1)
    assert texts(views) == ["ORIGINAL", ""]


def test_keys_step_through_the_frames(gui, views, result):
    from DSADeblurScene.layouts import VIEWS, CompareView

    source, derived, _ = result
    showFrame(source, 4)
    views.show(derived, CompareView.PAIR)
    view, browser = viewOf(gui, VIEWS[1]), browserOf(source)
    view.userPresses("Right")
    assert browser.GetSelectedItemNumber() == 4
    view.userPresses("Left")
    view.userPresses("Left")
    assert browser.GetSelectedItemNumber() == 2 and view.seenBySlicer == []
    view.userTurnsWheel(isForward=True)
    assert browser.GetSelectedItemNumber() == 3 and view.seenBySlicer == []
    view.userTurnsWheel(isForward=True, withControl=True)  # Slicer's zoom
    assert browser.GetSelectedItemNumber() == 3 and view.seenBySlicer.pop() == "MouseWheelForwardEvent"
    # The space bar is the flicker view's alone.
    view.userPresses("space")
    assert view.seenBySlicer == ["KeyPressEvent"]


@pytest.mark.parametrize("kind", ["PAIR", "SWIPE"])
def test_keys_step_through_a_stack(gui, views, tmp_path, kind):
    from DSADeblurScene.compare import originalFrames
    from DSADeblurScene.first_look import jumpToFrame
    from DSADeblurScene.layouts import VIEWS_OF, CompareView

    derived = deblurred(load(tmp_path / "a.dcm", stack=True, **MASKED))
    originals, seen = originalFrames(derived)[:], []
    views.show(derived, CompareView[kind])
    jumpToFrame(derived.GetNodeReference("DSADeblur.source"), 3)
    view = viewOf(gui, VIEWS_OF[CompareView[kind]][0])
    for key in ("Right", "Right", "Right", "Right", "Left", "Left"):
        view.userPresses(key)
        seen.append(views._frames.number)
        shown = slicer.util.arrayFromVolume(views._frames.original)[0]
        assert np.array_equal(shown, originals[views._frames.index])
    assert seen == [4, 5, 6, 6, 5, 4]


def test_grey_windows_of_a_native_run_follow_each_other(gui, views, tmp_path):
    from DSADeblurScene.layouts import CompareView

    derived = deblurred(load(tmp_path / "a.dcm"))
    views.show(derived, CompareView.SWIPE)
    first, second = (one.GetDisplayNode() for one in (views._frames.original, views._frames.deblurred))
    assert first is not second
    first.SetWindowLevelMinMax(100, 900)
    assert (second.GetWindowLevelMin(), second.GetWindowLevelMax()) == (100, 900)
    second.SetWindowLevelMinMax(50, 700)
    assert (first.GetWindowLevelMin(), first.GetWindowLevelMax()) == (50, 700)
    views.leave()
    second.SetWindowLevelMinMax(0, 10)
    assert first.GetWindowLevelMax() == 700


def test_what_was_asked_for_last_is_shown(gui, views, result):
    from DSADeblurScene.first_look import showResultInSteps
    from DSADeblurScene.layouts import CompareView

    for begun in range(1, 5):
        steps = showResultInSteps(views, result[1], CompareView.PAIR)
        for _ in range(begun):
            next(steps, None)
        views.show(result[1], CompareView.SWIPE)
        list(steps)
        assert views.kind is CompareView.SWIPE


@pytest.mark.parametrize("kind", ["PAIR", "CHANGE", "SWIPE", "FLICKER"])
def test_all_goes_when_another_layout_is_chosen(gui, views, result, kind):
    from DSADeblurScene.layouts import BOTH, VIEWS, CompareView, logicOf

    _source, derived, _ = result
    volumes = set(slicer.util.getNodesByClass("vtkMRMLVolumeNode"))
    displays = len(slicer.util.getNodesByClass("vtkMRMLVolumeDisplayNode"))
    views.show(derived, CompareView[kind])
    layout = gui.layoutLogic.GetLayoutNode()
    layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    assert gui.processEvents(lambda: views.kind is None)
    assert set(slicer.util.getNodesByClass("vtkMRMLVolumeNode")) == volumes
    assert len(slicer.util.getNodesByClass("vtkMRMLVolumeDisplayNode")) == displays
    for tag in (*VIEWS, BOTH):
        logic = logicOf(tag)
        assert logic is None or logic.GetForegroundLayer().GetReslice().GetStencil() is None


def test_layout_menu_shows_the_latest_result(gui, views, result):
    from DSADeblurScene.layouts import BOTH, LAYOUT_IDS, CompareView, logicOf, registerLayouts

    registerLayouts()
    layout, shown = gui.layoutLogic.GetLayoutNode(), []
    views.onShown = shown.append
    # There is no result yet.
    layout.SetViewArrangement(LAYOUT_IDS[CompareView.SWIPE])
    gui.turnEventLoop()
    assert shown == []
    layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    views.candidate = result[1]
    layout.SetViewArrangement(LAYOUT_IDS[CompareView.FLICKER])
    assert gui.processEvents(lambda: shown)
    assert shown == [CompareView.FLICKER] and views.derived is result[1]
    assert logicOf(BOTH).GetForegroundLayer().GetVolumeNode() is views._frames.deblurred


@pytest.mark.parametrize("gone", ["scene", "derived", "source"])
def test_comparison_ends_with_its_nodes(gui, views, result, gone):
    from DSADeblurScene.layouts import CompareView

    source, derived, _ = result
    views.show(derived, CompareView.CHANGE)
    if gone == "scene":
        gui.closeScene()
    else:
        slicer.mrmlScene.RemoveNode(derived if gone == "derived" else source)
    assert views.kind is None and views.candidate is None
    assert not [one for one in slicer.util.getNodesByClass("vtkMRMLVolumeNode") if one.GetHideFromEditors()]


def test_views_fit_when_they_have_their_size(gui, views, result):
    from DSADeblurScene.layouts import VIEWS, CompareView, logicOf

    views.show(result[1], CompareView.PAIR)
    # The window is laid out after the layout was chosen, and before the event loop has turned.
    for tag in VIEWS[:2]:
        gui.layoutManager.sliceWidget(tag).sliceView().userResizes(640, 300)
    gui.turnEventLoop()
    for tag in VIEWS[:2]:
        # The whole image, 96 rows, is as high as the view.
        spacing = views._frames.original.GetSpacing()[1]
        assert logicOf(tag).GetSliceNode().GetFieldOfView()[1] == pytest.approx(96 * spacing)


def test_what_is_hidden_is_not_saved(gui, views, result, tmp_path):
    from DSADeblurScene.layouts import CompareView

    views.show(result[1], CompareView.CHANGE)
    gui.saveScene(tmp_path / "scene.mrb")
    gui.loadScene(tmp_path / "scene.mrb")
    names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")]
    assert names and not [name for name in names if "subtracted" in name or "difference" in name]


def test_label_of_a_moving_slider(gui, views, result):
    """What the two sliders put into the frame that is shown is told at once, in the swipe view too."""
    from DSADeblurScene.derived import renewFrame, updateShown
    from DSADeblurScene.layouts import CompareView

    source, derived, _ = result
    showFrame(source, 5)
    views.show(derived, CompareView.SWIPE)
    request = json.loads(derived.GetAttribute("DSADeblur.Request")) | {"noise_reduction": 0.75}
    volume = renewFrame(derived, 2, np.zeros((96, 128), np.float32))
    volume.SetAttribute("DSADeblur.Request", json.dumps(request))
    updateShown(derived)
    assert "noise reduction 0.75" in texts(views)[1]
