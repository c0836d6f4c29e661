"""Section of the panel that says what the subtraction chosen needs, and installs it."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _

from DSADeblurPanel.packages import installInto, isMissing, whyNeeded
from DSADeblurPanel.parameters import DSADeblurParameterNode
from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.slot import slot

_PACKAGE = "scikit-image"


class SubtractionSection:
    """The group, which opens itself where a run needs it, and the button that installs what finds and registers masks,
    seen only while that is chosen and missing.

    Args:
        runSection: whose status line is used.
        onChanged: called after an installation.
    """

    def __init__(self, ui, runSection: RunSection, onChanged: Callable[[], None]) -> None:
        self._group, self._button = ui.subtractionCollapsibleButton, ui.installSubtractionButton
        self._runSection = runSection
        self.showError = runSection.showError
        self._onChanged = onChanged
        self._run: str | None = None
        self.problem = ""
        self._button.text = _("Install {package}").format(package=_PACKAGE)
        self._button.visible = False
        self._button.connect("clicked(bool)", self._onInstall)

    def show(self, parameters: DSADeblurParameterNode, lacksMask: bool = False) -> None:
        """Look at the choices in the parameter node; `problem` says afterwards what is missing, or is "".

        lacksMask: nothing says yet how the run is subtracted.
        """
        subtract, registration = parameters.request.subtract.value, parameters.request.registration.value
        needed = subtract == "find" or (registration != "none" and subtract != "never")
        problem = whyNeeded(_PACKAGE) if needed and isMissing(_PACKAGE) else ""
        run = parameters.inputNode.GetID() if parameters.inputNode is not None else None
        # Once for each run: what the user closes stays closed.
        if (lacksMask and run != self._run) or (problem and not self.problem):
            self._group.collapsed = False
        self._run, self.problem = run, problem
        self._button.visible = bool(problem)

    @slot
    def _onInstall(self) -> None:
        installInto(self._runSection, _PACKAGE)
        self._onChanged()
