"""Section of the panel with the display options of a subtracted run."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.compare_views import CompareViews
from DSADeblurScene.input import shownVolume
from DSADeblurScene.slot import slot
from DSADeblurScene.views import Stopped, hasViews, showPeakOpacification, showWithBackground


class ViewsSection:
    """Peak opacification and anatomical background; bar, status line and Cancel are those of the run section."""

    def __init__(self, ui, runSection: RunSection, compareViews: CompareViews) -> None:
        self._ui, self._runSection, self._compareViews = ui, runSection, compareViews
        self.showError = runSection.showError
        self._node = None
        self._fraction = 0.0
        ui.peakButton.connect("clicked(bool)", self._onPeak)
        ui.backgroundButton.connect("clicked(bool)", self._onBackground)

    def showNode(self, node, percent: float) -> None:
        """The derived node and the background that the buttons stand for."""
        self._node, self._fraction = node, percent / 100
        possible = hasViews(node)
        why = "" if possible else _("Deblur a subtracted run first.")
        peak, background = self._ui.peakButton, self._ui.backgroundButton
        peak.enabled = background.enabled = possible
        peak.toolTip = why or _("Show the darkest value that each pixel has in the run.")
        background.toolTip = why or _("Show the vessels with this much of the anatomy, for display only.")

    @slot
    def _onPeak(self) -> None:
        self._run(lambda progress: showPeakOpacification(self._node, progress), _("peak opacification"))

    @slot
    def _onBackground(self) -> None:
        fraction = self._fraction
        text = _("{percent:.0f} % background, display only").format(percent=100 * fraction)
        self._run(lambda progress: showWithBackground(self._node, fraction, progress), text)

    def _run(self, work: Callable, label: str) -> None:
        """Do something frame by frame on this thread; Cancel and all other buttons stay usable."""
        section = self._runSection
        if section.isBusy:
            # The status line tells how the work under way goes on.
            return
        section.begin(_("Computing the view..."))
        try:
            nodes = work(self._onProgress)
        except Stopped:
            section.end(_("Cancelled."))
        except (ValueError, OSError) as error:
            if not section.isIdle:
                section.fail(str(error))
        except Exception:
            section.end("")
            raise
        else:
            self._compareViews.showPictures(shownVolume(nodes[0]), shownVolume(nodes[1]), label)
            text = _("Added {first} and {second}.")
            section.end(text.format(first=nodes[0].GetName(), second=nodes[1].GetName()))

    def _onProgress(self, done: int, total: int) -> None:
        section = self._runSection
        section.showExport(done, total)
        section.showStatus(_("Computing the view: step {done} of {total}.").format(done=done, total=total))
        slicer.app.processEvents()
        # The section is cancelling after a press of Cancel, and idle when scene or panel were closed meanwhile.
        if not section.isRunning:
            raise Stopped
