"""Section of the panel that tells what is known of the chosen run."""

from __future__ import annotations

import html

from slicer.i18n import tr as _

from DSADeblurLib.user_facts import NOTHING_SAID, UserFacts
from DSADeblurScene.dicom_facts import factsForRun
from DSADeblurScene.input import readInput


class InputSection:
    """Shows size, meaning of the pixels, acquisition geometry and the blur it predicts."""

    def __init__(self, ui) -> None:
        self._ui = ui
        self._shown = None

    def showNode(self, node, said: UserFacts) -> None:
        """Describe a node with what the user says about it; the same is not read twice."""
        identity = (node.GetID(), node.GetMTime(), said) if node else None
        if identity == self._shown:
            return
        self._shown = identity
        self._ui.factsLabel.text = describe(node, said) if node else ""


def describe(node, said: UserFacts = NOTHING_SAID) -> str:
    """A short HTML table about a run; one sentence when it cannot be used."""
    try:
        run = readInput(node)
    except ValueError as error:
        return html.escape(str(error))
    facts = factsForRun(run, said)
    count, rows, cols = run.frames.shape
    lines = [(_("Frames"), _("{count} of {cols} x {rows}").format(count=count, cols=cols, rows=rows), "")]
    if facts.header is not None:
        lines.append((_("Pixel values"), facts.relationship or _("unknown"), ""))
        lines.append((_("Subtracted"), _("yes") if facts.header.subtracted else _("no"), ""))
    for label, value, unit, origin, note in facts.acquisition.rows() if facts.acquisition else ():
        known = origin != "unknown"
        where = f"{origin}: {note}" if note else origin
        lines.append((label, f"{value} {unit}".strip() if known else _("unknown"), where if known else note))
    table = "".join(
        "<tr><td>{}&nbsp;&nbsp;</td><td>{}&nbsp;&nbsp;</td><td><i>{}</i></td></tr>".format(*map(html.escape, line))
        for line in lines
    )
    notes = [facts.note, *(facts.header.warnings if facts.header else getattr(facts.acquisition, "warnings", ()))]
    return f"<table>{table}</table>" + "<br>".join(html.escape(note) for note in notes if note)
