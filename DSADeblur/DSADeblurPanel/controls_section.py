"""Section of the panel with the two controls: the latest result of the chosen run follows them at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

from DSADeblurLib.request import DeblurSettings
from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.compare import requestOf
from DSADeblurScene.input import resolveNode
from DSADeblurScene.live_controls import LiveControls
from DSADeblurScene.slot import slot
from DSADeblurScene.worker_client import Callbacks


class ControlsSection:
    """Sharpness and noise reduction, whether that of vessels too, and their reset.

    Args:
        runSection: whose bar, button and status line are used.
        live: what follows them.
        onFollowed: called with a result that has followed them.
    """

    def __init__(self, ui, runSection: RunSection, live: LiveControls, onFollowed: Callable) -> None:
        self._ui, self._runSection, self._live, self._onFollowed = ui, runSection, live, onFollowed
        self.showError = live.showError = runSection.showError
        self._node: Any = None
        self._setting = False
        ui.sharpnessSlider.connect("valueIsChanging(double)", self._onSharpness)
        ui.noiseReductionSlider.connect("valueIsChanging(double)", self._onNoiseReduction)
        for slider in (ui.sharpnessSlider, ui.noiseReductionSlider):
            slider.connect("valueChanged(double)", self._onLetGo)
        ui.uniformNoiseReductionCheckBox.connect("toggled(bool)", self._onLetGo)
        ui.resetControlsButton.connect("clicked(bool)", self._onReset)

    def showRun(self, run) -> None:
        """The run whose latest result follows."""
        self._node = self._live.resultOf(resolveNode(run))
        if self._node is None:
            self._ui.controlsLabel.text = _("Taken at the next Apply.")
        else:
            text = _("Shown: sharpness {sharpness:g}, noise reduction {noise:g}.")
            shown = requestOf(self._node).restoration
            self._ui.controlsLabel.text = text.format(sharpness=shown.sharpness, noise=shown.noise_reduction)

    @slot
    def _onSharpness(self, value: float) -> None:
        self._show(sharpness=value)

    @slot
    def _onNoiseReduction(self, value: float) -> None:
        self._show(noise_reduction=value)

    @slot
    def _onLetGo(self) -> None:
        if not self._isFree():
            return
        self._show()
        if not self._live.isBusy:
            self._runSection.begin(_("All frames follow..."))
        callbacks = Callbacks(
            progress=lambda done, total, _left: self._runSection.showExport(done, total),
            notice=self._runSection.showStatus,
            finished=self._onFinished,
            cancelled=lambda: self._onStopped(self._runSection.end, _("Cancelled.")),
            error=lambda *told: self._onStopped(self._runSection.fail, *told),
        )
        try:
            self._live.follow(self._node, callbacks, **self._controls())
        except (RuntimeError, OSError) as error:
            self._live.settle()
            self._onStopped(self._runSection.fail, str(error))

    @slot
    def _onReset(self) -> None:
        self._set(DeblurSettings())
        self._onLetGo()

    def _show(self, **moving: float) -> None:
        if self._isFree():
            self._live.show(self._node, **{**self._controls(), **moving})

    def _isFree(self) -> bool:
        """Whether there is a result to follow, and nothing else under way."""
        section = self._runSection
        free = section.isRunning if self._live.isBusy else section.isIdle
        return self._node is not None and not self._setting and free

    def _controls(self) -> dict:
        ui = self._ui
        return {
            # Sliders of 64 bits say 0.30000000000000004.
            "sharpness": round(ui.sharpnessSlider.value, 4),
            "noise_reduction": round(ui.noiseReductionSlider.value, 4),
            "uniform_noise_reduction": bool(ui.uniformNoiseReductionCheckBox.checked),
        }

    def _onFinished(self, node) -> None:
        self._runSection.end(_("All frames follow the controls."))
        self._onFollowed(node)

    def _onStopped(self, tell: Callable[..., None], *told: str) -> None:
        """The picture is as it was; so are the controls then."""
        tell(*told)
        if self._node is not None:
            self._set(requestOf(self._node).restoration)

    def _set(self, settings: DeblurSettings) -> None:
        """Move the controls; nothing follows that."""
        self._setting = True
        self._ui.sharpnessSlider.value = settings.sharpness
        self._ui.noiseReductionSlider.value = settings.noise_reduction
        self._ui.uniformNoiseReductionCheckBox.checked = settings.uniform_noise_reduction
        self._setting = False
