"""One deblurring from a node to a derived node: what is sent to the worker, and what becomes of its answer."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from DSADeblurLib import __version__
from DSADeblurLib.framefile import FrameFile
from DSADeblurLib.restoration.settings import DeblurSettings
from DSADeblurScene.derived import addDerived
from DSADeblurScene.dicom_facts import DicomFacts, StoredFrames, factsForRun
from DSADeblurScene.input import ComputedFrames, InputRun, readInput


@dataclass(frozen=True)
class Options:
    """What the user chose.

    model: name of a bundled model, or a folder.
    settings: device, precision, tile, strength and frame range.
    subtraction: "auto", "always" or "never".
    maskFrames: frame numbers counted from 1, or None for those of the header.
    relationship: "LIN", "LOG" or "DISP" to say what the pixel values mean, or None for what the header says.
    """

    model: str = "compact"
    settings: DeblurSettings = field(default_factory=DeblurSettings)
    subtraction: str = "auto"
    maskFrames: tuple[int, ...] | None = None
    relationship: str | None = None


class Job:
    """A deblurring under way. `discard` must be called at its end, whatever that end is.

    Raises (on creation):
        ValueError: one sentence, if the node or the choices are not usable.
        OSError: if the temporary folder cannot be written.
    """

    def __init__(self, node, options: Options) -> None:
        self._options = options
        self._run: InputRun = readInput(node)
        self._facts: DicomFacts = factsForRun(self._run, options.relationship)
        self._plan, note = planFor(self._run, self._facts, options)
        self.notes = tuple(filter(None, (self._facts.note, note)))
        self._checkRange()
        # A subtraction of values that nothing explains takes them as they are, as for display values.
        self._relationship = self._facts.relationship or options.relationship or ("DISP" if self._plan else None)
        self._nodeID = self._run.node.GetID()
        self._folder = Path(tempfile.mkdtemp(prefix="dsad-", dir=slicer.app.temporaryPath))

    def request(self) -> dict:
        """Write the frames and return the message for the worker."""
        frames = StoredFrames(self._run.frames, self._facts.rule)
        path = self._folder / "in.npy"
        with FrameFile.create(path, frames.shape, frames.dtype) as file:
            for i in range(len(frames)):
                file[i] = frames[i]
        return {
            "frames": str(path),
            "output": str(self._folder / "out.npy"),
            "model": self._options.model,
            "settings": self._settings().as_dict(),
            "relationship": self._relationship,
            "bits_stored": self._facts.bitsStored,
            "subtraction": self._plan.as_dict() if self._plan else None,
        }

    def _settings(self) -> DeblurSettings:
        """The user's, with the width of the blur by the header where there is one."""
        header = self._facts.header
        return self._options.settings.told(header.acquisition.removable_blur_px() if header else None)

    def isOrphan(self) -> bool:
        """True when the source node is gone, with the scene or alone."""
        return slicer.mrmlScene.GetNodeByID(self._nodeID) is not self._run.node

    def finish(self, message: dict):
        """Put the worker's result into the scene and return the derived node.

        Raises:
            ValueError: one sentence, if the source is gone or the result does not fit it.
        """
        if self.isOrphan():
            raise ValueError(_("The input was removed from the scene; the result was discarded."))
        name = _("{name} deblurred").format(name=self._run.node.GetName())
        with FrameFile.open(message["output"]) as file:
            rule, dtype = self._facts.rule, self._run.frames.dtype
            frames = file
            if rule is not None and self._plan is None:
                frames = ComputedFrames(len(file), lambda i: rule.toNode(file[i], dtype))
            return addDerived(
                self._run,
                frames,
                message["frame_numbers"],
                name=slicer.mrmlScene.GenerateUniqueName(name),
                attributes=self._attributes(message),
                subtracted=self._plan is not None,
            )

    def discard(self) -> None:
        """Remove the temporary files."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _attributes(self, message: dict) -> dict[str, str]:
        attributes = {
            "Role": "deblurred",
            "ResearchUseOnly": "true",
            "Model": message["model"],
            "ModelSHA256": message["model_sha256"],
            "SoftwareVersion": __version__,
            "Settings": json.dumps(self._options.settings.as_dict()),
            "Device": message["device"],
            "Precision": message["precision"],
            "BlurPixels": " ".join(f"{width:.2f}" for width in message["blur_px"] or ()),
            "SourceNodeID": self._nodeID,
            "SourceName": self._run.node.GetName(),
            "SourceInstanceUID": " ".join(self._run.instanceUIDs),
            "Relationship": self._relationship or "",
            "FrameNumbers": " ".join(str(number) for number in message["frame_numbers"]),
            "Notices": " ".join((*self.notes, *message["notices"])),
        }
        if self._plan is not None:
            attributes["Subtraction"] = json.dumps(self._plan.as_dict())
        return attributes

    def _checkRange(self) -> None:
        chosen = self._options.settings.frames
        if chosen and chosen[1] > len(self._run.frames):
            raise ValueError(
                _("The run has {count} frames; frames {first} to {last} were asked for.").format(
                    count=len(self._run.frames), first=chosen[0], last=chosen[1]
                )
            )


def planFor(run: InputRun, facts: DicomFacts, options: Options):
    """(SubtractionPlan or None, one sentence for the status line or "").

    Raises:
        ValueError: one sentence, if the subtraction asked for is not possible.
    """
    from DSADeblurLib.xa import SubtractionPlan, XAReadError, plan_subtraction

    if facts.header is not None:
        try:
            plan = plan_subtraction(facts.header, options.subtraction, options.maskFrames)
        except XAReadError as error:
            raise ValueError(str(error)) from error
        return plan, " ".join(plan.notes) if plan else ""
    if options.subtraction == "never" or (options.subtraction == "auto" and not options.maskFrames):
        return None, ""
    if not options.maskFrames:
        raise ValueError(_("No header tells the mask frames of this run; enter mask frames to subtract."))
    outside = [number for number in options.maskFrames if not 1 <= number <= len(run.frames)]
    if outside:
        raise ValueError(_("Mask frame {number} does not exist.").format(number=outside[0]))
    everyFrame = tuple(range(1, len(run.frames) + 1))
    plan = SubtractionPlan.single(options.maskFrames, everyFrame)
    if options.relationship in ("LIN", "LOG"):
        return plan, ""
    return plan, _("Pixel values of unknown meaning were subtracted as they are; the result is not quantitative.")
