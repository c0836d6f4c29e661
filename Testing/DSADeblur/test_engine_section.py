"""What runs networks is installed from the panel: asked for, with progress, tried by the worker, without a restart."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import samples
import slicer
import slicerapi

from DSADeblurLib.extras import is_installed

pytestmark = pytest.mark.slow
NEITHER = "OpenVINO or PyTorch is needed to deblur, and neither is installed. Press Install OpenVINO."


@pytest.fixture
def states(monkeypatch):
    """What `find_spec` says of the two, by name: "absent", "half" or "whole"; to be changed."""
    find, states = importlib.util.find_spec, {"openvino": "absent", "torch": "absent"}

    def find_spec(name, *rest):
        spec = importlib.machinery.ModuleSpec(name, None)
        spec.origin = "file"
        kinds = {"absent": None, "half": importlib.machinery.ModuleSpec(name, None), "whole": spec}
        return kinds[states[name]] if name in states else find(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    return states


@pytest.fixture
def pip(monkeypatch):
    """A stand-in of Slicer's installer: its `calls`, each with arguments and callbacks that a test ends."""
    calls = []

    def pip_install(requirements, *, blocking=True, show_progress=True, logCallback=None, completedCallback=None):
        assert not blocking and not show_progress
        calls.append(SimpleNamespace(arguments=requirements, log=logCallback, completed=completedCallback))

    slicerapi.replace(monkeypatch, "slicer.util.pip_install", pip_install)
    answers = []
    slicerapi.replace(monkeypatch, "slicer.util.confirmOkCancelDisplay", lambda text, windowTitle=None: answers.pop(0))
    return SimpleNamespace(calls=calls, answers=answers)


@pytest.fixture
def panel(gui, states):
    widget = gui.openModule()
    widget._parameterNode.inputNode = slicer.util.addVolumeFromArray(samples.vessel_frames(3))
    return widget


def buttons(widget):
    ui = widget.ui
    return ui.installOpenVINOButton, ui.installTorchButton, ui.installWheelsButton


def status(widget) -> str:
    return widget.ui.statusLabel.text


def test_opens_without_both_and_offers_the_small_one_first(panel, states):
    assert status(panel) == NEITHER and not panel.ui.applyButton.enabled and panel.ui.applyButton.toolTip == NEITHER
    assert all(button.visible for button in buttons(panel))
    for engine in states:
        states.update(openvino="absent", torch="absent")
        states[engine] = "whole"
        panel.enter()
        assert panel.ui.applyButton.enabled and not any(button.visible for button in buttons(panel))


@pytest.mark.skipif(not is_installed("openvino"), reason="OpenVINO is not installed")
def test_openvino_is_installed_while_the_window_lives_and_tried(gui, panel, states, pip):
    pip.answers += [False, True]
    panel.ui.installOpenVINOButton.click()
    assert pip.calls == [] and status(panel) == NEITHER
    panel.ui.installOpenVINOButton.click()
    (call,) = pip.calls
    assert call.arguments[0].startswith("openvino>=") and f"numpy=={np.__version__}" in call.arguments
    assert panel.ui.progressBar.visible and not any(button.visible for button in buttons(panel))
    assert not panel.ui.applyButton.enabled and "under way" in panel.ui.applyButton.toolTip
    call.log("Downloading openvino (60 MB)")
    assert status(panel) == "Downloading openvino (60 MB)"
    panel.enter()  # left and entered meanwhile
    assert not any(button.visible for button in buttons(panel))
    states["openvino"] = "whole"
    call.completed(0)
    assert not panel.ui.progressBar.visible and panel.ui.applyButton.enabled
    assert gui.processEvents(lambda: status(panel).startswith("Installed, and a tile was deblurred."))
    assert "on a trial tile" in status(panel)


