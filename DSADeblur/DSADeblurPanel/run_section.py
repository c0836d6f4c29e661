"""Section of the panel that starts, cancels and tells how it goes: one button, one bar, one status line."""

from __future__ import annotations

import enum
from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from DSADeblurScene.slot import slot

# Seen on a light background and on a dark one.
_ERROR_STYLE = "color: #d64541"


class State(enum.Enum):
    """What the button does next."""

    IDLE = enum.auto()
    RUNNING = enum.auto()
    CANCELLING = enum.auto()


class RunSection:
    """Apply, which turns into Cancel while a job is under way.

    Args:
        onApply, onCancel: called when the user presses the button.
    """

    def __init__(self, ui, onApply: Callable[[], None], onCancel: Callable[[], None]) -> None:
        self._ui = ui
        self._onApply = onApply
        self._onCancel = onCancel
        self._reason = self._details = ""
        self.state = State.IDLE
        # Called when that has changed; for the section that shares the bar.
        self.stateChanged: Callable[[], None] = lambda: None
        ui.applyButton.connect("clicked(bool)", self._onClicked)
        ui.detailsButton.connect("clicked(bool)", self._onDetails)
        ui.progressBar.visible = False
        self.showStatus("")
        self._showButton()

    @property
    def isIdle(self) -> bool:
        """Whether nothing is under way."""
        return self.state is State.IDLE

    def setReady(self, reason: str) -> None:
        """Allow Apply, or tell in one sentence why not."""
        self._reason = reason
        self._showButton()

    def begin(self, text: str = "") -> None:
        """A job is being started, or an export; the text says so."""
        self.state = State.RUNNING
        self._ui.progressBar.setRange(0, 0)
        self._ui.progressBar.format = "%p %"
        self._ui.progressBar.visible = True
        self.showStatus(text or _("Starting the worker..."))
        self._showButton()

    @slot
    def showProgress(self, done: int, total: int, secondsLeft: float | None) -> None:
        """Tiles done of all, and the time left if it is known."""
        self._ui.progressBar.setRange(0, total)
        self._ui.progressBar.value = done
        left = _("%p %, {left} left").format(left=duration(secondsLeft)) if secondsLeft else "%p %"
        self._ui.progressBar.format = left
        if self.state is State.RUNNING:
            self.showStatus(_("Deblurring: {done} of {total} tiles.").format(done=done, total=total))

    def showExport(self, done: int, total: int) -> None:
        """Frames of an export that are done, of all; several passes count several times."""
        self._ui.progressBar.setRange(0, total)
        self._ui.progressBar.value = done

    def showStatus(self, text: str) -> None:
        """Put one line under the button."""
        self._show(text, isError=False)

    def showError(self, text: str, details: str = "") -> None:
        """Put one line under the button that looks like an error; a button beside it shows the details."""
        self._show(text, isError=True, details=details)

    def end(self, text: str) -> None:
        """The job has ended; the text says how. The end of scene or panel may have told already."""
        if self.state is State.IDLE:
            return
        self.state = State.IDLE
        self._ui.progressBar.visible = False
        self.showStatus(text)
        self._showButton()

    def fail(self, text: str, details: str = "") -> None:
        """The job has ended with an error, or did not begin; the text says which."""
        self.end("")
        self.showError(text, details)

    def _show(self, text: str, isError: bool, details: str = "") -> None:
        ui, self._details = self._ui, details
        ui.errorIconLabel.visible = isError
        ui.detailsButton.visible = bool(details)
        ui.statusLabel.styleSheet = _ERROR_STYLE if isError else ""
        ui.statusLabel.text = text

    @slot
    def _onDetails(self) -> None:
        slicer.util.errorDisplay(self._ui.statusLabel.text, detailedText=self._details)

    @slot
    def _onClicked(self) -> None:
        if self.state is State.IDLE:
            self._onApply()
        elif self.state is State.RUNNING:
            self.state = State.CANCELLING
            self.showStatus(_("Cancelling: the tile or frame in work is finished first."))
            self._showButton()
            self._onCancel()

    def _showButton(self) -> None:
        button = self._ui.applyButton
        button.text = _("Apply") if self.state is State.IDLE else _("Cancel")
        button.enabled = self.state is State.RUNNING or (self.state is State.IDLE and not self._reason)
        if self.state is State.IDLE:
            button.toolTip = self._reason or _("Deblur the run into a new node.")
        else:
            button.toolTip = _("Stop; the run stays as it is.")
        self.stateChanged()


def duration(seconds: float) -> str:
    """A time span as text, such as "45 s" or "3 min 20 s"."""
    seconds = int(round(seconds))
    if seconds < 60:
        return _("{seconds} s").format(seconds=max(1, seconds))
    return _("{minutes} min {seconds} s").format(minutes=seconds // 60, seconds=seconds % 60)
