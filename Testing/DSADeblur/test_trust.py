"""What the panel tells of how far a result can be trusted: what the library finds, in the scene and in its export."""

from __future__ import annotations

import json

import numpy as np
import pytest
import qtemu
import slicer
import vtk
from fakerunner import FakeRunner
from scenes import allFrames, fingerprint, load

PLACES = [
    {"frame": 4, "row": 12, "column": 30, "strength": 3.5},
    {"frame": 2, "row": 40, "column": 8, "strength": 2.0},
]
FOUND = {"places": PLACES, "unexplained": 0.01, "beyond": 0.2, "count": 2, "sentence": "At 2 places."}


@pytest.fixture
def panel(gui, tiny_model):
    """The open module with the small network chosen, on the CPU."""
    widget = gui.openModule()
    widget._parameterNode.request.model = tiny_model
    for box in (widget.ui.deviceComboBox, widget.ui.engineComboBox, widget.ui.precisionComboBox):
        box.currentIndex = 1
    return widget


def wait(gui, panel) -> None:
    assert gui.processEvents(lambda: panel.runSection.isIdle and not panel.compareSection._slices.isBusy)


def applied(gui, panel, node):
    panel.ui.inputSelector.setCurrentNode(node)
    panel.ui.applyButton.click()
    wait(gui, panel)
    assert panel.ui.statusLabel.text.startswith("Done"), panel.ui.statusLabel.text
    return panel._parameterNode.derivedNode


def layers() -> dict[str, tuple[str, str]]:
    """Names of the volumes behind and over all in each slice view."""
    found = {}
    for composite in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        ids = composite.GetBackgroundVolumeID(), composite.GetLabelVolumeID()
        nodes = (slicer.mrmlScene.GetNodeByID(one or "") for one in ids)
        found[composite.GetLayoutName()] = tuple(node.GetName() if node else "" for node in nodes)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("stack", [False, True])
def test_a_look_from_apply_to_export(gui, panel, tmp_path, stack):
    from DSADeblurLib.kept import trust_of
    from DSADeblurLib.used import Used
    from DSADeblurScene.export_result import provenanceOf, resultOf
    from DSADeblurScene.input import shownVolume

    ui, source = panel.ui, load(tmp_path / "a.dcm", stack=stack)
    assert not ui.trustButton.enabled and ui.trustButton.toolTip == "Deblur a run first."
    original, derived = fingerprint(source), applied(gui, panel, source)
    assert ui.trustButton.enabled and not ui.trustMapCheckBox.visible
    used = Used.from_dict(json.loads(derived.GetAttribute("DSADeblur.Used")))
    expected = trust_of(panel.logic.live.keptOf(derived), used, tmp_path / "map.npy").as_dict()

    pixels = allFrames(derived)
    ui.trustButton.click()
    assert ui.applyButton.text == "Cancel"
    wait(gui, panel)
    assert ui.statusLabel.text == ui.trustLabel.text == expected["sentence"]
    assert json.loads(derived.GetAttribute("DSADeblur.Trust")) == expected
    assert ui.trustPlacesList.count == len(expected["places"])
    unexplained = derived.GetNodeReference("DSADeblur.unexplained")
    assert np.array_equal(allFrames(unexplained), np.load(tmp_path / "map.npy"))
    assert np.array_equal(allFrames(derived), pixels) and fingerprint(source) == original
    assert f"{expected['count']} places not explained" in provenanceOf(resultOf(derived), ()).settings

    name = shownVolume(unexplained).GetName()
    assert [front for back, front in layers().values() if back == shownVolume(derived).GetName()] == [name]
    views = panel.logic.compareViews
    assert "yellow: not explained" in views._overlays[1]._left.GetInput()
    for kind in ("swipe", "flicker"):
        views.showNamed(derived, kind)
        assert layers()["DSADeblurBoth"][1] == name
    ui.trustMapCheckBox.checked = False
    assert "yellow" not in views._overlays[0]._left.GetInput()
    assert all(front == "" for _back, front in layers().values())
    # A second look replaces the first.
    count = slicer.mrmlScene.GetNumberOfNodes()
    ui.trustButton.click()
    wait(gui, panel)
    assert slicer.mrmlScene.GetNumberOfNodes() == count


@pytest.fixture
def looking(gui, panel, tmp_path):
    """(result, what plays the worker, its message) while the worker is looking at a result."""
    derived = applied(gui, panel, load(tmp_path / "a.dcm"))
    client = panel.logic._client
    client.stop()
    client._makeRunner = FakeRunner
    panel.ui.trustButton.click()
    return derived, FakeRunner.made[-1], FakeRunner.made[-1].sent[-1]


