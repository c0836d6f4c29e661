"""Texts of the panel: time spans."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("gui")


@pytest.fixture(autouse=True)
def module(gui):
    return gui.openModule()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3600, "60 min 0 s")]
)
def test_time_spans(seconds, text):
    from DSADeblurPanel.run_section import duration

    assert duration(seconds) == text
