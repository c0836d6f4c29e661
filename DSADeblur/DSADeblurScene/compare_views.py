"""Shows a result beside, over or in turn with its original: same frame, same window, and a label in every view."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from DSADeblurLib.steps import finished
from DSADeblurScene.compare import checkSource, originalFrames
from DSADeblurScene.derived import sourceOf
from DSADeblurScene.early_frames import EarlyFrames
from DSADeblurScene.first_look import jumpToFrame
from DSADeblurScene.input import browserForSequence, shownIndex, slicedIndex
from DSADeblurScene.layouts import (
    BOTH,
    VIEWS_OF,
    CompareView,
    fitViews,
    layoutNode,
    logicOf,
    showInViews,
    showLayout,
    shownLayout,
    showSideBySide,
)
from DSADeblurScene.shown_frames import ShownFrames
from DSADeblurScene.slot import slot
from DSADeblurScene.view_overlay import Curtain, ViewOverlay

# More flashes in a second than three may harm people with photosensitive epilepsy (WCAG 2.3.1).
MOST_CHANGES_PER_SECOND = 3.0


class CompareViews:
    """One comparison at a time; all that was made for it goes when another layout is chosen.

    Keys, in the views: left and right arrow and the wheel show the frame before and after, the space bar changes the
    image of the flicker view by hand and stops its clock.

    Attributes:
        derived, kind: the result that is compared and how, or None.
        asked: how often something was to be shown; what was asked for before gives way.
        onShown: called with the kind of view when one is shown, also from Slicer's own menu of layouts.
        onClockStopped: called when the user has stopped the flicker's clock by the space bar.
    """

    def __init__(self) -> None:
        self.derived: Any = None
        self.kind: CompareView | None = None
        self.asked = 0
        self.showError: Callable[[str, str], None] = lambda text, details: None
        self.onShown: Callable[[CompareView], None] = lambda kind: None
        self.onClockStopped: Callable[[], None] = lambda: None
        # Shown when the user chooses one of the layouts in Slicer's own menu.
        self.candidate: Any = None
        self._frames: ShownFrames | EarlyFrames | None = None
        # What was shown before early frames: layout, result and kind of view.
        self._before: tuple[int, Any, CompareView | None] | None = None
        self._overlays: list[ViewOverlay] = []
        self._windows: list[tuple[Any, int]] = []
        self._isDeblurredShown, self._legend = True, ""
        self._changesPerSecond = 0.0
        self._clock = 0
        scene, layout = slicer.mrmlScene, layoutNode()
        self._observed = [
            (scene, scene.AddObserver(scene.NodeRemovedEvent, self._onNodeRemoved)),
            (scene, scene.AddObserver(scene.StartCloseEvent, self._onSceneClosed)),
        ]
        if layout is not None:
            self._observed.append((layout, layout.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onLayout)))

    def showNamed(self, derived, name: str) -> None:
        """Show a result with its original, labelled, in step, in one grey window.

        Args:
            derived: the result.
            name: "pair" (side by side), "change" (and what was changed), "swipe" (a curtain) or "flicker" (in turn).

        Raises:
            ValueError: one sentence, if there is no such view, no window for it, or the result's source is gone.
        """
        kinds = {kind.name.lower(): kind for kind in CompareView}
        if name not in kinds:
            text = _("There is no view {view}; choose one of {kinds}.")
            raise ValueError(text.format(view=name, kinds=", ".join(kinds)))
        self.show(derived, kinds[name])

    def show(self, derived, kind: CompareView) -> None:
        """As `showInSteps`, all at once."""
        finished(self.showInSteps(derived, kind))

    def showInSteps(self, derived, kind: CompareView) -> Generator[None, None, None]:
        """Show a result and its original at the frame that is shown; a generator, in some steps.

        Raises:
            ValueError: one sentence, if the node or its source is gone, or does not say how it was subtracted.
        """
        if slicer.app.layoutManager() is None:
            raise ValueError(_("There are no views to compare in; start Slicer with its main window."))
        checkSource(derived)
        self.asked += 1
        asked = self.asked
        isKnown = self._frames is not None and self.derived is derived
        known = self._frames.originals if isinstance(self._frames, ShownFrames) and isKnown else None
        originals = originalFrames(derived) if known is None else known
        yield
        if not isKnown and 0 <= (index := shownIndex(derived)) < len(originals):
            # What the first one takes longer, the average of the masks, is kept.
            _first = originals[index]
            yield
        if asked != self.asked:
            return
        frames = ShownFrames(derived, kind is CompareView.CHANGE, originals)
        yield from self._showFramesInSteps(frames, kind, derived)
        if self._frames is frames:
            self.onShown(kind)

    def showEarlyInSteps(self, frames: EarlyFrames, kind: CompareView) -> Generator[None, None, None]:
        """Show the frames of a run that are done, in the way its result will be shown; `leaveEarlyInSteps` ends it."""
        before = layoutNode().GetViewArrangement(), self.derived, self.kind
        self.asked += 1
        frames.begin()
        showing = self._showFramesInSteps(frames, CompareView.PAIR if kind is CompareView.CHANGE else kind)
        next(showing)
        self._before = before
        yield from showing
        if self._frames is frames:
            jumpToFrame(frames.source, frames.first)

    def leaveEarlyInSteps(self) -> Generator[None, None, None]:
        """Show what was shown before early frames, unless the user has left them; a generator, in some steps."""
        if self._before is None:
            return
        layout, derived, kind = self._before
        self.leave()
        yield
        if derived is not None and kind is not None and sourceOf(derived) is not None:
            yield from self.showInSteps(derived, kind)
        else:
            layoutNode().SetViewArrangement(layout)

    def _showFramesInSteps(
        self, frames: ShownFrames | EarlyFrames, kind: CompareView, derived=None
    ) -> Generator[None, None, None]:
        offset = self._offset()
        self.leave()
        self.derived, self.kind, self._frames = derived, kind, frames
        self.candidate = derived or self.candidate
        showLayout(kind)
        yield
        # Whoever shows something else meanwhile has left this.
        if self._frames is not frames:
            return
        if kind in (CompareView.SWIPE, CompareView.FLICKER):
            showInViews({BOTH: frames.original}, frames.deblurred)
        else:
            volumes = (frames.original, frames.deblurred, frames.change)
            showInViews(dict(zip(VIEWS_OF[kind], volumes, strict=False)))
        if offset is not None and not frames.source.IsA("vtkMRMLSequenceNode"):
            for tag in VIEWS_OF[kind]:
                logicOf(tag).SetSliceOffset(offset)
        for tag in VIEWS_OF[kind]:
            yield
            if self._frames is not frames:
                return
            self._addOverlay(tag)
        self._linkWindows(frames)
        self._isDeblurredShown = True
        frames.follow(self._label)
        self._label()
        self._restartClock()
        qt.QTimer.singleShot(0, self._fit)

    def showPictures(self, original, deblurred, text: str) -> None:
        """Show two volumes that were made of a result and of its original; the text says what they are."""
        from DSADeblurLib.pictures.compose import LABEL

        self.leave()
        self.asked += 1
        self.kind = CompareView.PAIR
        showSideBySide(original, deblurred)
        for tag in VIEWS_OF[self.kind]:
            self._addOverlay(tag)
        for overlay, label in zip(self._overlays, (_("ORIGINAL"), LABEL), strict=True):
            overlay.setTexts(label + "\n" + text, isLeftDeblurred=label == LABEL)
        qt.QTimer.singleShot(0, self._fit)

    def prepareInSteps(self) -> Generator[None, None, None]:
        """Compute what would take long while the run plays; a generator, one frame in each step."""
        if isinstance(self._frames, ShownFrames):
            yield from self._frames.prepareInSteps()

    def setClock(self, changesPerSecond: float) -> None:
        """Let the flicker view change its image by itself so many times a second; 0 stops that."""
        self._changesPerSecond = min(changesPerSecond, MOST_CHANGES_PER_SECOND)
        self._restartClock()

    def setLegend(self, text: str) -> None:
        """What is written below the label of the deblurred image from now on; "" for nothing."""
        if text != self._legend:
            self._legend = text
            self._label()

    def flip(self) -> None:
        """Show the other image in the flicker view."""
        if self.kind is CompareView.FLICKER:
            self._isDeblurredShown = not self._isDeblurredShown
            composite = logicOf(BOTH).GetSliceCompositeNode()
            composite.SetForegroundOpacity(float(self._isDeblurredShown))
            composite.SetLabelOpacity(float(self._isDeblurredShown))
            self._label()

    def step(self, count: int) -> bool:
        """Go on by so many frames of the run; whether there is one."""
        source = self._frames.source if self._frames is not None else None
        if source is None:
            return False
        if source.IsA("vtkMRMLSequenceNode"):
            browser = browserForSequence(source)
            if browser is not None:
                browser.SelectNextItem(count)
            return browser is not None
        # Slicer's own keys and wheel go as far as the image in the view reaches, and that of a subtracted stack is one.
        index = slicedIndex(source, logicOf(self._tags()[0]).GetSliceNode()) + count
        jumpToFrame(source, min(max(index, 0), source.GetImageData().GetDimensions()[2] - 1) + 1)
        return True

    def leave(self) -> None:
        """Remove what was made for the comparison; the layout stays."""
        for overlay in self._overlays:
            overlay.close()
        for display, tag in self._windows:
            display.RemoveObserver(tag)
        if self._frames is not None:
            self._frames.close()
        self._overlays, self._windows, self._frames, self.derived, self.kind = [], [], None, None, None
        self._before = None
        self._clock += 1

    def close(self) -> None:
        """Before the application or the module goes."""
        self.leave()
        self.candidate = None
        for subject, tag in self._observed:
            subject.RemoveObserver(tag)
        self._observed.clear()

    @slot
    def _fit(self) -> None:
        if self.kind is not None:
            fitViews()

    def _offset(self) -> float | None:
        """Where the views of a stack are now."""
        logics = [logicOf(tag) for tag in self._tags()]
        return logics[0].GetSliceOffset() if logics else None

    @slot
    def _onLayout(self, *_event) -> None:
        # Views of a new layout may not be there yet.
        if shownLayout() is not self.kind:
            qt.QTimer.singleShot(0, self._followLayout)

    @slot
    def _followLayout(self) -> None:
        kind = shownLayout()
        if kind is self.kind:
            return
        if kind is None or self.candidate is None or sourceOf(self.candidate) is None:
            self.leave()
        else:
            self.show(self.candidate, kind)

    @slot
    def _onSceneClosed(self, *_event) -> None:
        self.leave()
        self.candidate = None

    @slot
    def _onNodeRemoved(self, *_event) -> None:
        for node in filter(None, (self.derived, self.candidate)):
            if node.GetScene() is None or sourceOf(node) is None:
                self._onSceneClosed()

    def _tags(self) -> tuple[str, ...]:
        return () if self.kind is None else VIEWS_OF[self.kind]

    def _addOverlay(self, tag: str) -> None:
        kinds = Curtain if self.kind is CompareView.SWIPE else ViewOverlay
        self._overlays.append(kinds(tag, self._onKey))

    def _onKey(self, key: str) -> bool:
        if key == "space" and self.kind is CompareView.FLICKER:
            self.setClock(0)
            self.flip()
            self.onClockStopped()
            return True
        return key in ("Left", "Right") and self.step(1 if key == "Right" else -1)

    def _label(self) -> None:
        if self._frames is None or len(self._overlays) < len(self._tags()):
            return
        original, deblurred, change = self._frames.labels()
        if self._legend and self.derived is not None:
            deblurred += "\n" + self._legend
        if self.kind is CompareView.SWIPE:
            self._overlays[0].setTexts(original, deblurred)
        elif self.kind is CompareView.FLICKER:
            shown = deblurred if self._isDeblurredShown else original
            self._overlays[0].setTexts(shown, isLeftDeblurred=self._isDeblurredShown)
        else:
            for index, (overlay, text) in enumerate(zip(self._overlays, (original, deblurred, change), strict=False)):
                overlay.setTexts(text, isLeftDeblurred=index > 0)

    def _linkWindows(self, frames: ShownFrames | EarlyFrames) -> None:
        """Let original and deblurred have one grey window, whichever the user changes."""
        displays = [one.GetDisplayNode() for one in (frames.original, frames.deblurred)]
        if displays[0] is not displays[1]:
            for one in displays:
                self._windows.append((one, one.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onWindow)))

    @slot
    def _onWindow(self, changed, _event) -> None:
        window = changed.GetWindowLevelMin(), changed.GetWindowLevelMax()
        for other, _tag in self._windows:
            if window != (other.GetWindowLevelMin(), other.GetWindowLevelMax()):
                other.AutoWindowLevelOff()
                other.SetWindowLevelMinMax(*window)

    def _restartClock(self) -> None:
        self._clock += 1
        if self.kind is CompareView.FLICKER and self._changesPerSecond > 0:
            self._wait(self._clock)

    def _wait(self, clock: int) -> None:
        qt.QTimer.singleShot(round(1000 / self._changesPerSecond), lambda: self._tick(clock))

    @slot
    def _tick(self, clock: int) -> None:
        if clock == self._clock:
            self.flip()
            self._wait(clock)
