"""X-ray angiography DICOM: header facts, frames, subtraction, derived objects."""

from DSADeblurLib.errors import XAReadError, XASkipped, XAWriteError
from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa.derived.derived_object import Provenance, write_derived
from DSADeblurLib.xa.file.frame_stack import FrameStack
from DSADeblurLib.xa.file.stored_pixels import PixelChoices
from DSADeblurLib.xa.header.facts import Acquisition, Fact, read_acquisition
from DSADeblurLib.xa.header.header import RunHeader, Source, read_header
from DSADeblurLib.xa.header.mask_module import MaskItem, MaskModule
from DSADeblurLib.xa.header.motion import Motion
from DSADeblurLib.xa.header.shutters import Opening, exposed_pixels
from DSADeblurLib.xa.header.voi import VoiTable, Window, for_display, percentile_window
from DSADeblurLib.xa.run import Run, find_inputs, read_run
from DSADeblurLib.xa.subtraction.plan import PlannedMask, SubtractionPlan
from DSADeblurLib.xa.subtraction.planning import plan_subtraction
from DSADeblurLib.xa.subtraction.subtract import SubtractedFrames, for_subtraction, subtract

__all__ = [
    "Acquisition",
    "Fact",
    "FrameStack",
    "MaskItem",
    "MaskModule",
    "Motion",
    "Opening",
    "PixelChoices",
    "PlannedMask",
    "Provenance",
    "Run",
    "RunHeader",
    "Source",
    "SubtractedFrames",
    "SubtractionPlan",
    "UserFacts",
    "VoiTable",
    "Window",
    "XAReadError",
    "XASkipped",
    "XAWriteError",
    "exposed_pixels",
    "find_inputs",
    "for_display",
    "for_subtraction",
    "percentile_window",
    "plan_subtraction",
    "read_acquisition",
    "read_header",
    "read_run",
    "subtract",
    "write_derived",
]
