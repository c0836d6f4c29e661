"""What the views draw beside a markups line or curve: our text in place of Slicer's bare millimetres."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import slicer
from slicer.i18n import tr as _

from DSADeblurScene.derived import ATTRIBUTE
from DSADeblurScene.slot import slot

if TYPE_CHECKING:
    from DSADeblurLib.measurement.calibration import Measured

MEASUREMENT = "DSADeblur length"
SLICERS_OWN = "length"
# Of markups whose vessel is measured, not their own length: what is measured with them.
MEASURES = ATTRIBUTE + "Measures"
_WAS_SHOWN = ATTRIBUTE + "SlicerLengthShown"
# vtkMRMLMeasurement prints into 80 characters, of which 78 are used; all texts but freak ones are shorter.
_LONGEST = 78


class Label(NamedTuple):
    """A text, and the number in it with its unit."""

    text: str
    value: float = 0.0
    unit: str = ""


def setLabel(line, measured: Measured | Label) -> None:
    """Show a Measured, or what else a Label says, beside a line or curve.

    Slicer's own measurement takes unit, factor and format from the scene's unit of length each time that a point moves,
    so that nothing set on it would last. It is switched off, and a static measurement stands in its place, whose format
    is the whole text. Both are saved with the line.
    """
    text = measured.text if len(measured.text) <= _LONGEST else measured.text[: _LONGEST - 3] + "..."
    # The number stands above its kind: views cut off what reaches over their edge. The text is a format of C's printf.
    shown = text.replace(", ", ",\n", 1).replace("%", "%%")
    own, ours = line.GetMeasurement(SLICERS_OWN), line.GetMeasurement(MEASUREMENT)
    if ours is not None and ours.GetPrintFormat() == shown and not (own and own.GetEnabled()):
        return
    wasModifying = line.StartModify()
    if not isLabelled(line):
        line.SetAttribute(_WAS_SHOWN, "true" if own is None or own.GetEnabled() else "false")
    if own is not None:
        own.SetEnabled(False)
    index = _indexOf(line)
    description = _("Measured by DSA Deblur. Research use only.")
    line.SetNthMeasurement(
        line.GetNumberOfMeasurements() if index is None else index,
        MEASUREMENT,
        measured.value,
        measured.unit,
        shown,
        description,
    )
    line.UpdateAllMeasurements()
    line.EndModify(wasModifying)


def removeLabel(line) -> None:
    """Give a line the label back that it had before; nothing happens to a line that has none of ours."""
    if not isLabelled(line):
        return
    wasModifying = line.StartModify()
    index, own = _indexOf(line), line.GetMeasurement(SLICERS_OWN)
    if index is not None:
        line.RemoveNthMeasurement(index)
    if own is not None:
        own.SetEnabled(line.GetAttribute(_WAS_SHOWN) == "true")
    line.RemoveAttribute(_WAS_SHOWN)
    line.UpdateAllMeasurements()
    line.EndModify(wasModifying)


def isLabelled(line) -> bool:
    """Whether a line has our label, set now or before the scene was saved."""
    return line.GetAttribute(_WAS_SHOWN) is not None


def allLines() -> list:
    """The markups lines of the scene whose own length is of interest."""
    return [line for line in slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode") if not line.GetAttribute(MEASURES)]


def measuringMarkups() -> list:
    """The lines and curves of the scene with which vessels are measured."""
    nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsNode")
    return [node for node in nodes if node.GetAttribute(MEASURES)]


def isAnyLabelled() -> bool:
    """Whether something in the scene has our label."""
    return any(map(isLabelled, [*allLines(), *measuringMarkups()]))


@slot
def watchLoadedScenes() -> None:
    """Open the panel, unseen, when a scene with lines of ours is loaded; called when the application has started.

    Without it nobody would renew the label of a line that is moved before the user opens the module.
    """

    @slot
    def onLoaded(_scene, _event) -> None:
        if isAnyLabelled():
            slicer.modules.dsadeblur.widgetRepresentation()

    slicer.mrmlScene.AddObserver(slicer.mrmlScene.EndImportEvent, onLoaded)


def _indexOf(line) -> int | None:
    names = [line.GetNthMeasurement(i).GetName() for i in range(line.GetNumberOfMeasurements())]
    return names.index(MEASUREMENT) if MEASUREMENT in names else None
