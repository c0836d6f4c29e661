"""The stand-ins for slice views have no members that Slicer's do not have."""

from __future__ import annotations

import pytest
import qtapi


@pytest.mark.parametrize(
    ("name", "standIn"),
    [("qMRMLLayoutManager", "LayoutManager"), ("qMRMLSliceWidget", "SliceWidget"), ("qMRMLSliceView", "SliceView")],
)
def test_members_are_those_of_slicer(name, standIn):
    layouthost = pytest.importorskip("layouthost", reason="slicer-core is not installed")
    members = {one for one in vars(getattr(layouthost, standIn)) if not one.startswith(("_", "user"))}
    assert members and members <= qtapi.members(name)


def test_screen_capture_takes_what_slicers_takes():
    layouthost = pytest.importorskip("layouthost", reason="slicer-core is not installed")
    import slicerapi

    assert slicerapi.checkClass("ScreenCapture.ScreenCaptureLogic", layouthost.ScreenCaptureLogic) == []
