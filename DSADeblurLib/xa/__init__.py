"""X-ray angiography DICOM: header facts, frames, subtraction, derived objects."""

from DSADeblurLib.user_facts import UserFacts
from DSADeblurLib.xa.derived import Provenance, write_derived
from DSADeblurLib.xa.errors import XAReadError, XASkipped, XAWriteError
from DSADeblurLib.xa.facts import Acquisition, Fact, read_acquisition
from DSADeblurLib.xa.header import RunHeader, Source, read_header
from DSADeblurLib.xa.layout import PixelChoices
from DSADeblurLib.xa.mask import MaskItem, MaskModule
from DSADeblurLib.xa.motion import Motion
from DSADeblurLib.xa.pixels import FrameStack
from DSADeblurLib.xa.plan import PlannedMask, SubtractionPlan
from DSADeblurLib.xa.planning import plan_subtraction
from DSADeblurLib.xa.run import Run, find_inputs, read_run
from DSADeblurLib.xa.shutters import Opening, exposed_pixels
from DSADeblurLib.xa.simulated import write_simulated_run
from DSADeblurLib.xa.subtraction import SubtractedFrames, for_subtraction, subtract
from DSADeblurLib.xa.voi import VoiTable, Window, for_display, percentile_window

__all__ = [
    "Acquisition", "Fact", "FrameStack", "MaskItem", "MaskModule", "Motion", "Opening", "PixelChoices", "PlannedMask",
    "Provenance", "Run", "RunHeader", "Source", "SubtractedFrames", "SubtractionPlan", "UserFacts", "VoiTable",
    "Window",
    "XAReadError", "XASkipped", "XAWriteError", "exposed_pixels", "find_inputs", "for_display", "for_subtraction",
    "percentile_window", "plan_subtraction", "read_acquisition", "read_header", "read_run", "subtract", "write_derived",
    "write_simulated_run",
]
