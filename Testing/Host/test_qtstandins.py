"""Stand-ins of CTK: what the panel hid stays hidden in a group that folds, and a slider has parts of a unit."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("hiddenWhileFolded", [False, True])
def test_what_was_hidden_stays_hidden(hiddenWhileFolded):
    # Before PySide6 itself: the emulation says first what kind of enumerators PySide6 makes.
    qtemu = pytest.importorskip("qtemu", reason="PySide6 or slicer-core is not installed")
    from PySide6 import QtWidgets
    from qtstandins import ctkCollapsibleButton

    qtemu.install()
    group = ctkCollapsibleButton()
    layout = QtWidgets.QVBoxLayout(group)
    seen, hidden = QtWidgets.QLabel("seen"), QtWidgets.QLabel("hidden")
    layout.addWidget(seen)
    layout.addWidget(hidden)
    group.show()
    if not hiddenWhileFolded:
        hidden.setVisible(False)
    group.setProperty("collapsed", True)
    assert not seen.isVisible() and not hidden.isVisible()
    hidden.setVisible(False)
    group.setProperty("collapsed", False)
    assert seen.isVisible() and not hidden.isVisible()
    hidden.setVisible(True)
    for folded in (True, False):
        group.setProperty("collapsed", folded)
        assert seen.isVisible() is hidden.isVisible() is not folded


def test_slider_holds_parts_of_a_unit():
    qtemu = pytest.importorskip("qtemu", reason="PySide6 or slicer-core is not installed")
    from qtstandins import ctkSliderWidget

    qtemu.install()
    slider, told = ctkSliderWidget(), []
    slider.setProperty("decimals", 2)
    slider.setProperty("maximum", 1.0)
    slider.valueChanged.connect(told.append)
    for value in (1.0, 0.3, 0.55):
        slider.setValue(value)
        assert slider.property("value") == value and slider._slider.value() == round(100 * value)
    assert told == [1.0, 0.3, 0.55]
    slider._slider.setValue(25)
    assert slider.property("value") == told[-1] == 0.25
