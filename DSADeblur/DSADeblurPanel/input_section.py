"""Section of the panel that tells what is known of the chosen run."""

from __future__ import annotations

import html

from slicer.i18n import tr as _

from DSADeblurLib.request import UserFacts
from DSADeblurScene.input import readInput
from DSADeblurScene.run_file import loadedRun


class InputSection:
    """Shows size, meaning of the pixels, acquisition geometry and the blur it predicts."""

    def __init__(self, ui) -> None:
        self._ui = ui
        self._shown: tuple | None = None

    def showNode(self, node, facts: UserFacts) -> None:
        """Describe a node with what the user says about it; the same is not read twice."""
        identity = (node.GetID(), node.GetMTime(), facts) if node else None
        if identity == self._shown:
            return
        self._shown = identity
        self._ui.factsLabel.text = describe(node, facts) if node else ""


def describe(node, facts: UserFacts = UserFacts()) -> str:
    """A short HTML table about a run; one sentence when it cannot be used."""
    try:
        frames = readInput(node)
    except ValueError as error:
        return html.escape(str(error))
    loaded = loadedRun(frames, facts)
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
    table = "".join(
        "<tr><td>{}&nbsp;&nbsp;</td><td>{}&nbsp;&nbsp;</td><td><i>{}</i></td></tr>".format(*map(html.escape, line))
        for line in lines
    )
    warnings = run.warnings if run.has_file else run.acquisition.warnings if known else ()
    return f"<table>{table}</table>" + "<br>".join(html.escape(note) for note in (loaded.note, *warnings) if note)


def _yesNo(run) -> str:
    if run.subtraction_guessed:
        return _("perhaps: see below")
    return _("yes") if run.subtracted else _("no")
