"""Draws a run and its deblurred DICOM object in the compare layout: python demo_scene.py ORIGINAL DERIVED PICTURE.

Both files are loaded into a real MRML scene as Slicer loads them. Needs slicer-core, no Qt.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).resolve().parent), str(ROOT), str(ROOT / "DSADeblur")]

import dicomhost  # noqa: E402
import numpy as np  # noqa: E402
import pydicom  # noqa: E402
import viewhost  # noqa: E402
from mrmlhost import MRMLHost  # noqa: E402


def render_compare(
    original_dcm_path: str | Path, derived_dcm_path: str | Path, png_path: str | Path, frame: int | None = None
) -> Path:
    """Write a picture of original | deblurred | difference.

    Args:
        original_dcm_path: the source run.
        derived_dcm_path: what DSADeblur wrote for it. A subtracted result is shown as optical density, beside the
            source subtracted with the same mask.
        png_path: the picture.
        frame: number in the source run, counted from 1; None takes the frame with most contrast.

    Raises:
        ValueError: one sentence, if the second file was not derived from the first.
    """
    host = MRMLHost()
    try:
        derived = loadDerived(original_dcm_path, derived_dcm_path)
        from DSADeblurScene.compare import frameNumbersOf
        from DSADeblurScene.derived import sourceOf
        from DSADeblurScene.first_look import mostOpacified
        from DSADeblurScene.input import browserForSequence, readInput
        from DSADeblurScene.layouts import VIEWS, showSideBySide
        from DSADeblurScene.shown_frames import ShownFrames
        from DSADeblurScene.view_overlay import ViewOverlay

        if frame is None:
            frame = frameNumbersOf(derived)[mostOpacified(readInput(derived).frames)]
        viewhost.showFrame(browserForSequence(sourceOf(derived)), frame)
        shown = ShownFrames(derived, withChange=True)
        showSideBySide(shown.original, shown.deblurred, shown.change)
        shown.follow()
        for index, (tag, label) in enumerate(zip(VIEWS, shown.labels(), strict=True)):
            ViewOverlay(tag).setTexts(label, isLeftDeblurred=index > 0)
        viewhost.writePicture(png_path, viewhost.renderComparison(host, shown.change))
        shown.close()
        if host.errors.texts:
            raise RuntimeError(host.errors.texts[0])
    finally:
        host.close()
    return Path(png_path)


def loadDerived(original: str | Path, derived: str | Path):
    """Load a run and the object derived from it, and return the latter's node, in step with its source."""
    from DSADeblurLib.lazy_frames import MappedFrames
    from DSADeblurLib.xa import read_header
    from DSADeblurScene.derived import addDerived
    from DSADeblurScene.input import readInput

    header, dataset = read_header(original), pydicom.dcmread(derived, stop_before_pixels=True)
    references = {
        item.PurposeOfReferenceCodeSequence[0].CodeValue: item for item in dataset.get("SourceImageSequence", ())
    }
    used = references.get("121322")
    if used is None or used.ReferencedSOPInstanceUID != header.source.sop_instance_uid:
        raise ValueError(f"{derived} was not derived from {original}.")
    source = readInput(dicomhost.loadLikeSlicer(original))
    result = readInput(dicomhost.loadLikeSlicer(derived))
    plan = _plan(header, references.get("121321"))
    numbers = plan.contrast_frames if plan else tuple(range(1, header.number_of_frames + 1))
    # A range of frames was restored when there are fewer; averaging frames are listed too, so the first ones count.
    listed = {int(number) for number in np.atleast_1d(used.get("ReferencedFrameNumber", 1))}
    numbers = [number for number in numbers if number in listed][: len(result.frames)]
    attributes = {"FrameNumbers": " ".join(map(str, numbers)), "Relationship": header.relationship or ""}
    frames = result.frames
    if plan is not None:
        attributes["Subtraction"] = json.dumps(plan.as_dict())
        mapping = dataset.RealWorldValueMappingSequence[0]
        slope, intercept = float(mapping.RealWorldValueSlope), float(mapping.RealWorldValueIntercept)
        frames = MappedFrames(result.frames, lambda frame: frame * slope + intercept, np.float32)
    name = source.node.GetName() + " deblurred"
    return addDerived(source, frames, numbers, name=name, attributes=attributes, subtracted=plan is not None)


def _plan(header, maskItem):
    from DSADeblurLib.xa import plan_subtraction

    if maskItem is None:
        return None
    masks = tuple(int(number) for number in np.atleast_1d(maskItem.ReferencedFrameNumber))
    automatic = plan_subtraction(header, "auto")
    # The header's own plan also carries its shift; other masks were the user's choice.
    return automatic if automatic and automatic.mask_frames == masks else plan_subtraction(header, "always", masks)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    print(render_compare(*sys.argv[1:4]))
