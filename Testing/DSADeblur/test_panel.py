"""Texts of the panel: time spans, errors that look like errors, and its width."""

from __future__ import annotations

import pytest
import slicerapi
from scenes import load

pytestmark = pytest.mark.usefixtures("gui")


@pytest.fixture(autouse=True)
def module(gui):
    return gui.openModule()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3600, "60 min 0 s")]
)
def test_time_spans(seconds, text):
    from DSADeblurScene.in_words import duration

    assert duration(seconds) == text


def test_an_error_in_a_slot_is_told_and_logged(gui, module, monkeypatch):
    ui = module.ui
    assert not ui.errorIconLabel.visible and not ui.detailsButton.visible
    monkeypatch.setattr(module.viewsSection, "_run", lambda work, label: 1 / 0)
    module.viewsSection._onPeak(False)
    assert "ZeroDivisionError" in gui.errors.texts.pop()
    assert "division by zero" in ui.statusLabel.text and ui.errorIconLabel.visible and ui.statusLabel.styleSheet
    shown = []

    def errorDisplay(text, windowTitle=None, parent=None, standardButtons=None, **kwargs):
        shown.append((text, kwargs["detailedText"]))

    slicerapi.replace(monkeypatch, "slicer.util.errorDisplay", errorDisplay)
    ui.detailsButton.click()
    assert shown[0][0] == ui.statusLabel.text and "Traceback" in shown[0][1]
    module.runSection.showStatus("Well.")
    assert not ui.errorIconLabel.visible and not ui.detailsButton.visible and not ui.statusLabel.styleSheet


@pytest.mark.parametrize(("pixels", "width"), [(12, 320), (19, 460)])
def test_panel_fits_a_narrow_window(gui, module, tmp_path, pixels, width):
    import qtemu
    from PySide6 import QtWidgets

    panel, before = qtemu.unwrap(gui.parent), gui.qtApplication.font()
    font = gui.qtApplication.font()
    font.setPixelSize(pixels)
    gui.qtApplication.setFont(font)
    try:
        module._parameterNode.inputNode = load(tmp_path / "a.dcm", mask_frames=(1, 2), contrast_range=(3, 6))
        module.runSection.showError("A sentence about /a/path/that/can/not/be/broken/anywhere.", "details")
        for group in panel.findChildren(QtWidgets.QAbstractButton):
            if group.metaObject().indexOfProperty("collapsed") >= 0:
                group.setProperty("collapsed", False)
        gui.turnEventLoop()
        assert "Predicted blur" in module.ui.factsLabel.text and panel.minimumSizeHint().width() <= width
        assert gui.picture(width).width() == width
        labels = [one for one in panel.findChildren(QtWidgets.QLabel) if one.isVisible() and one.wordWrap()]
        assert [one.objectName() for one in labels if one.height() < one.heightForWidth(one.width())] == []
    finally:
        gui.qtApplication.setFont(before)


def test_a_slot_takes_what_it_gets(gui):
    from DSADeblurScene.slot import slot

    seen = []
    slot(seen.append)(1)
    slot(lambda a: seen.append(a))(2, 3)
    slot(lambda: seen.append(4))(5, 6)
    assert seen == [1, 2, 4]
