"""The group that folds leaves hidden what the panel hid, as CTK's does."""

from __future__ import annotations

import pytest

pytest.importorskip("PySide6", reason="PySide6 is not installed")
pytest.importorskip("slicer_core", reason="slicer-core is not installed")


@pytest.mark.parametrize("hiddenWhileFolded", [False, True])
def test_what_was_hidden_stays_hidden(hiddenWhileFolded):
    import qtemu
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
