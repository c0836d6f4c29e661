"""One deblurring from a node to a derived node: what is sent to the worker, and what becomes of its answer."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from DSADeblurLib import __version__
from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.restoration.settings import DEFAULT_MODEL, DeblurSettings
from DSADeblurLib.user_facts import NOTHING_SAID, UserFacts
from DSADeblurScene.derived import addDerived
from DSADeblurScene.dicom_facts import DicomFacts, StoredFrames, factsForRun
from DSADeblurScene.input import ComputedFrames, InputRun, readInput


@dataclass(frozen=True)
class Options:
    """What the user chose.

    model: name of a bundled model, or a folder.
    settings: device, precision, tile, sharpness, noise reduction and frame range.
    subtraction: "auto", "always", "find" or "never".
    maskFrames: frame numbers counted from 1, or None for those of the header.
    maskShift: (rows, columns) in pixels with the signs of DICOM, or None for the header's.
    flipShift: take the header's shift with the other signs.
    registration: "none", "shift" or "deformation".
    order: one of DSADeblurLib.pipeline.ORDERS.
    said: what the user says about the run where its header is silent or wrong.
    """

    model: str = DEFAULT_MODEL
    settings: DeblurSettings = field(default_factory=DeblurSettings)
    subtraction: str = "auto"
    maskFrames: tuple[int, ...] | None = None
    maskShift: tuple[float, float] | None = None
    flipShift: bool = False
    registration: str = "none"
    order: str = "subtract-first"
    said: UserFacts = NOTHING_SAID


class Job:
    """A deblurring under way. `discard` must be called at its end, whatever that end is.

    Raises (on creation):
        ValueError: one sentence, if the node or the choices are not usable.
        OSError: if the temporary folder cannot be written.
    """

    def __init__(self, node, options: Options) -> None:
        self._options = options
        self._run: InputRun = readInput(node)
        self._facts: DicomFacts = factsForRun(self._run, options.said)
        self._plan, note = planFor(self._run, self._facts, options)
        self.notes = tuple(filter(None, (self._facts.note, note)))
        self._checkRange()
        self._frames = StoredFrames(self._run.frames, self._facts.rule)
        self._relationship = self._facts.relationship or options.said.relationship
        if self._plan is not None:
            self._frames, self._relationship = self._facts.framesToSubtract(self._run.frames, self._relationship)
        self._nodeID = self._run.node.GetID()
        self._folder = Path(tempfile.mkdtemp(prefix="dsad-", dir=slicer.app.temporaryPath))

    def request(self) -> dict:
        """Write the frames and return the message for the worker."""
        frames, path = self._frames, self._folder / "in.npy"
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
            "order": self._options.order,
            "exposed": self._exposed(),
        }

    def _exposed(self) -> str | None:
        """The file that says which part of the frames no shutter covers; None where that is all."""
        exposed = self._facts.header.exposed() if self._facts.header else None
        if exposed is None:
            return None
        path = self._folder / "exposed.npy"
        np.save(path, exposed, allow_pickle=False)
        return str(path)

    def _settings(self) -> DeblurSettings:
        """The user's, with the width of the blur that header and user give, if they do."""
        acquisition = self._facts.acquisition
        return self._options.settings.told(acquisition.removable_blur_px() if acquisition else None)

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
            "UserFacts": json.dumps(self._options.said.as_dict()),
            "FrameNumbers": " ".join(str(number) for number in message["frame_numbers"]),
            "Notices": " ".join((*self.notes, *message["notices"])),
        }
        if self._plan is not None:
            attributes["Subtraction"] = json.dumps(self._plan.as_dict())
            attributes["Order"] = self._options.order
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
    from DSADeblurLib.xa import XAReadError, plan_subtraction

    try:
        if facts.header is None:
            return _planWithoutHeader(run, facts, options)
        plan = plan_subtraction(
            facts.header,
            options.subtraction,
            options.maskFrames,
            frames=StoredFrames(run.frames, facts.rule),
            mask_shift=options.maskShift,
            flip_shift=options.flipShift,
            registration=options.registration,
        )
    except XAReadError as error:
        raise ValueError(str(error)) from error
    return plan, " ".join(plan.notes) if plan else ""


def _planWithoutHeader(run: InputRun, facts: DicomFacts, options: Options):
    from DSADeblurLib.xa import SubtractionPlan
    from DSADeblurLib.xa.subtraction.mask_choice import find_mask_frames

    if options.subtraction == "never" or (options.subtraction == "auto" and not options.maskFrames):
        return None, ""
    frames, relationship = facts.framesToSubtract(run.frames, options.said.relationship)
    notes, count = [], len(run.frames)
    if options.maskFrames:
        masks, contrast = options.maskFrames, range(1, count + 1)
    elif options.subtraction == "find":
        found = find_mask_frames(frames, relationship)
        masks, contrast = found.frames, range(found.frames[-1] + 1, count + 1)
        notes.append(found.note)
    else:
        raise ValueError(_("No header tells the mask frames of this run; enter mask frames to subtract."))
    outside = [number for number in masks if not 1 <= number <= count]
    if outside:
        raise ValueError(_("Mask frame {number} does not exist.").format(number=outside[0]))
    if relationship == "DISP":
        notes.append(_("Pixel values of unknown meaning were subtracted as they are; the result is not quantitative."))
    shift = options.maskShift or (0.0, 0.0)
    if abs(shift[0]) >= run.frames.shape[1] or abs(shift[1]) >= run.frames.shape[2]:
        raise ValueError(_("The mask shift is larger than the image."))
    plan = SubtractionPlan.single(masks, contrast, shift, registration=options.registration, notes=tuple(notes))
    return plan, " ".join(notes)
