"""The layouts in which a result is compared with its original, in Slicer's layout menu and in the views."""

from __future__ import annotations

import enum
from typing import Any

import slicer
from slicer.i18n import tr as _

from DSADeblurScene.slot import slot


class CompareView(enum.Enum):
    """How a result is compared; names are kept in scenes."""

    PAIR = enum.auto()
    CHANGE = enum.auto()
    SWIPE = enum.auto()
    FLICKER = enum.auto()

    def label(self) -> str:
        """The user's words, in the panel and in the layout menu."""
        return {
            CompareView.PAIR: _("Original | deblurred"),
            CompareView.CHANGE: _("Original | deblurred | change"),
            CompareView.SWIPE: _("Swipe"),
            CompareView.FLICKER: _("Flicker"),
        }[self]


VIEWS = ("DSADeblurOriginal", "DSADeblurDeblurred", "DSADeblurDifference")
# Swipe and flicker have the same view, and so the same zoom.
BOTH = "DSADeblurBoth"
# Ids up to 100 are Slicer's own.
LAYOUT_IDS = {
    CompareView.CHANGE: 6321,
    CompareView.PAIR: 6322,
    CompareView.SWIPE: 6324,
    CompareView.FLICKER: 6325,
}
# The pair over the plot of a measurement.
PLOT_LAYOUT_ID = 6323
VIEWS_OF = {
    CompareView.PAIR: VIEWS[:2],
    CompareView.CHANGE: VIEWS,
    CompareView.SWIPE: (BOTH,),
    CompareView.FLICKER: (BOTH,),
}
_LOOKS = {
    VIEWS[0]: ("O", "#8C8C8C"),
    VIEWS[1]: ("D", "#6EB04B"),
    VIEWS[2]: ("&#916;", "#EDD54C"),
    BOTH: ("O/D", "#6EB04B"),
}


def layoutDescription(kind: CompareView) -> str:
    """A layout as the XML that vtkMRMLLayoutNode reads."""
    views = "".join(
        f'<item><view class="vtkMRMLSliceNode" singletontag="{tag}">'
        '<property name="orientation" action="default">Axial</property>'
        f'<property name="viewlabel" action="default">{_LOOKS[tag][0]}</property>'
        f'<property name="viewcolor" action="default">{_LOOKS[tag][1]}</property>'
        "</view></item>"
        for tag in VIEWS_OF[kind]
    )
    return f'<layout type="horizontal" split="true">{views}</layout>'


@slot
def registerLayouts() -> None:
    """Put the layouts into Slicer's layout menu; called when the application has started."""
    for kind in CompareView:
        _describe(kind)
    window = slicer.util.mainWindow()
    toolBars = [] if window is None else slicer.util.findChildren(window, "ViewToolBar")
    # An application made of Slicer may have none.
    if not toolBars:
        return
    menu = toolBars[0].widgetForAction(toolBars[0].actions()[0]).menu()
    for kind in CompareView:
        action = menu.addAction(_("DSA Deblur: {view}").format(view=kind.label()))
        action.setData(LAYOUT_IDS[kind])
        action.setToolTip(_("Compare the latest result of DSA Deblur with its original."))


def layoutNode():
    """The node that says which layout is shown."""
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def shownLayout() -> CompareView | None:
    """That of ours which is shown, or None."""
    shown = layoutNode().GetViewArrangement()
    kinds = {number: kind for kind, number in LAYOUT_IDS.items()} | {PLOT_LAYOUT_ID: CompareView.PAIR}
    return kinds.get(shown)


def showLayout(kind: CompareView) -> None:
    """Switch to a layout, unless its views are shown already."""
    _describe(kind)
    if shownLayout() is not kind:
        layoutNode().SetViewArrangement(LAYOUT_IDS[kind])


def showSideBySide(*volumes) -> None:
    """Show two or three volumes in linked views, in the order original, deblurred, change."""
    kind = CompareView.CHANGE if len(volumes) == len(VIEWS) else CompareView.PAIR
    showLayout(kind)
    showInViews(dict(zip(VIEWS_OF[kind], volumes, strict=True)))


def showInViews(volumes: dict[str, Any], foreground=None) -> None:
    """Show the whole of one volume in each of some views of a layout, and perhaps another over it."""
    for tag, background in volumes.items():
        logic = logicOf(tag)
        composite = logic.GetSliceCompositeNode()
        # Unlinked while it changes, or all views would show the last volume.
        composite.SetLinkedControl(False)
        composite.SetLabelVolumeID(None)
        composite.SetForegroundVolumeID(foreground and foreground.GetID())
        composite.SetBackgroundVolumeID(background.GetID())
        composite.SetForegroundOpacity(1.0 if foreground else 0.0)
        logic.GetSliceNode().SetOrientationToAxial()
    _fit(tuple(volumes))
    for tag in volumes:
        composite = logicOf(tag).GetSliceCompositeNode()
        composite.SetHotLinkedControl(len(volumes) > 1)
        composite.SetLinkedControl(len(volumes) > 1)


def logicOf(tag: str):
    """The slice logic of a view, or None before it has been made."""
    return slicer.app.applicationLogic().GetSliceLogicByLayoutName(tag)


def fitViews() -> None:
    """Fit the images into the views of the layout again, at the same frame of a stack.

    A view that has just been made takes its size only when the window is laid out, and was fitted to another before.
    """
    kind = shownLayout()
    if kind is not None:
        _fit(VIEWS_OF[kind], keepsOffset=True)


def _fit(tags: tuple[str, ...], keepsOffset: bool = False) -> None:
    """Fit the first view to its image, and give the others its place and scale: theirs may lack this frame."""
    logics = [logicOf(tag) for tag in tags]
    offset, first = logics[0].GetSliceOffset(), logics[0].GetSliceNode()
    linked = [logic.GetSliceCompositeNode().GetLinkedControl() for logic in logics]
    for logic in logics:
        logic.GetSliceCompositeNode().SetLinkedControl(False)
    logics[0].FitSliceToBackground()
    if keepsOffset:
        logics[0].SetSliceOffset(offset)
    for logic in logics[1:]:
        node = logic.GetSliceNode()
        node.GetSliceToRAS().DeepCopy(first.GetSliceToRAS())
        node.UpdateMatrices()
        node.SetXYZOrigin(first.GetXYZOrigin())
        *plane, depth = first.GetFieldOfView()
        sizes = zip(plane, node.GetDimensions(), first.GetDimensions(), strict=False)
        node.SetFieldOfView(*(side * own / other for side, own, other in sizes), depth)
    for logic, isLinked in zip(logics, linked, strict=True):
        logic.GetSliceCompositeNode().SetLinkedControl(isLinked)


def _describe(kind: CompareView) -> None:
    node = layoutNode()
    if not node.IsLayoutDescription(LAYOUT_IDS[kind]):
        node.AddLayoutDescription(LAYOUT_IDS[kind], layoutDescription(kind))
