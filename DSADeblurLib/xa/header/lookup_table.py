"""Look-up tables of headers to linear intensity: descriptor and data as numbers (PS3.3 C.11.1.1)."""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from DSADeblurLib.xa.file.elements import integers_of
from DSADeblurLib.xa.file.stored_pixels import StoredPixels


@dataclass(frozen=True, eq=False)
class LookupTable:
    """Outputs, float64 (k,), for the input values `first`, `first` + 1, ...

    Inputs below and above take the first and the last output.
    """

    first: int
    values: np.ndarray

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the output for every input value, float64 of the same shape."""
        index = np.clip(np.asarray(values, dtype=np.int64) - self.first, 0, len(self.values) - 1)
        return self.values[index]


def read_table(item: Dataset, stored: StoredPixels) -> LookupTable | None:
    """Return the table of one sequence item.

    Args:
        item: of a Modality LUT Sequence.
        stored: how stored values become frame values; the table is for the latter.

    Returns:
        The table, None when it is unusable.

    Source: PS3.3 C.11.1.1.
    """
    try:
        count, first, bits = integers_of(item, "LUTDescriptor") or (0, 0, 0)
        data = item.LUTData
        table = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.atleast_1d(np.asarray(data))
        count = count or 65536
        if bits == 8 and len(table) * 2 == count:
            # Two eight-bit entries are packed into one word.
            table = table.astype("<u2").view(np.uint8)
        if not 1 <= bits <= 16 or len(table) < count or table.dtype.kind not in "iu":
            return None
        values = table[:count].astype(np.float64)
    except Exception:
        # What pydicom raises on a broken table is of no interest: there is no table.
        return None
    if stored.signed:
        first = first - 65536 if first > 32767 else first
        first += stored.zero
    if stored.inverted:
        first, values = stored.top - (first + count - 1), values[::-1]
    return LookupTable(first, values)


def log_slope(table: LookupTable) -> float | None:
    """Return d ln(output) / d(input) of a table to linear intensity, None when it has no single slope.

    Its sign says whether higher values mean more or fewer X-rays.

    Source: PS3.3 C.8.7.1.1.2.
    """
    # Rounded small outputs say little about the slope.
    usable = table.values >= max(1.0, table.values.max() / 4096)
    if usable.sum() < 2 or np.ptp(table.values[usable]) == 0:
        return None
    slope = float(np.polyfit((table.first + np.arange(len(usable)))[usable], np.log(table.values[usable]), 1)[0])
    return slope if np.isfinite(slope) else None
