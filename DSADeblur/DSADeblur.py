"""Slicer module that removes focal-spot blur from angiography runs: module, parameters, panel, logic and self-test."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


def _prepareImports() -> None:
    """Forget our own packages when the module is reloaded; find the library when run from the source tree."""
    own = ("DSADeblurLib", "DSADeblurScene", "DSADeblurPanel")
    if "DSADeblurScene" in sys.modules:
        for name in [name for name in sys.modules if name.split(".")[0] in own]:
            del sys.modules[name]
    # Installed, the library lies beside this file; in the source tree it lies beside this file's folder.
    if importlib.util.find_spec("DSADeblurLib") is None:
        sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


_prepareImports()

from DSADeblurLib.request import DEFAULT_MODEL, DeblurRequest  # noqa: E402
from DSADeblurPanel import speed  # noqa: E402
from DSADeblurPanel.apply_section import ApplySection  # noqa: E402
from DSADeblurPanel.calibration_section import CalibrationSection  # noqa: E402
from DSADeblurPanel.compare_section import CompareSection  # noqa: E402
from DSADeblurPanel.controls_section import ControlsSection  # noqa: E402
from DSADeblurPanel.engine_section import EngineSection  # noqa: E402
from DSADeblurPanel.export_section import ExportSection  # noqa: E402
from DSADeblurPanel.input_section import InputSection  # noqa: E402
from DSADeblurPanel.measure_section import MeasureSection  # noqa: E402
from DSADeblurPanel.model_section import ModelSection  # noqa: E402
from DSADeblurPanel.output_section import OutputSection  # noqa: E402
from DSADeblurPanel.parameters import DSADeblurParameterNode, shownRequest  # noqa: E402
from DSADeblurPanel.run_section import RunSection, State, looks  # noqa: E402
from DSADeblurPanel.self_test import DSADeblurTest  # noqa: E402, F401
from DSADeblurPanel.subtraction_section import SubtractionSection  # noqa: E402
from DSADeblurPanel.trust_section import TrustSection  # noqa: E402
from DSADeblurPanel.views_section import ViewsSection  # noqa: E402
from DSADeblurScene.compare_views import CompareViews  # noqa: E402
from DSADeblurScene.deblurring import Deblurring  # noqa: E402
from DSADeblurScene.derived import runsOfScene  # noqa: E402
from DSADeblurScene.export import Export, Exported, ExportOptions  # noqa: E402
from DSADeblurScene.job import NEW_NODE, Job, Place, processed  # noqa: E402
from DSADeblurScene.layouts import registerLayouts  # noqa: E402
from DSADeblurScene.line_labels import watchLoadedScenes  # noqa: E402
from DSADeblurScene.live_controls import LiveControls  # noqa: E402
from DSADeblurScene.preparation import Preparation  # noqa: E402
from DSADeblurScene.qprocess_runner import QProcessRunner  # noqa: E402
from DSADeblurScene.run_file import LastRead  # noqa: E402
from DSADeblurScene.runner import SubprocessRunner  # noqa: E402
from DSADeblurScene.sample_data import registerSampleData  # noqa: E402
from DSADeblurScene.slot import slot  # noqa: E402
from DSADeblurScene.trust import TrustLook  # noqa: E402
from DSADeblurScene.worker_client import Callbacks, WorkerClient  # noqa: E402


class DSADeblur(ScriptedLoadableModule):
    """What the module list and the help section show."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("DSA Deblur")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Filtering")]
        self.parent.dependencies = []
        self.parent.contributors = ["DSADeblur contributors"]
        self.parent.helpText = _(
            "<b>Research use only. Not for diagnosis or treatment.</b><br>"
            "Removes the blur of the X-ray tube's focal spot from digital subtraction angiography with a neural "
            "network. The original run is never changed: the result is a new sequence or volume beside it, which "
            "plays in step with it. A learned restoration can add or remove detail; compare it with the original."
        )
        self.parent.acknowledgementText = _(
            "The idea of learning focal-spot deblurring of angiography follows Geng et al., Interventional "
            'Neuroradiology 2022, <a href="https://doi.org/{doi}">doi:{doi}</a>. The method here is an '
            "independent implementation."
        ).format(doi="10.1177/15910199221143168")
        slicer.app.connect("startupCompleted()", registerSampleData)
        slicer.app.connect("startupCompleted()", registerLayouts)
        slicer.app.connect("startupCompleted()", watchLoadedScenes)


class DSADeblurWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: connects its sections with the parameter node and the logic."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = DSADeblurLogic()
        self._parameterNode: DSADeblurParameterNode | None = None
        self._parameterNodeGuiTag: int | None = None
        self.applySection: ApplySection

    def setup(self) -> None:
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/DSADeblur.ui"))
        self.layout.addWidget(uiWidget)
        groups = slicer.util.childWidgetVariables(uiWidget)
        compare, measure = groups.compareCollapsibleButton, groups.measurePlaceholder
        for group, name in ((compare, "Compare"), (compare, "Trust"), (measure, "Measure")):
            group.layout().addWidget(slicer.util.loadUI(self.resourcePath(f"UI/{name}.ui")))
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        # Made last, for it needs the others.
        apply, preview = lambda: self.applySection.apply(), lambda: self.applySection.preview()
        run = self.runSection = RunSection(self.ui, apply, preview, self.logic.cancel)
        self.showError = run.showError
        read = self._lastRead = LastRead()
        self._preparation = Preparation(self._update, run.showError)
        self.inputSection = InputSection(self.ui, run, read, self._onRunLoaded)
        self.modelSection = ModelSection(self.ui, self._onModelChosen, run.showError)
        self.outputSection = OutputSection(self.ui)
        self.controlsSection = ControlsSection(self.ui, run, self.logic.live, self._onFollowed)
        self.compareSection = CompareSection(self.ui, run, self.logic.compareViews, self._update)
        self.trustSection = TrustSection(self.ui, run, self.logic.live.keptOf, self.logic.lookAtTrust)
        self.subtractionSection = SubtractionSection(self.ui, run, self._update)
        self.calibrationSection = CalibrationSection(self.ui, self.logic.getParameterNode, read, run.showError)
        self.measureSection = MeasureSection(
            self.ui, self.logic.getParameterNode, run, self.calibrationSection, self.logic.live
        )
        self.viewsSection = ViewsSection(self.ui, run, self.logic.compareViews)
        self.engineSection = EngineSection(self.ui, run, self.logic.check, self._update)
        self.exportSection = ExportSection(self.ui, run, self.logic.export)
        self.applySection = ApplySection(run, self.logic, self.inputSection, self.compareSection)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self._onSceneEndClose)
        slicer.app.connect("aboutToQuit()", self.logic.shutdown)
        # Of the two only this one comes while an export keeps the main loop from ending.
        slicer.app.connect("lastWindowClosed()", self.logic.cancelExport)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Called when the application closes and before a reload."""
        self.setParameterNode(None)
        slicer.app.disconnect("aboutToQuit()", self.logic.shutdown)
        slicer.app.disconnect("lastWindowClosed()", self.logic.cancelExport)
        self.logic.shutdown()
        # What was under way may still unwind; it must not touch widgets that are gone.
        self.runSection.state = State.NO_RUN
        self.compareSection.cleanup()
        self._preparation.stop()
        self.measureSection.cleanup()
        self.calibrationSection.cleanup()
        self.removeObservers()

    def enter(self) -> None:
        self.engineSection.probe()
        self.modelSection.refresh()
        self.initializeParameterNode()

    def exit(self) -> None:
        self.setParameterNode(None)

    def initializeParameterNode(self) -> None:
        """Take the parameter node of the scene and preselect the first run."""
        # When the module is first opened this follows at once upon itself, and to connect takes long.
        parameters = self._parameterNode
        if parameters is None:
            parameters = self.logic.getParameterNode()
            self.setParameterNode(parameters)
        else:
            self._update()
        if not parameters.inputNode:
            parameters.inputNode = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSequenceNode")

    def setParameterNode(self, parameterNode: DSADeblurParameterNode | None) -> None:
        """Connect the panel to a parameter node, or disconnect it."""
        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self._parameterNodeGuiTag = None
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._update)
        self._parameterNode = parameterNode
        if self._parameterNode:
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._update)
            self._update()
        else:
            self.exportSection.show(None)
            self.controlsSection.showRun(None)

    @slot
    def _update(self, caller=None, event=None) -> None:
        """Show what the parameter node says."""
        parameters = self._parameterNode
        if parameters is None:
            return
        if not self._preparation.isDone():
            self.runSection.setReady(State.NO_RUN, _("The panel is being prepared."))
            return
        request = shownRequest(parameters.request)
        self.inputSection.showNode(parameters.inputNode, request)
        self.modelSection.show(parameters.request.model)
        self.outputSection.show(parameters)
        self.controlsSection.showRun(parameters.inputNode)
        self.compareSection.showNode(parameters.derivedNode)
        self.trustSection.showNode(parameters.derivedNode)
        self.exportSection.show(parameters)
        self.subtractionSection.show(parameters, self.inputSection.lacksMask)
        self.calibrationSection.show(parameters)
        self.viewsSection.showNode(parameters.derivedNode, parameters.background)
        lacking = (self.engineSection.problem, self.modelSection.problem, self.subtractionSection.problem)
        if parameters.inputNode is None:
            self.runSection.setReady(State.NO_RUN, looks()[State.NO_RUN].words)
        elif any(lacking):
            self.runSection.setReady(State.NOT_INSTALLED, next(filter(None, lacking)))
        else:
            plan = speed.inWords(self.modelSection.name, request.restoration, self.inputSection.shape)
            self.runSection.setReady(State.READY, plan=plan)

    def _onRunLoaded(self, node) -> None:
        if self._parameterNode:
            self._parameterNode.inputNode = node

    def _onModelChosen(self, name: str) -> None:
        if self._parameterNode:
            self._parameterNode.request.model = name

    def _onFollowed(self, derivedNode) -> None:
        self.applySection.take(derivedNode)
        self._update()

    @slot
    def _onSceneStartClose(self, caller, event) -> None:
        self.logic.abandon()
        self._lastRead.forget()
        self.runSection.end(_("The scene was closed; what was under way was stopped."))
        self.setParameterNode(None)

    @slot
    def _onSceneEndClose(self, caller, event) -> None:
        if self.parent.isEntered:
            self.initializeParameterNode()


class DSADeblurLogic(ScriptedLoadableModuleLogic):
    """Deblurs runs; usable from scripts without the panel.

    Args:
        makeRunner: gives the process that `start` talks to; QProcess by default.
    """

    def __init__(self, makeRunner=None) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self._client = WorkerClient(makeRunner or QProcessRunner)
        self.live = LiveControls(self._client)
        self.compareViews = CompareViews()
        self._trust = TrustLook(self._client)
        self._deblurring = Deblurring(self._client, self.live)
        self._export: Export | None = None

    def getParameterNode(self) -> DSADeblurParameterNode:
        return DSADeblurParameterNode(super().getParameterNode())

    def process(
        self,
        inputNode,
        model: str = DEFAULT_MODEL,
        *,
        name: str = "",
        replaces=None,
        progress=None,
        makeRunner=SubprocessRunner,
        **choices,
    ):
        """Deblur a run and wait for the result.

        Args:
            inputNode: sequence of 2D frames, or a volume with one frame or a stack of frames.
            model: name of a bundled model, or a folder.
            name: of the result; by default that of the run, or of what is replaced.
            replaces: an earlier result of the same run, which goes when the new one is there.
            progress: called with (tiles done, tiles in all, seconds left or None).
            choices: by the names of DSADeblurLib.request.DeblurRequest, such as sharpness=0.8, mask_frames=(1, 2),
                focal_spot_mm=1.0; strength stands for sharpness and noise_reduction at once.

        Returns:
            The derived node: a vtkMRMLSequenceNode for a sequence, else a vtkMRMLScalarVolumeNode.

        Raises:
            ValueError: one sentence, if the input or a choice is not usable.
            RuntimeError: one sentence, if the worker failed.
        """
        job = Job(inputNode, DeblurRequest.of(model=model, **choices), place=Place(name, replaces))
        return processed(job, makeRunner, progress)

    def start(self, inputNode, request: DeblurRequest, callbacks: Callbacks, place: Place = NEW_NODE) -> None:
        """Begin to deblur and return at once; callbacks tell how it goes.

        `callbacks.finished` is called with (derived node, some sentences about the run), the others as Callbacks says.

        Raises:
            ValueError, OSError, RuntimeError: one sentence, if it cannot begin.
        """
        self._checkIdle()
        self._deblurring.start(inputNode, request, callbacks, place)

    def runs(self) -> list:
        """The sequences of the scene that this module has not made, in the order of the scene."""
        return runsOfScene()

    def compare(self, derivedNode, view: str = "pair") -> None:
        """As DSADeblurScene.compare_views.CompareViews.showNamed: "pair", "change", "swipe" or "flicker"."""
        self.compareViews.showNamed(derivedNode, view)

    def check(self, checked: Callable[[str], None], error: Callable[[str], None]) -> None:
        """Have a fresh worker deblur a trial tile; one of the two is called with a sentence.

        Raises:
            OSError, RuntimeError: one sentence, if it cannot begin.
        """
        self._checkIdle()
        # What a worker could not import once it does not look for again.
        self._client.stop()
        self._client.submit(
            {"type": "check"}, Callbacks(finished=lambda message: checked(message["reason"]), error=error)
        )

    def lookAtTrust(self, node, callbacks: Callbacks) -> None:
        """As DSADeblurScene.trust.TrustLook.start, for a result of `start`, of which something is still kept."""
        self._checkIdle()
        self._trust.start(node, self.live.keptOf(node), callbacks)

    def export(
        self,
        node,
        folder: str = "",
        format: str = "dicom",
        *,
        compression: str = "none",
        dropIdentity: bool = False,
        reviewed: bool = False,
        progress=None,
    ) -> Exported:
        """Write a derived node as DICOM, picture or film and wait until it is done; the window stays alive.

        Args:
            node: a result of `process` or `start`.
            folder: that the file goes to; not used for the database.
            format: "dicom", "database", "png" (the frame that is shown), "gif" or "mp4".
            compression, dropIdentity, reviewed: see DSADeblurScene.export.ExportOptions.
            progress: called with (frames done, frames in all).

        Raises:
            ValueError, RuntimeError, OSError: one sentence, if it is not possible; nothing is left.
            DSADeblurScene.export_frames.ExportCancelled: `cancel` was called meanwhile; nothing is left.
        """
        self._checkIdle()
        self.live.settle()
        options = ExportOptions(format, str(folder), compression, dropIdentity, reviewed)
        self._export = Export(node, options, progress)
        try:
            return self._export.run()
        finally:
            self._export = None

    @property
    def isBusy(self) -> bool:
        """Whether anything is under way."""
        return self._export is not None or any(one.isBusy for one in self._ofWorker())

    def cancel(self) -> None:
        """Ask for the end of what is under way."""
        next((one for one in self._ofWorker() if one.isBusy), self._client).cancel()
        self.cancelExport()

    @slot
    def cancelExport(self) -> None:
        """Ask for the end of the export under way."""
        if self._export is not None:
            self._export.cancel()

    def abandon(self) -> None:
        """Drop what is under way and stop the worker; no callback follows."""
        self.cancelExport()
        self._client.forget()
        for one in self._ofWorker():
            one.stop()

    @slot
    def shutdown(self) -> None:
        """Before the application or the module goes."""
        self.compareViews.close()
        self.live.close()
        self.abandon()

    def _ofWorker(self) -> tuple[Deblurring, LiveControls, TrustLook]:
        return self._deblurring, self.live, self._trust

    def _checkIdle(self) -> None:
        if self._deblurring.isBusy:
            raise RuntimeError(_("A run is being deblurred already; wait for it or cancel it."))
        if self._export is not None:
            raise RuntimeError(_("An export is under way; wait for it or cancel it."))
        if self.live.isBusy:
            raise RuntimeError(_("A result follows its controls; wait for it or cancel it."))
        if self._trust.isBusy:
            raise RuntimeError(_("A result is being looked at; wait for it or cancel it."))
