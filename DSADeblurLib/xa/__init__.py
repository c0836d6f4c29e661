"""X-ray angiography DICOM: header facts, frames, subtraction, derived objects."""

from DSADeblurLib.xa.derived import Provenance, write_derived
from DSADeblurLib.xa.errors import XAReadError, XAWriteError
from DSADeblurLib.xa.facts import Acquisition, Fact
from DSADeblurLib.xa.header import RunHeader, Source, read_header
from DSADeblurLib.xa.mask import MaskItem, MaskModule
from DSADeblurLib.xa.pixels import FrameStack
from DSADeblurLib.xa.plan import PlannedMask, SubtractionPlan
from DSADeblurLib.xa.planning import plan_subtraction
from DSADeblurLib.xa.run import Run, find_inputs, read_run
from DSADeblurLib.xa.simulated import write_simulated_run
from DSADeblurLib.xa.subtraction import SubtractedFrames, subtract

__all__ = [
    "Acquisition", "Fact", "FrameStack", "MaskItem", "MaskModule", "PlannedMask", "Provenance", "Run", "RunHeader",
    "Source", "SubtractedFrames", "SubtractionPlan", "XAReadError", "XAWriteError", "find_inputs", "plan_subtraction",
    "read_header", "read_run", "subtract", "write_derived", "write_simulated_run",
]
