"""Whether a run can be worked on in the memory that is free, decided from its header before anything is decoded."""

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.free_memory import available_bytes
from DSADeblurLib.xa.file.stored_pixels import StoredPixels

# Reading, subtraction and registration hold up to eight frames of double precision, whatever the run's length.
_WORKING_BYTES_PER_PIXEL = 8 * 8


def needed_bytes(stored: StoredPixels) -> int:
    """Return the memory that working on the run frame by frame takes: some decoded frames, and one compressed."""
    largest = max((sum(length for _, length in pieces) for pieces in stored.fragments or ()), default=0)
    return stored.rows * stored.columns * _WORKING_BYTES_PER_PIXEL + 2 * largest


def check_memory(stored: StoredPixels) -> None:
    """Check that there is enough memory to work on this run.

    Raises:
        XAReadError: one sentence, when there is not.
    """
    needed, available = needed_bytes(stored), available_bytes()
    if available is not None and needed > available:
        raise XAReadError(
            f"Not enough memory: frames of {stored.rows} x {stored.columns} pixels need about "
            f"{needed // 2**20} MiB to work on, {available // 2**20} MiB are free."
        )
