"""Section of the panel that starts, cancels and tells how it goes: one button, one bar, one status line."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

import qt
import slicer
from slicer.i18n import tr as _

from DSADeblurPanel.fields import focusOn
from DSADeblurScene.in_words import duration
from DSADeblurScene.slot import slot

# Seen on a light background and on a dark one.
_ERROR_STYLE = "color: #d64541"


class State(enum.Enum):
    """What the panel waits for or does."""

    NO_RUN = enum.auto()
    NOT_INSTALLED = enum.auto()
    READY = enum.auto()
    STARTING = enum.auto()
    RUNNING = enum.auto()
    CANCELLING = enum.auto()
    DONE = enum.auto()
    FAILED = enum.auto()


@dataclass(frozen=True)
class Look:
    """What a state lets the user do, and says.

    canPress: the button, which begins or, with `cancels`, ends.
    canChoose: run, result, model and frames.
    canBegin: a preview.
    words: under the pointer, where nothing more exact is known.
    """

    canPress: bool
    cancels: bool
    canChoose: bool
    canBegin: bool
    words: str


def looks() -> dict[State, Look]:
    """The table of the states; each has a way on: choose, install, begin, or wait for the end of a cancellation."""
    apply, stop = _("Deblur the run (Ctrl+Return)."), _("Stop; the run stays as it is (Esc).")
    return {
        #                          canPress, cancels, canChoose, canBegin
        State.NO_RUN: Look(False, False, True, False, _("Select a run to deblur, or load the sample run.")),
        State.NOT_INSTALLED: Look(False, False, True, False, _("Install what is missing, or choose another model.")),
        State.READY: Look(True, False, True, True, apply),
        State.STARTING: Look(True, True, False, False, stop),
        State.RUNNING: Look(True, True, False, False, stop),
        State.CANCELLING: Look(False, True, False, False, _("It ends within some seconds.")),
        State.DONE: Look(True, False, True, True, apply),
        State.FAILED: Look(True, False, True, True, apply),
    }


_UNDER_WAY = (State.STARTING, State.RUNNING, State.CANCELLING)
_ENDED = (State.DONE, State.FAILED)


class RunSection:
    """Apply, which turns into Cancel while a job is under way.

    Args:
        onApply, onPreview, onCancel: called when the user presses the buttons.
    """

    def __init__(
        self, ui, onApply: Callable[[], None], onPreview: Callable[[], None], onCancel: Callable[[], None]
    ) -> None:
        self._ui = ui
        self._onApply, self._onPreview, self._onCancel = onApply, onPreview, onCancel
        self._looks = looks()
        self._reason = self._details = ""
        self._frames = 0
        self.state = State.NO_RUN
        # Called when that has changed; for the section that shares the bar.
        self.stateChanged: Callable[[], None] = lambda: None
        ui.applyButton.connect("clicked(bool)", self._onClicked)
        ui.previewButton.connect("clicked(bool)", self._onPreviewClicked)
        ui.detailsButton.connect("clicked(bool)", self._onDetails)
        ui.progressBar.visible = False
        self.showStatus("")
        self._showState()

    @property
    def isIdle(self) -> bool:
        """Whether nothing is under way."""
        return self.state not in _UNDER_WAY

    @property
    def isBusy(self) -> bool:
        """Whether something is under way, cancelled or not."""
        return not self.isIdle

    @property
    def isRunning(self) -> bool:
        """Whether something is under way that nobody has cancelled."""
        return self.state in (State.STARTING, State.RUNNING)

    def setReady(self, state: State, reason: str = "", plan: str = "") -> None:
        """What the user can do next: READY, NO_RUN or NOT_INSTALLED, one sentence why, and where and how long it will
        run. How the last job has ended is shown until then."""
        self._reason, self._ui.planLabel.text = reason, reason or plan
        if self.isIdle and (state is not State.READY or self.state not in _ENDED):
            self.state = state
        self._showState()

    def begin(self, text: str = "") -> None:
        """A job is being started, or an export; the text says so."""
        self.state, self._frames = State.STARTING, 0
        self._ui.progressBar.setRange(0, 0)
        self._ui.progressBar.format = "%p %"
        self._ui.progressBar.visible = True
        self.showStatus(text or _("Starting the worker..."))
        self._showState()

    def showStage(self, stage: str, frames: int) -> None:
        """What the worker does now, see DSADeblurLib.follower.Follower, and how many frames it restores."""
        words = {
            "reading": _("Reading the run and the model..."),
            "planning": _("Planning: what is subtracted, and how wide the blur is..."),
            "engines": _("Trying what computes fastest on this computer..."),
            "frames": _("Deblurring the first frame..."),
        }
        self._frames = frames
        if self.isRunning and stage in words:
            self.showStatus(words[stage])

    @slot
    def showProgress(self, done: int, total: int, secondsLeft: float | None) -> None:
        """Tiles done of all, and the time left if it is known."""
        self.showExport(done, total)
        left = _("%p %, {left} left").format(left=duration(secondsLeft)) if secondsLeft else "%p %"
        self._ui.progressBar.format = left
        if self.state is State.RUNNING and done and self._frames:
            number = min(done * self._frames // total + 1, self._frames)
            self.showStatus(_("Deblurring: frame {number} of {count}.").format(number=number, count=self._frames))

    def showExport(self, done: int, total: int) -> None:
        """Frames of an export that are done, of all; several passes count several times."""
        if self.state is State.STARTING:
            self.state = State.RUNNING
        self._ui.progressBar.setRange(0, total)
        self._ui.progressBar.value = done

    def showStatus(self, text: str) -> None:
        """Put one line under the button."""
        self._show(text, isError=False)

    def showError(self, text: str, details: str = "", choice: str = "") -> None:
        """Put one line under the button that looks like an error; a button beside it shows the details.

        choice: name of that of DeblurRequest which is at fault; its field gets the focus.
        """
        self._show(text, isError=True, details=details)
        focusOn(self._ui, choice)

    def end(self, text: str, toolTip: str = "") -> None:
        """The job has ended; the text says how, and the tool tip what is technical of it. The end of scene or panel may
        have told already."""
        isBusy = self.isBusy
        self._end(text, State.READY if self.state is State.CANCELLING else State.DONE)
        if isBusy:
            self._ui.statusLabel.toolTip = toolTip

    def fail(self, text: str, details: str = "", choice: str = "") -> None:
        """The job has ended with an error, or did not begin; the text says which, the others are for `showError`."""
        self._end("", State.FAILED)
        self.showError(text, details, choice)

    def _end(self, text: str, state: State) -> None:
        if not self.isIdle:
            self.state = state
            self._ui.progressBar.visible = False
            self.showStatus(text)
            self._showState()

    def _show(self, text: str, isError: bool, details: str = "") -> None:
        ui, self._details = self._ui, details
        ui.errorIconLabel.visible = isError
        ui.detailsButton.visible = bool(details)
        ui.statusLabel.styleSheet = _ERROR_STYLE if isError else ""
        ui.statusLabel.text, ui.statusLabel.toolTip = text, ""

    @slot
    def _onDetails(self) -> None:
        slicer.util.errorDisplay(self._ui.statusLabel.text, detailedText=self._details)

    @slot
    def _onPreviewClicked(self) -> None:
        if self._looks[self.state].canBegin:
            self._onPreview()

    @slot
    def _onClicked(self) -> None:
        if self.isIdle:
            self._onApply()
        elif self.isRunning:
            self.state = State.CANCELLING
            self.showStatus(_("Cancelling: the tile or frame in work is finished first."))
            self._showState()
            self._onCancel()

    def _showState(self) -> None:
        ui, look = self._ui, self._looks[self.state]
        button = ui.applyButton
        button.text = _("Cancel") if look.cancels else _("Apply")
        # A new text takes the shortcut away.
        button.shortcut = qt.QKeySequence("Esc" if look.cancels else "Ctrl+Return")
        button.enabled = look.canPress
        # What is missing is said by the reason; while something is under way it is of no interest.
        words = look.words if look.cancels else self._reason or look.words
        button.toolTip = words
        ui.previewButton.enabled = look.canBegin
        preview = _("Deblur the frame that is shown and nothing else, to see what becomes of it. It goes with Apply.")
        ui.previewButton.toolTip = preview if look.canBegin else words
        for widget in (ui.inputSelector, ui.sampleButton, ui.outputSelector, ui.outputNameLineEdit, ui.modelComboBox):
            widget.enabled = look.canChoose
        ui.browseModelButton.enabled = ui.frameRangeLineEdit.enabled = look.canChoose
        self.stateChanged()
