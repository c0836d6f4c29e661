"""X-ray angiography DICOM: header facts, frames, subtraction, derived objects."""

from DSADeblurLib.errors import XAReadError, XASkipped, XAWriteError
from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa.derived.derived_object import Provenance, check_derived, write_derived
from DSADeblurLib.xa.header.facts import read_acquisition
from DSADeblurLib.xa.header.header import read_header
from DSADeblurLib.xa.one_frame_files import read_files, runs_of
from DSADeblurLib.xa.run import Run, find_inputs, may_be_dicom, not_followed, read_run
from DSADeblurLib.xa.subtraction.plan import SubtractionPlan
from DSADeblurLib.xa.subtraction.planning import plan_subtraction
from DSADeblurLib.xa.subtraction.subtract import for_subtraction, subtract

__all__ = [
    "Provenance",
    "Run",
    "SubtractionPlan",
    "UserFacts",
    "XAReadError",
    "XASkipped",
    "XAWriteError",
    "check_derived",
    "find_inputs",
    "for_subtraction",
    "may_be_dicom",
    "not_followed",
    "plan_subtraction",
    "read_acquisition",
    "read_files",
    "read_header",
    "read_run",
    "runs_of",
    "subtract",
    "write_derived",
]
