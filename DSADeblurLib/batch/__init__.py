"""Many runs: each is done exactly once, whatever is killed, and the manifest says what became of it."""

from DSADeblurLib.batch.folder import HIDDEN, OutputFull
from DSADeblurLib.batch.manifest import MANIFEST
from DSADeblurLib.batch.outcome import SUFFIX, Outcome
from DSADeblurLib.batch.run_batch import Batch, deblur_files, run_batch
from DSADeblurLib.batch.step import DeblurStep

__all__ = ["HIDDEN", "MANIFEST", "SUFFIX", "Batch", "DeblurStep", "Outcome", "OutputFull", "deblur_files", "run_batch"]
