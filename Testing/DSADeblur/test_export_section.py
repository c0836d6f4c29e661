"""The export group of the panel: what can be chosen when, what is told, and how an export ends before its time."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import dicomhost
import pydicom
import pytest
import samples
import slicer
import slicerapi
import viewhost
from results import deblurred
from scenes import load

pytestmark = pytest.mark.slow

FORMATS = ["DICOM file", "DICOM database", "PNG picture", "GIF film", "MP4 film"]


@pytest.fixture
def out(tmp_path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def panel(gui, tmp_path, out):
    """The open module with a result and a folder."""
    widget = gui.openModule()
    widget._parameterNode.derivedNode = deblurred(load(tmp_path / "a.dcm", mask_frames=(1, 2), contrast_range=(3, 6)))
    widget.ui.exportFolderPathLineEdit.currentPath = str(out)
    return widget


def choose(widget, name: str) -> None:
    widget.ui.exportFormatComboBox.currentIndex = FORMATS.index(name)


def idle(widget) -> bool:
    return widget.runSection.isIdle


def leftovers(out) -> list:
    return [*out.iterdir(), *Path(slicer.app.temporaryPath).glob("dsad-*")]


def meanwhile(monkeypatch, act) -> None:
    """Do something when the application handles events for the second time, in the middle of an export."""
    calls = []

    def processEvents():
        calls.append(None)
        if len(calls) == 2:
            act()

    slicerapi.replace(monkeypatch, "slicer.app.processEvents", processEvents)


def without(monkeypatch, *packages):
    """Hide packages from `find_spec`; gives the set of what is hidden."""
    find, hidden = importlib.util.find_spec, set(packages)
    hide = lambda name, *rest: None if name in hidden else find(name, *rest)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", hide)
    return hidden


def test_formats_are_those_of_the_export(gui):
    gui.openModule()
    from DSADeblurLib.xa.derived.compression import COMPRESSIONS
    from DSADeblurPanel.parameters import ExportFormat, RequestParameters
    from DSADeblurScene.export import FORMATS as known

    assert [one.value for one in ExportFormat] == list(known)
    compressions = type(RequestParameters().compression)
    assert [one.value for one in compressions] == list(COMPRESSIONS)
    assert [one.label() for one in ExportFormat] == FORMATS and all(one.label() for one in compressions)


@pytest.mark.parametrize(
    ("name", "folder", "dicom"),
    [
        ("DICOM file", True, True),
        ("DICOM database", False, True),
        ("PNG picture", True, False),
        ("GIF film", True, False),
        ("MP4 film", True, False),
    ],
)
def test_only_what_applies_is_enabled(panel, monkeypatch, name, folder, dicom):
    from DSADeblurPanel import export_section

    monkeypatch.setattr(export_section, "missingPackage", lambda choice, dropIdentity: "")
    ui = panel.ui
    choose(panel, name)
    for checked in (False, True):
        ui.exportIdentityCheckBox.checked = checked
        enabled = [ui.exportFolderPathLineEdit.enabled, ui.exportCompressionComboBox.enabled]
        assert enabled == [folder, dicom] and ui.exportIdentityCheckBox.enabled is dicom
        assert ui.exportReviewedCheckBox.enabled is (dicom and checked) and ui.exportButton.enabled
        told = ui.exportIdentityLabel.text
        assert "research use only" in told
        assert ("carries the patient's identity: name, number and dates" in told) is (dicom and not checked)
        assert ("burned into the frames" in told) is (checked or not dicom)


def test_nothing_to_export(gui, out):
    ui = gui.openModule().ui
    assert not ui.exportButton.enabled and ui.exportButton.toolTip == "Deblur a run first."
    assert not ui.installExportButton.visible


def test_folder_is_needed_but_not_for_the_database(panel):
    panel.ui.exportFolderPathLineEdit.currentPath = ""
    assert not panel.ui.exportButton.enabled and "folder" in panel.ui.exportButton.toolTip
    choose(panel, "DICOM database")
    assert panel.ui.exportButton.enabled and "deblurred" in panel.ui.exportButton.toolTip
    choose(panel, "DICOM file")
    panel.ui.exportFolderPathLineEdit.currentPath = "/no/such/folder"
    panel.ui.exportButton.click()
    assert "folder that exists" in panel.ui.statusLabel.text and idle(panel)


def test_button_writes_a_file_and_tells_where(panel, out, monkeypatch):
    seen = []
    bar, button = panel.ui.progressBar, panel.ui.exportButton
    look = lambda: seen.append((bar.visible, bar.value, button.enabled))  # noqa: E731
    slicerapi.replace(monkeypatch, "slicer.app.processEvents", look)
    panel.ui.exportCompressionComboBox.currentIndex = 3
    panel.ui.exportButton.click()
    (path,) = leftovers(out)
    assert str(path) in panel.ui.statusLabel.text and "research use only" in panel.ui.statusLabel.text
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.name == "RLE Lossless"
    # The four subtracted frames are read twice.
    assert seen == [(True, done, False) for done in range(8)]
    assert idle(panel) and not panel.ui.progressBar.visible and panel.ui.applyButton.text == "Apply"
    assert panel.ui.exportButton.enabled


def test_every_format_by_the_button(panel, out, tmp_path, monkeypatch):
    pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")
    from DSADeblurScene.input import browserForSequence

    utils = dicomhost.DicomUtils(tmp_path / "storage")
    monkeypatch.setitem(sys.modules, "DICOMLib", SimpleNamespace(DICOMUtils=utils))
    viewhost.showFrame(browserForSequence(panel._parameterNode.derivedNode), 4)
    for name in FORMATS:
        choose(panel, name)
        panel.ui.exportButton.click()
        assert "research use only" in panel.ui.statusLabel.text, panel.ui.statusLabel.text
    assert sorted(path.suffix for path in leftovers(out)) == [".dcm", ".gif", ".mp4", ".png"]
    assert len(utils.imported) == 1


def test_notes_on_identity_are_in_the_status_line(panel, out):
    pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")
    panel.ui.exportIdentityCheckBox.checked = True
    panel.ui.exportButton.click()
    assert "a person must look at every frame" in panel.ui.statusLabel.text
    assert "not marked as de-identified" in panel.ui.statusLabel.text
    panel.ui.exportReviewedCheckBox.checked = True
    panel.ui.exportButton.click()
    assert "not marked as de-identified" not in panel.ui.statusLabel.text
    said = [pydicom.dcmread(path).PatientIdentityRemoved for path in sorted(leftovers(out))]
    assert said == ["NO", "YES"]


def test_cancel_in_an_export(panel, out, monkeypatch):
    meanwhile(monkeypatch, panel.ui.applyButton.click)
    panel.ui.exportButton.click()
    assert panel.ui.statusLabel.text == "Cancelled; nothing was written."
    assert idle(panel) and leftovers(out) == [] and not panel.logic.isBusy
    panel.ui.exportButton.click()
    assert len(leftovers(out)) == 1


def test_nothing_else_starts_in_an_export(panel, out, monkeypatch):
    from DSADeblurPanel.parameters import requestFrom
    from DSADeblurScene.worker_client import Callbacks

    errors = []

    def act():
        parameters = panel._parameterNode
        node = parameters.derivedNode
        assert panel.ui.applyButton.text == "Cancel" and not panel.ui.exportButton.enabled
        for start in (
            lambda: panel.logic.start(parameters.inputNode, requestFrom(parameters.request), Callbacks()),
            lambda: panel.logic.export(node, out),
        ):
            with pytest.raises(RuntimeError, match="An export is under way") as caught:
                start()
            errors.append(caught)
        panel.exportSection._onClicked()

    meanwhile(monkeypatch, act)
    panel.ui.exportButton.click()
    assert len(errors) == 2 and len(leftovers(out)) == 1


def test_scene_closed_in_an_export(gui, panel, out, monkeypatch):
    meanwhile(monkeypatch, gui.closeScene)
    panel.ui.exportButton.click()
    assert "scene was closed" in panel.ui.statusLabel.text and idle(panel) and leftovers(out) == []
    assert not panel.logic.isBusy and panel._parameterNode is not None and not panel.ui.exportButton.enabled


@pytest.mark.parametrize("signal", ["aboutToQuit()", "lastWindowClosed()"])
def test_application_quits_in_an_export(panel, out, monkeypatch, signal):
    meanwhile(monkeypatch, lambda: slicer.app.emit(signal))
    panel.ui.exportButton.click()
    assert leftovers(out) == [] and not panel.logic.isBusy and idle(panel)


def test_module_reloaded_in_an_export(gui, panel, out, monkeypatch):
    button, widgets = panel.ui.exportButton, []
    meanwhile(monkeypatch, lambda: widgets.append(gui.reloadModule()))
    button.click()
    (widget,) = widgets
    assert leftovers(out) == [] and widget is not panel and idle(widget)
    # The folder was remembered by the scene.
    assert widget.ui.exportFolderPathLineEdit.currentPath == str(out)
    widget.ui.exportButton.click()
    assert len(leftovers(out)) == 1


def test_panel_left_in_an_export(gui, panel, out, monkeypatch):
    meanwhile(monkeypatch, gui.leaveModule)
    panel.ui.exportButton.click()
    assert len(leftovers(out)) == 1 and idle(panel) and not panel.ui.exportButton.enabled
    panel.enter()
    assert panel.ui.exportButton.enabled


def test_export_waits_for_a_job(gui, panel, out, slow_model, tmp_path):
    panel._parameterNode.inputNode = load(tmp_path / "slow.dcm", samples.vessel_frames(60, 128, 128), frame_time=100)
    panel._parameterNode.request.model = slow_model
    panel.ui.deviceComboBox.currentIndex = 1
    panel.ui.applyButton.click()
    assert not panel.ui.exportButton.enabled
    with pytest.raises(RuntimeError, match="being deblurred already"):
        panel.logic.export(panel._parameterNode.derivedNode, out)
    panel.ui.applyButton.click()
    assert gui.processEvents(lambda: idle(panel)) and panel.ui.exportButton.enabled and leftovers(out) == []


def test_failure_is_told_and_the_panel_stays_usable(gui, panel, out, monkeypatch):
    from DSADeblurScene import export_dicom
    from DSADeblurScene.derived import sourceOf

    with monkeypatch.context() as patch:
        patch.setattr(export_dicom, "loadedSource", lambda result: 1 / 0)
        panel.ui.exportButton.click()
        assert "ZeroDivisionError" in panel.ui.statusLabel.text and idle(panel)
        assert "ZeroDivisionError" in gui.errors.texts.pop()
    slicer.mrmlScene.RemoveNode(sourceOf(panel._parameterNode.derivedNode))
    panel.ui.exportButton.click()
    assert "was removed from the scene" in panel.ui.statusLabel.text and leftovers(out) == []


def test_reviewed_is_about_one_result(gui, panel):
    panel.ui.exportIdentityCheckBox.checked = panel.ui.exportReviewedCheckBox.checked = True
    assert panel._parameterNode.exportReviewed
    panel.applySection.take(panel._parameterNode.derivedNode)
    assert not panel._parameterNode.exportReviewed and not panel.ui.exportReviewedCheckBox.checked
    assert panel._parameterNode.exportDropIdentity


def test_choices_are_saved_with_the_scene(gui, panel, tmp_path, out):
    choose(panel, "DICOM file")
    panel.ui.exportCompressionComboBox.currentIndex = 2
    panel.ui.exportIdentityCheckBox.checked = panel.ui.exportReviewedCheckBox.checked = True
    gui.leaveModule()
    gui.saveScene(tmp_path / "scene.mrb")
    panel.ui.exportFolderPathLineEdit.currentPath = "elsewhere"
    gui.loadScene(tmp_path / "scene.mrb")
    panel.enter()
    assert panel.ui.exportFormatComboBox.currentText == "DICOM file"
    assert panel.ui.exportCompressionComboBox.currentText == "JPEG 2000, lossless"
    assert panel.ui.exportIdentityCheckBox.checked and panel.ui.exportReviewedCheckBox.checked
    assert panel.ui.exportFolderPathLineEdit.currentPath == panel._parameterNode.exportFolder == str(out)


def test_folder_stays_for_the_next_scene(gui, panel, out):
    gui.closeScene()
    assert panel.ui.exportFolderPathLineEdit.currentPath == panel._parameterNode.exportFolder == str(out)


@pytest.mark.parametrize(
    ("name", "identity", "module", "package"),
    [
        ("DICOM file", True, "dicomanonymizer", "dicom-anonymizer"),
        ("DICOM database", True, "dicomanonymizer", "dicom-anonymizer"),
        ("MP4 film", False, "imageio_ffmpeg", "imageio-ffmpeg"),
    ],
)
def test_missing_package_is_installed_by_a_button(panel, out, monkeypatch, name, identity, module, package):
    hidden, asked = without(monkeypatch, module), []

    def install(requirements):
        asked.append(requirements)
        if len(asked) == 1:
            raise RuntimeError("no network")
        hidden.discard(module)

    slicerapi.replace(monkeypatch, "slicer.util.pip_install", install)
    choose(panel, "GIF film")
    assert not panel.ui.installExportButton.visible
    choose(panel, name)
    panel.ui.exportIdentityCheckBox.checked = identity
    panel.ui.exportCollapsibleButton.collapsed = False
    panel._update()
    button = panel.ui.installExportButton
    assert button.visible and button.text == f"Install {package}"
    assert not panel.ui.exportButton.enabled and package in panel.ui.exportButton.toolTip
    button.click()
    assert panel.ui.statusLabel.text == "The installation failed: no network" and not panel.ui.exportButton.enabled
    button.click()
    # What Slicer is built on stays as it is.
    assert asked[1][0].startswith(f"{package}>=") and f"pydicom=={pydicom.__version__}" in asked[1]
    assert panel.ui.statusLabel.text == f"{package} is installed."
    assert panel.ui.exportButton.enabled and not button.visible


def test_export_in_a_script(gui, tmp_path, out):
    gui.openModule()
    logic, node, done = gui.module.DSADeblurLogic(), deblurred(load(tmp_path / "a.dcm")), []
    exported = logic.export(node, out, "dicom", compression="jpeg-ls", progress=lambda *step: done.append(step))
    assert exported.path.parent == out and done[-1] == (5, 6)
    assert len(pydicom.dcmread(exported.path).pixel_array) == 6 and not logic.isBusy
    with pytest.raises(ValueError, match="folder that exists"):
        logic.export(node)
    assert not logic.isBusy
