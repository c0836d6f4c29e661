"""A long run of DICOM frames to be read by benchmarks, written frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

from DSADeblurLib.lab.simulation.xa_object import write_simulated_run


def write_source(path: Path, frames: int, size: int, syntax: str) -> None:
    """Write a run of noisy 16-bit frames, the first two without contrast, through a file on disk."""
    rng = np.random.default_rng(1)
    scratch = np.memmap(path.with_suffix(".raw"), np.uint16, "w+", shape=(frames, size, size))
    base = rng.normal(30_000, 4_000, (size, size))
    for index in range(frames):
        scratch[index] = np.clip(np.roll(base, 7 * index, axis=1) * (0.9 if index > 1 else 1.0), 1, 65535)
    write_simulated_run(
        path,
        scratch,
        bits_stored=16,
        frame_time_ms=66.7,
        focal_spot_mm=0.6,
        sid_mm=1100.0,
        sod_mm=720.0,
        imager_pixel_spacing_mm=0.154,
        mask_frames=(1, 2),
        contrast_frames=range(3, frames + 1),
        transfer_syntax=JPEGLSLossless if syntax == "jpeg-ls" else ExplicitVRLittleEndian,
    )
    path.with_suffix(".raw").unlink()
