"""Tiles of a frame with a halo wide enough that the tiled result equals the whole-frame result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from DSADeblurLib.restoration.architecture import SMALLEST_SIDE

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Tile:
    """One tile: what it reads of the padded frame, what it keeps of its result, and where that belongs.

    Attributes:
        read: rows and columns of the padded frame given to the network; starts and lengths are multiples of the
            network's, so that pixel-unshuffle and halving see the same phase as in the whole frame.
        keep: rows and columns of the network's result that are exact.
        core: rows and columns of the padded frame where they belong; the cores cover it once.
    """

    read: Window
    keep: Window
    core: Window


def pad_to_multiple(frame: np.ndarray, multiple: int) -> np.ndarray:
    """Frame (rows, cols) reflected at the bottom and right until both sides are multiples.

    This is done once per frame and before tiling, so that a tile at the border sees what the whole frame sees.
    """
    below, right = (-side % multiple for side in frame.shape)
    return np.pad(frame, ((0, below), (0, right)), mode="reflect") if below or right else frame


def plan_tiles(shape: tuple[int, int], tile: int | None, halo: int, multiple: int) -> tuple[Tile, ...]:
    """Tiles that cover a frame.

    Args:
        shape: (rows, cols) of the padded frame, both multiples of `multiple` and at least 16.
        tile: side of the cores in pixels, rounded down to a multiple of `multiple`; None for the whole frame.
        halo: pixels that a tile reads beyond its core, at least the receptive radius of the network; rounded up
            to a multiple of `multiple`, and cut off at the frame's border.
        multiple: of the network: what it halves and unshuffles must start and end at multiples of it.

    Returns:
        The tiles, row by row.

    Raises:
        ValueError: one sentence, if the shape does not fit.
    """
    if any(side % multiple or side < SMALLEST_SIDE for side in shape):
        raise ValueError(
            f"Tiles need frames with sides of at least {SMALLEST_SIDE} pixels that {multiple} divides, "
            f"not {shape[0]} x {shape[1]}."
        )
    halo = -(-halo // multiple) * multiple
    rows, cols = (_spans(side, tile, halo, multiple) for side in shape)
    return tuple(Tile(*zip(row, col, strict=True)) for row in rows for col in cols)


def _spans(side: int, tile: int | None, halo: int, multiple: int) -> list[tuple[slice, slice, slice]]:
    """(read, keep, core) of every tile along one side."""
    step = side if tile is None else max(tile // multiple, 1) * multiple
    spans = []
    for start in range(0, side, step):
        stop = min(start + step, side)
        first, last = max(start - halo, 0), min(stop + halo, side)
        if last - first < SMALLEST_SIDE:
            last = min(max(last, first + SMALLEST_SIDE), side)
            first = max(min(first, last - SMALLEST_SIDE), 0)
        spans.append((slice(first, last), slice(start - first, stop - first), slice(start, stop)))
    return spans
