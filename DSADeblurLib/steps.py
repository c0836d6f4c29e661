"""Long work in steps: a generator gives way after each, and returns what was asked at its end."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]
"""Work that returns a T."""


def finished(steps: Steps[T]) -> T:
    """Do all steps at once and return what they return."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