def answer(looking, found=FOUND, value=0):
    derived, worker, message = looking
    np.save(message["output"], np.full(allFrames(derived).shape, value, np.uint8))
    worker.say(type="finished", job=message["job"], output=message["output"], trust=found)


@pytest.mark.slow
def test_the_map_is_drawn_over_the_result_alone(gui, panel, looking):
    """In swipe right of the curtain, in flicker while the result is shown."""
    from DSADeblurScene.layouts import BOTH, VIEWS, fitViews

    def yellow(tag: str) -> np.ndarray:
        view = gui.layoutManager.sliceWidget(tag).sliceView()
        view.userResizes(300, 300)
        fitViews()
        red, green, blue = np.moveaxis(view.userSees()[100:200, :, :3].astype(int), 2, 0)
        return (red > 200) & (green > 200) & (blue < 60)

    derived, views = looking[0], panel.logic.compareViews
    answer(looking, value=1)
    wait(gui, panel)
    assert yellow(VIEWS[1]).mean() > 0.5 and not yellow(VIEWS[0]).any()
    views.showNamed(derived, "swipe")
    assert yellow(BOTH)[:, 160:].mean() > 0.5 and not yellow(BOTH)[:, :140].any()
    views.showNamed(derived, "flicker")
    assert yellow(BOTH).mean() > 0.5
    views.flip()
    assert not yellow(BOTH).any()


@pytest.mark.slow
def test_a_place_that_is_chosen_is_shown(gui, panel, looking):
    from DSADeblurScene.input import browserForSequence

    derived, ui = looking[0], panel.ui
    answer(looking)
    wait(gui, panel)
    assert qtemu.unwrap(ui.trustPlacesList).item(0).text() == "Frame 4: row 12, column 30 (3.5 times)"
    browser = browserForSequence(derived)
    for row, place in enumerate(PLACES):
        ui.trustPlacesList.currentRow = row
        assert browser.GetSelectedItemNumber() == place["frame"] - 1
        for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            volume = derived.GetNthDataNode(0)
            centre, toIJK = [view.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)], vtk.vtkMatrix4x4()
            volume.GetRASToIJKMatrix(toIJK)
            assert toIJK.MultiplyPoint((*centre, 1))[:2] == pytest.approx((place["column"], place["row"]), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cancelled", "error", "removed", "closed", "reloaded"])
def test_what_does_not_come_to_its_end_leaves_nothing(gui, panel, looking, how):
    from DSADeblurScene.temporary import makeTemporaryFolder

    derived, worker, message = looking
    beside = makeTemporaryFolder()
    count, job = slicer.mrmlScene.GetNumberOfNodes(), message["job"]
    if how == "cancelled":
        panel.ui.applyButton.click()
        worker.say(type="cancelled", job=job)
        assert panel.ui.statusLabel.text == "Cancelled."
    elif how == "error":
        worker.say(type="error", job=job, message="There is no room.")
        assert panel.ui.statusLabel.text == "There is no room."
    elif how == "removed":
        slicer.mrmlScene.RemoveNode(derived)
        answer(looking)
        wait(gui, panel)
        assert "removed from the scene" in panel.ui.statusLabel.text
    elif how == "closed":
        gui.closeScene()
        assert worker.stopped
    else:
        panel = gui.reloadModule()
        assert worker.stopped
    assert not panel.logic.isBusy and not slicer.util.getNodes("*not explained*")
    if how in ("cancelled", "error"):
        assert slicer.mrmlScene.GetNumberOfNodes() == count and derived.GetAttribute("DSADeblur.Trust") is None
        assert panel.ui.trustButton.enabled
    assert not list(beside.parent.glob("*/unexplained.npy"))


@pytest.mark.slow
def test_nothing_else_begins_meanwhile(panel, looking):
    with pytest.raises(RuntimeError, match="being looked at"):
        panel.logic.export(looking[0])
    with pytest.raises(RuntimeError, match="being looked at"):
        panel.logic.lookAtTrust(looking[0], None)


@pytest.mark.slow
def test_a_saved_scene_tells_it_again(gui, panel, looking, tmp_path):
    answer(looking)
    wait(gui, panel)
    gui.saveScene(tmp_path / "scene.mrb")
    gui.closeScene()
    gui.loadScene(tmp_path / "scene.mrb")
    panel.initializeParameterNode()
    ui = panel.ui
    assert ui.trustLabel.text == FOUND["sentence"] and ui.trustPlacesList.count == 2
    assert not ui.trustButton.enabled and "Apply again" in ui.trustButton.toolTip
