"""The layouts are in Slicer's layout menu once, and views share place and scale."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicerapi


class Action:
    """QAction, as far as it is used here."""

    def __init__(self, text: str, menu: Menu | None = None) -> None:
        self.text, self._menu, self.toolTip = text, menu, ""

    def menu(self) -> Menu | None:
        return self._menu

    def setData(self, value) -> None:
        self.userData = value

    def setToolTip(self, text: str) -> None:
        self.toolTip = text


class Menu:
    """QMenu."""

    def __init__(self) -> None:
        self._actions: list[Action] = []

    def addAction(self, text: str) -> Action:
        self._actions.append(Action(text))
        return self._actions[-1]

    def actions(self) -> tuple:
        return tuple(self._actions)


class Window:
    """A widget with children: the main window, and its tool bar."""

    def __init__(self, name: str, children=(), actions=()) -> None:
        self.objectName = self.name = name
        self._children, self._actions = children, actions

    def children(self) -> tuple:
        return tuple(self._children)

    def actions(self) -> tuple:
        return tuple(self._actions)

    def widgetForAction(self, action: Action) -> Action:
        return action


def test_layout_menu_gets_one_entry_for_each_view(host, monkeypatch):
    from DSADeblurScene.layouts import LAYOUT_IDS, CompareView, registerLayouts

    menu = Menu()
    toolBar = Window("ViewToolBar", actions=[Action("Layout", menu)])
    window = Window("qSlicerMainWindow", [toolBar])
    slicerapi.replace(monkeypatch, "slicer.app.topLevelWidgets", lambda: (window,))
    registerLayouts()
    assert [one.userData for one in menu.actions()] == [LAYOUT_IDS[kind] for kind in CompareView]
    assert [one.text for one in menu.actions()][2:] == ["DSA Deblur: Swipe", "DSA Deblur: Flicker"]
    layout = host.layoutLogic.GetLayoutNode()
    assert all(layout.IsLayoutDescription(number) for number in LAYOUT_IDS.values())


def test_without_a_window_there_is_no_menu(host):
    from DSADeblurScene.layouts import LAYOUT_IDS, registerLayouts

    registerLayouts()
    assert host.layoutLogic.GetLayoutNode().IsLayoutDescription(min(LAYOUT_IDS.values()))


def test_views_share_place_and_scale_where_an_image_is_missing(host):
    from DSADeblurScene.layouts import VIEWS, fitViews, logicOf, showSideBySide

    there = slicer.util.addVolumeFromArray(np.ones((1, 100, 300), np.uint16))
    missing = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    showSideBySide(there, missing)
    for tag, size in zip(VIEWS, ((600, 400), (900, 400)), strict=False):
        logicOf(tag).ResizeSliceNode(*size)
    fitViews()
    first, second = (logicOf(tag).GetSliceNode() for tag in VIEWS[:2])
    assert first.GetFieldOfView()[0] == pytest.approx(300)
    assert second.GetFieldOfView()[:2] == pytest.approx((450, first.GetFieldOfView()[1]))
    assert first.GetXYZOrigin() == second.GetXYZOrigin()
    assert all(logicOf(tag).GetSliceCompositeNode().GetLinkedControl() for tag in VIEWS[:2])


def test_layout_with_a_plot_is_a_pair(host):
    from DSADeblurScene.layouts import CompareView, shownLayout
    from DSADeblurScene.measure_plot import PLOT_LAYOUT_ID, layoutDescription

    layout = host.layoutLogic.GetLayoutNode()
    assert shownLayout() is None
    layout.AddLayoutDescription(PLOT_LAYOUT_ID, layoutDescription())
    layout.SetViewArrangement(PLOT_LAYOUT_ID)
    assert shownLayout() is CompareView.PAIR
