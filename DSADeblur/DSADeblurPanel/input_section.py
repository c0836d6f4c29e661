"""Section of the panel that tells what is known of the chosen run."""

from __future__ import annotations

import html
from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from DSADeblurLib.request import UserFacts
from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.input import resolveNode
from DSADeblurScene.run_file import readLoaded
from DSADeblurScene.sample_data import loadRun, sampleRuns
from DSADeblurScene.slot import slot


class InputSection:
    """Shows size, meaning of the pixels, acquisition geometry and the blur it predicts; offers the bundled run.

    Args:
        runSection: whose status line is used.
        read: `run_file.readLoaded`, or one like it.
        onLoaded: called with the sequence of the bundled run.
    """

    def __init__(self, ui, runSection: RunSection, read: Callable, onLoaded: Callable) -> None:
        self._ui = ui
        self._read = read
        self._onLoaded = onLoaded
        self.showError = runSection.showError
        ui.sampleButton.connect("clicked(bool)", self._onSample)
        self._shown: tuple | None = None

    def showNode(self, node, facts: UserFacts) -> None:
        """Describe a node with what the user says about it; the same is not read twice."""
        identity = (node.GetID(), node.GetMTime(), facts) if node else None
        if identity == self._shown:
            return
        self._shown = identity
        self._ui.factsLabel.text = describe(node, facts, self._read) if node else ""
        self._ui.sampleButton.visible = node is None

    @slot
    def _onSample(self) -> None:
        try:
            shown, *_others = loadRun(sampleRuns()[0])
        except RuntimeError as error:
            self.showError(str(error))
        else:
            self._onLoaded(resolveNode(slicer.mrmlScene.GetNodeByID(shown)))


def describe(node, facts: UserFacts = UserFacts(), read=readLoaded) -> str:
    """Short lines of HTML about a run; one sentence when it cannot be used."""
    try:
        frames, loaded = read(node, facts)
    except ValueError as error:
        return html.escape(str(error))
    run, (count, rows, cols) = loaded.run, frames.frames.shape
    lines = [(_("Frames"), _("{count} of {cols} x {rows}").format(count=count, cols=cols, rows=rows), "")]
    if run.has_file:
        lines.append((_("Pixel values"), run.relationship or _("unknown"), ""))
        lines.append((_("Subtracted"), _yesNo(run), ""))
    known = run.has_file or facts.say_geometry
    for label, value, unit, origin, note in run.acquisition.rows() if known else ():
        where = f"{origin}: {note}" if note else origin
        isKnown = origin != "unknown"
        lines.append((label, f"{value} {unit}".strip() if isKnown else _("unknown"), where if isKnown else note))
    # Lines of text and no table: a table does not become narrower than its longest row.
    described = ["<b>{}</b> {} <i>{}</i>".format(*map(html.escape, line)) for line in lines]
    warnings = run.warnings if run.has_file else run.acquisition.warnings if known else ()
    return "<br>".join([*described, *(html.escape(note) for note in (loaded.note, *warnings) if note)])


def _yesNo(run) -> str:
    if run.subtraction_guessed:
        return _("perhaps: see below")
    return _("yes") if run.subtracted else _("no")
