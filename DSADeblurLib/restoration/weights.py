"""Reads weights from a safetensors file without the package of that name: Slicer does not bring it.

The format (https://github.com/huggingface/safetensors): eight bytes, little endian, with the length of a JSON header;
the header, which maps each name to dtype, shape and the begin and end of its bytes; the bytes, without gaps. Nothing in
it is executed.
"""

from __future__ import annotations

import json
import math

import numpy as np

# A header of the largest network here has some ten thousand bytes.
_LARGEST_HEADER = 1 << 22


def read_weights(data: bytes) -> dict[str, np.ndarray]:
    """Arrays of a safetensors file, float32 only.

    Args:
        data: the whole file.

    Returns:
        Names and float32 arrays, which have memory of their own.

    Raises:
        ValueError: one sentence, if the file is not of this form to the last byte.
    """
    if len(data) < 8 or not 2 <= (length := int.from_bytes(data[:8], "little")) <= min(_LARGEST_HEADER, len(data) - 8):
        raise ValueError("The weights are not a safetensors file.")
    try:
        header = json.loads(data[8 : 8 + length])
        entries = {
            name: (entry["dtype"], [_whole(side) for side in entry["shape"]], *map(_whole, entry["data_offsets"]))
            for name, entry in header.items()
            if name != "__metadata__"
        }
        ordered = sorted(entries.items(), key=lambda item: item[1][2])
        body, position, arrays = memoryview(data)[8 + length :], 0, {}
        for name, (dtype, shape, begin, end) in ordered:
            if dtype != "F32" or begin != position or end - begin != 4 * math.prod(shape):
                raise ValueError(f"entry {name!r}")
            if end > len(body):
                raise ValueError("too short")
            arrays[name] = np.frombuffer(body[begin:end], dtype="<f4").astype(np.float32).reshape(shape)
            position = end
        if position != len(body):
            raise ValueError("too long")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError("The safetensors file of the weights is damaged.") from error
    return arrays


def _whole(number: object) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise ValueError(f"not a length: {number!r}")
    return number
