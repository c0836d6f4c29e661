"""Labels are in the picture, and a curtain shows one image left and the other right of a line that the mouse drags."""

from __future__ import annotations

import numpy as np
import pytest
import slicer

DARK, BRIGHT = 63, 191
SIZE = (400, 300)


@pytest.fixture
def both(host):
    """(view, background, foreground): a view with a dark image and a bright one over it."""
    from DSADeblurScene.layouts import BOTH, CompareView, showInViews, showLayout

    volumes = []
    for value in (1000, 3000):
        volume = slicer.util.addVolumeFromArray(np.full((1, 200, 300), value, np.uint16))
        volume.CreateDefaultDisplayNodes()
        volume.GetDisplayNode().AutoWindowLevelOff()
        volume.GetDisplayNode().SetWindowLevelMinMax(0, 4000)
        volumes.append(volume)
    showLayout(CompareView.SWIPE)
    showInViews({BOTH: volumes[0]}, volumes[1])
    view = host.layoutManager.sliceWidget(BOTH).sliceView()
    view.userResizes(*SIZE)
    host.applicationLogic.GetSliceLogicByLayoutName(BOTH).FitSliceToBackground()
    return view, *volumes


def edge(view) -> int:
    """Column where the bright image begins, from a row without label and handle."""
    row = view.userSees()[240]
    grey = row[row.max(axis=1) == row.min(axis=1)][:, 0]
    assert set(grey) <= {0, DARK, BRIGHT}
    return int(np.flatnonzero(row[:, 0] == DARK).max()) if DARK in grey else -1


def test_the_line_parts_the_images_where_it_is(both):
    from DSADeblurScene.layouts import BOTH
    from DSADeblurScene.view_overlay import Curtain

    view = both[0]
    curtain = Curtain(BOTH)
    for position in (0.5, 0.25, 0.8):
        curtain.moveTo(position)
        assert abs(edge(view) - position * SIZE[0]) <= 3
    # The view has another size: the line stays in its place.
    view.userResizes(600, 300)
    curtain.logic.FitSliceToBackground()
    assert abs(edge(view) - 0.8 * 600) <= 3
    curtain.close()
    assert edge(view) == -1


def test_the_mouse_drags_the_line_and_nothing_else(both):
    from DSADeblurScene.layouts import BOTH
    from DSADeblurScene.view_overlay import Curtain

    view = both[0]
    curtain = Curtain(BOTH)
    view.userDrags(0.5, 0.3)
    assert curtain.position == pytest.approx(0.3, abs=0.01) and abs(edge(view) - 0.3 * SIZE[0]) <= 3
    assert view.seenBySlicer == []
    # Away from the line the mouse is Slicer's.
    view.userDrags(0.6, 0.9)
    assert curtain.position == pytest.approx(0.3, abs=0.01) and len(view.seenBySlicer) == 4
    view.userDrags(0.3, -0.5)
    assert curtain.position == 0.02 and len(view.seenBySlicer) == 4
    curtain.close()


def test_what_changes_the_image_changes_it_behind_the_curtain(both):
    from DSADeblurScene.layouts import BOTH
    from DSADeblurScene.view_overlay import Curtain

    view, _, foreground = both
    curtain = Curtain(BOTH)
    slicer.util.arrayFromVolume(foreground)[:] = 2000
    slicer.util.arrayFromVolumeModified(foreground)
    row = view.userSees()[240]
    assert row[120, 0] == DARK and row[280, 0] == 127
    curtain.close()


def test_labels_are_in_the_picture_and_go(both):
    from DSADeblurScene.layouts import BOTH
    from DSADeblurScene.view_overlay import Curtain, ViewOverlay

    view = both[0]
    before = view.userSees()
    overlay = ViewOverlay(BOTH)
    overlay.setTexts("AI-DEBLURRED", isLeftDeblurred=True)
    corner = view.userSees()[:40, :200].astype(int)
    assert (corner[..., 0] - corner[..., 2] > 100).sum() > 50  # amber letters
    overlay.close()
    assert np.array_equal(view.userSees(), before)
    curtain = Curtain(BOTH)
    curtain.setTexts("ORIGINAL", "AI-DEBLURRED")
    wide = view.userSees()[:40].astype(int)
    curtain.moveTo(0.05)
    narrow = view.userSees()[:40].astype(int)
    for top, isThere in ((wide, True), (narrow, False)):
        # The label of the original would lie over the deblurred image.
        assert ((top[:, 25:150].min(axis=2) > 240).sum() > 20) == isThere
        assert (top[:, 260:, 0] - top[:, 260:, 2] > 100).sum() > 50
    curtain.close()


def test_keys_that_are_ours_are_not_Slicers(both):
    from DSADeblurScene.layouts import BOTH
    from DSADeblurScene.view_overlay import ViewOverlay

    view, seen = both[0], []
    overlay = ViewOverlay(BOTH, lambda key: seen.append(key) or key == "space")
    view.userPresses("space")
    assert view.seenBySlicer == []
    view.userPresses("x")
    overlay.close()
    view.userPresses("space")
    assert seen == ["space", "x"] and view.seenBySlicer == ["KeyPressEvent"] * 2
