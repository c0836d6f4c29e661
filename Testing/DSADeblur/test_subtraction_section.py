"""Registration and the search for a mask need a package that Slicer lacks; the panel says so and installs it."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import samples
import slicer
import slicerapi

pytestmark = pytest.mark.usefixtures("gui")


@pytest.fixture
def hidden(monkeypatch) -> set:
    """Modules that cannot be found."""
    find, names = importlib.util.find_spec, {"skimage"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in names else find(name, *rest))
    return names


@pytest.mark.parametrize(
    ("subtraction", "registration", "needed"),
    [(0, 0, False), (1, 0, False), (2, 0, True), (0, 1, True), (1, 2, True), (3, 1, False)],
)
def test_the_package_is_asked_for_where_it_is_needed(gui, hidden, subtraction, registration, needed):
    widget = gui.openModule()
    widget._parameterNode.inputNode = slicer.util.addVolumeFromArray(samples.vessel_frames(3))
    widget.ui.subtractionComboBox.currentIndex = subtraction
    widget.ui.registrationComboBox.currentIndex = registration
    assert bool(widget.subtractionSection.problem) is needed
    assert widget.ui.applyButton.enabled is not needed and widget.ui.installSubtractionButton.visible is needed
    if needed:
        assert "scikit-image" in widget.ui.applyButton.toolTip


def test_the_button_installs_it(gui, hidden, monkeypatch):
    widget, asked = gui.openModule(), []
    widget._parameterNode.inputNode = slicer.util.addVolumeFromArray(samples.vessel_frames(3))
    widget.ui.registrationComboBox.currentIndex = 1
    slicerapi.replace(monkeypatch, "slicer.util.pip_install", asked.append)
    widget.ui.installSubtractionButton.click()
    assert "is not there" in widget.ui.statusLabel.text and not widget.ui.applyButton.enabled
    slicerapi.replace(monkeypatch, "slicer.util.pip_install", lambda requirements: hidden.clear())
    widget.ui.installSubtractionButton.click()
    assert widget.ui.statusLabel.text == "scikit-image is installed." and widget.ui.applyButton.enabled
    # What Slicer is built on stays as it is.
    assert asked[0][0].startswith("scikit-image>=") and f"numpy=={np.__version__}" in asked[0]
