"""Section of the panel that tells what is known of the chosen run: three lines, and all facts below them."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from DSADeblurLib.request import DeblurRequest
from DSADeblurLib.used import listed
from DSADeblurPanel.parameters import labels
from DSADeblurPanel.run_section import RunSection
from DSADeblurScene.frame_steps import stepFrame
from DSADeblurScene.input import resolveNode, shownIndex
from DSADeblurScene.sample_data import loadRun, sampleRuns
from DSADeblurScene.slot import slot

if TYPE_CHECKING:
    from DSADeblurLib.xa.header.facts import Acquisition
    from DSADeblurLib.xa.run import Run
    from DSADeblurLib.xa.subtraction.plan import SubtractionPlan


class InputSection:
    """Shows size, subtraction and expected blur of a run, and all that is known of it; offers the bundled run.

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
        self._node: Any = None
        self._shown: tuple | None = ()
        # Of the run that is shown: (frames, rows, columns), how it is subtracted, whether nothing says how.
        self.shape: tuple[int, int, int] | None = None
        self.plan: SubtractionPlan | None = None
        self.lacksMask = self._isUnclear = False
        ui.sampleButton.connect("clicked(bool)", self._onSample)
        ui.previousFrameButton.connect("clicked(bool)", self._onPrevious)
        ui.nextFrameButton.connect("clicked(bool)", self._onNext)

    def showNode(self, node, request: DeblurRequest) -> None:
        """Describe a node with what the user says about it; the same is not read twice."""
        identity = (node.GetID(), node.GetMTime(), request.facts, request.subtraction) if node else None
        self._node = node
        if identity == self._shown:
            return
        ui, before, self._shown = self._ui, self._shown, identity
        ui.sampleButton.visible = node is None
        ui.previousFrameButton.enabled = ui.nextFrameButton.enabled = node is not None
        self.shape, self.plan, self.lacksMask, self._isUnclear = None, None, False, False
        summary, facts = "", ""
        if node is not None:
            try:
                summary, facts = self._describe(node, request)
            except ValueError as error:
                summary = html.escape(str(error))
            if self._isUnclear and (before or (None,))[0] != node.GetID():
                # Once for each run: what the user closes stays closed.
                ui.headerCollapsibleButton.collapsed = False
        ui.summaryLabel.text, ui.factsLabel.text = summary, facts
        ui.factsCollapsibleButton.visible = bool(facts)

    def numberToPreview(self) -> int:
        """Number of the frame that is shown, counted from 1, or of the nearest that is to be deblurred."""
        count = 1 if self.shape is None else self.shape[0]
        index = shownIndex(resolveNode(self._node)) if self._node is not None else 0
        number = 1 + (index if 0 <= index < count else count // 2)
        numbers = self.plan.contrast_frames if self.plan is not None else range(1, count + 1)
        return min(numbers, key=lambda one: abs(one - number))

    def _describe(self, node, request: DeblurRequest) -> tuple[str, str]:
        """The lines on a run, and all facts, as HTML. Raises ValueError, one sentence, when it cannot be used."""
        frames, loaded = self._read(node, request.facts)
        run, self.shape = loaded.run, frames.frames.shape
        known = run.has_file or request.facts.say_geometry
        self.plan, problem = _plan(run, request)
        self.lacksMask = self.plan is None and not run.subtracted and len(frames.frames) > 1
        self._isUnclear = run.subtraction_guessed or (run.has_file and run.relationship is None)
        subtraction = html.escape(problem or _subtraction(run, request, self.plan))
        lines = [_size(self.shape), subtraction, _blur(run.acquisition)]
        warnings = run.warnings if run.has_file else run.acquisition.warnings if known else ()
        lines += [f"\N{WARNING SIGN} {html.escape(note)}" for note in (loaded.note, *warnings) if note]
        facts = []
        if run.has_file:
            meaning = run.relationship or ""
            words = labels()["relationship", meaning] if meaning else _("unknown")
            facts.append((_("Brightness"), words, meaning))
        for label, value, unit, origin, note in run.acquisition.rows() if known else ():
            where = f"{origin}: {note}" if note else origin
            isKnown = origin != "unknown"
            facts.append((label, f"{value} {unit}".strip() if isKnown else _("unknown"), where if isKnown else note))
        # Lines of text and no table: a table does not become narrower than its longest row.
        told = ["<b>{}</b> {} <i>{}</i>".format(*map(html.escape, fact)) for fact in facts]
        return "<br>".join(lines), "<br>".join(told)

    @slot
    def _onSample(self) -> None:
        try:
            shown, *_others = loadRun(sampleRuns()[0])
        except RuntimeError as error:
            self.showError(str(error))
        else:
            self._onLoaded(resolveNode(slicer.mrmlScene.GetNodeByID(shown)))

    @slot
    def _onPrevious(self) -> None:
        stepFrame(resolveNode(self._node), -1)

    @slot
    def _onNext(self) -> None:
        stepFrame(resolveNode(self._node), 1)


def _plan(run: Run, request: DeblurRequest) -> tuple[SubtractionPlan | None, str]:
    """How a run is subtracted, as far as header and choices say it, None where it is not; and why it cannot be."""
    from DSADeblurLib.errors import DSADeblurError
    from DSADeblurLib.xa.subtraction.planning import plan_subtraction

    options = request.subtraction
    try:
        return plan_subtraction(run, options.subtract, options.mask_frames), ""
    except DSADeblurError as error:
        return None, str(error)
    except ValueError:  # a mask is to be looked for in the frames
        return None, ""


def _size(shape: tuple[int, int, int]) -> str:
    count, rows, cols = shape
    text = _("One frame of {cols} x {rows}.") if count == 1 else _("{count} frames of {cols} x {rows}.")
    return html.escape(text.format(count=count, cols=cols, rows=rows))


def _subtraction(run: Run, request: DeblurRequest, plan: SubtractionPlan | None) -> str:
    """One sentence: whether frames are subtracted, and what comes of it."""
    if plan is not None:
        text = _("Not subtracted yet; the mask of frames {frames} will be.").format(frames=listed(plan.mask_frames))
    elif run.subtraction_guessed:
        text = _("Perhaps subtracted already: say so in 'Where the header is silent or wrong'.")
    elif run.subtracted:
        text = _("Subtracted by the device.")
    elif request.subtraction.subtract == "find":
        text = _("Not subtracted yet: the mask is looked for in the frames before contrast.")
    elif request.subtraction.subtract == "never" or len(run.frames) == 1:
        text = _("Not subtracted.")
    else:
        text = _("Not subtracted, and no mask frames are known: name them in 'Subtraction', or deblur it as it is.")
    return text


def _blur(acquisition: Acquisition) -> str:
    """One sentence: how wide the blur is expected to be, and why."""
    expected = acquisition.blur_detector_px
    if expected.value is None:
        lacking = [
            name
            for name, fact in (
                (_("focal spot"), acquisition.focal_spot),
                (_("magnification"), acquisition.magnification),
                (_("pixel size"), acquisition.imager_pixel_spacing),
            )
            if fact.value is None
        ]
        text = _("Expected blur unknown (no {lacking} in the header): taken from the frames.")
        return html.escape(text.format(lacking=", ".join(lacking)))
    rows, cols = expected.value
    pixels = f"{rows:.1f}" if f"{rows:.1f}" == f"{cols:.1f}" else f"{rows:.1f} x {cols:.1f}"
    spot, factor = acquisition.focal_spot.text, f"{acquisition.magnification.value:.3g}"
    text = _("Expected blur about {pixels} pixels: focal spot {spot} mm, magnified {factor} times.")
    if expected.origin != "header":
        text = _("Expected blur about {pixels} pixels: focal spot {spot} mm, magnified {factor} times, in part by you.")
    return html.escape(text.format(pixels=pixels, spot=spot, factor=factor))