def test_a_failed_installation_is_told_with_its_log(panel, pip):
    pip.answers.append(True)
    panel.ui.installOpenVINOButton.click()
    pip.calls[0].log("Collecting openvino")
    pip.calls[0].log("ERROR: No matching distribution found for openvino")
    pip.calls[0].log("done")
    pip.calls[0].completed(1)
    assert status(panel) == "The installation failed: ERROR: No matching distribution found for openvino"
    assert panel.ui.detailsButton.visible and all(button.visible for button in buttons(panel))
    assert not panel.ui.progressBar.visible and not panel.ui.applyButton.enabled


def test_an_installer_that_does_not_begin(panel, pip, monkeypatch):
    def busy(requirements, *, blocking=True, show_progress=True, logCallback=None, completedCallback=None):
        raise RuntimeError("A non-blocking pip_install is already in progress.")

    slicerapi.replace(monkeypatch, "slicer.util.pip_install", busy)
    pip.answers.append(True)
    panel.ui.installOpenVINOButton.click()
    assert "already in progress" in status(panel) and all(button.visible for button in buttons(panel))


def test_half_an_installation_is_told_from_a_whole_one_with_the_way_out(panel, states, pip):
    states["openvino"] = "half"
    panel.enter()
    assert status(panel).startswith("OpenVINO is only half installed. Press Install OpenVINO")
    pip.answers.append(True)
    panel.ui.installOpenVINOButton.click()
    # What it stands on is in use by the application.
    assert pip.calls[0].arguments[:2] == ["--force-reinstall", "--no-deps"] and len(pip.calls[0].arguments) == 3
    pip.calls[0].completed(0)
    assert status(panel).startswith("OpenVINO is only half installed.")
    states.update(openvino="absent", torch="half")
    panel.enter()
    assert status(panel).startswith("PyTorch is only half installed.") and "PyTorch Utils" in status(panel)
    states["openvino"] = "whole"
    panel.enter()
    assert panel.ui.applyButton.enabled


def test_wheels_are_installed_from_a_folder_without_the_network(panel, pip, tmp_path, monkeypatch):
    import qt

    folder = str(tmp_path)
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda parent, caption, directory: folder)
    panel.ui.installWheelsButton.click()
    assert "holds no wheel" in status(panel) and pip.calls == []
    (tmp_path / "torch-2.9.0-cp312-cp312-win_amd64.whl").touch()
    panel.ui.installWheelsButton.click()
    assert pip.calls[0].arguments[:4] == ["--no-index", "--find-links", folder, "torch>=2.4"]
    pip.calls[0].completed(1)
    (tmp_path / "openvino-2026.1.0-cp312-cp312-win_amd64.whl").touch()
    panel.ui.installWheelsButton.click()
    assert pip.calls[1].arguments[3] == "openvino>=2025.0"
    folder = ""
    pip.calls[1].completed(1)
    panel.ui.installWheelsButton.click()
    assert len(pip.calls) == 2


def test_pytorch_comes_by_its_extension(gui, panel, states, monkeypatch):
    panel.ui.installTorchButton.click()
    assert "Extensions Manager" in status(panel)
    asked = []

    class PyTorchUtilsLogic:
        def installTorch(self, askConfirmation=False):
            asked.append(askConfirmation)
            if len(asked) == 1:
                raise RuntimeError("declined")
            states["torch"] = "whole"

    module = type(sys)("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    panel.ui.installTorchButton.click()
    assert status(panel) == "The installation failed: declined" and panel.ui.installTorchButton.visible
    panel.ui.installTorchButton.click()
    assert asked == [True, True] and not panel.ui.installTorchButton.visible
    assert gui.processEvents(lambda: status(panel).startswith("Installed, and a tile was deblurred."))


def test_a_worker_that_cannot_deblur_says_so(gui, panel, states, monkeypatch, tmp_path):
    """Python finds both here, and the worker neither."""
    states["torch"] = "whole"
    panel.enter()
    code = "import sys\nsys.modules.update(torch=None, openvino=None)\n"
    (tmp_path / "sitecustomize.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    panel.ui.applyButton.click()
    assert gui.processEvents(lambda: panel.runSection.isIdle)
    assert status(panel).startswith("Neither OpenVINO nor PyTorch is installed")
