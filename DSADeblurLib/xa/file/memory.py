"""Whether a run can be worked on in the memory that is free, decided from its header before anything is decoded."""

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.xa.file.stored_pixels import StoredPixels

# Reading, subtraction and registration hold up to eight frames of double precision, whatever the run's length.
_WORKING_BYTES_PER_PIXEL = 8 * 8


def needed_bytes(stored: StoredPixels) -> int:
    """Return the memory that working on the run frame by frame takes: some decoded frames, and one compressed."""
    largest = max((sum(length for _, length in pieces) for pieces in stored.fragments or ()), default=0)
    return stored.rows * stored.columns * _WORKING_BYTES_PER_PIXEL + 2 * largest


def available_bytes() -> int | None:
    """Return the memory this process can still get: free memory of the machine or what is left of its own limit.

    None where that cannot be told.
    """
    try:
        import psutil
    except ImportError:
        return None
    available = psutil.virtual_memory().available
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            available = min(available, max(limit - psutil.Process().memory_info().vms, 0))
    except ImportError:
        # Windows has no such limits.
        pass
    return available


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
