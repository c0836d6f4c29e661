"""Stored values of a derived run back in their own unit, by its Real World Value Mapping (PS3.3 C.7.6.16.2.11)."""

import os

import numpy as np

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.xa.file.reading import reading
from DSADeblurLib.xa.header.header import read_dataset
from DSADeblurLib.xa.run import read_run


def read_mapped(path: str | os.PathLike) -> np.ndarray:
    """Return all frames of a run as float32 (n, rows, columns) in the unit of its mapping, here optical density.

    Raises XAReadError when the file cannot be read or has no single linear mapping.
    """
    with reading(), read_run(path) as run:
        dataset, _ = read_dataset(run.stored_pixels.file)
        items = dataset.get("RealWorldValueMappingSequence") or ()
        if len(items) != 1 or "RealWorldValueSlope" not in items[0]:
            raise XAReadError("The run has no linear Real World Value Mapping; its values have no unit.")
        slope, intercept = float(items[0].RealWorldValueSlope), float(items[0].RealWorldValueIntercept)
        return np.stack([(frame * slope + intercept).astype(np.float32) for frame in run.frames])
