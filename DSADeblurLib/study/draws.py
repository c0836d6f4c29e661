"""Numbers drawn from a seed and words: the same on every computer and with every version of every library."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeVar

_T = TypeVar("_T")


def draw(seed: int, *words: str) -> float:
    """A number from 0 to below 1 that seed and words alone decide, by SHA-256."""
    digest = hashlib.sha256("\0".join((str(seed), *words)).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def shuffled(seed: int, names: Iterable[_T], *words: str) -> list[_T]:
    """The names in an order that seed and words decide."""
    return sorted(names, key=lambda name: draw(seed, *words, str(name)))
