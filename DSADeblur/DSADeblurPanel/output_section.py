"""Section of the panel that says where a result goes: a new node, or the place of an earlier result of the run."""

from __future__ import annotations

from slicer.i18n import tr as _

from DSADeblurPanel.parameters import DSADeblurParameterNode
from DSADeblurScene.derived import FULL, RESULT, sourceOf
from DSADeblurScene.input import resolveNode
from DSADeblurScene.job import Place


class OutputSection:
    """The list of results, with a new one first, and the name."""

    def __init__(self, ui) -> None:
        self._ui, self._chosen = ui, None
        for kind in ("vtkMRMLSequenceNode", "vtkMRMLScalarVolumeNode"):
            ui.outputSelector.addAttribute(kind, RESULT, FULL)

    def show(self, parameters: DSADeblurParameterNode) -> None:
        """Show the name that a result will have. A result of another run is not kept as the choice; one that is newly
        chosen is compared, measured and exported from then on."""
        run, output = resolveNode(parameters.inputNode), parameters.outputNode
        if output is not None and sourceOf(output) is not run:
            parameters.outputNode = output = None
        if output is not None and output is not self._chosen:
            parameters.derivedNode = output
        self._chosen = output
        default = _("{name} deblurred").format(name=run.GetName()) if run is not None else ""
        self._ui.outputNameLineEdit.placeholderText = output.GetName() if output is not None else default

    @staticmethod
    def place(parameters: DSADeblurParameterNode) -> Place:
        """Where the next result goes."""
        return Place(parameters.outputName.strip(), parameters.outputNode)
