"""How many cases a paired study needs for a wished power, by simulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats

from DSADeblurLib.request import RequestError
from DSADeblurLib.study.simulated_readers import SimulatedReaders

ALPHA = 0.05
FEWEST, MOST = 5, 500


@dataclass(frozen=True)
class Expected:
    """What is expected: shares of the levels 1 to 5 in each group, readers, groups, the readers' correlation."""

    shares: tuple[float, ...]
    readers: int = 2
    groups: int = 4
    correlation: float = 0.5


def plan_cases(
    expected: Expected, power: float = 0.8, simulations: int = 1000, seed: int = 1
) -> tuple[list[dict[str, float]], int | None]:
    """Find the fewest cases a group with which each reader's signed-rank test is significant as often as wished.

    p is adjusted by Holm over readers and groups, as the analysis does; the effect is the same in all groups, and each
    case is of a patient of his own.

    Returns:
        Rows of cases, the power of one reader in one group (`one_reader`), and that all readers are significant in one
        group (`every_reader`); and the fewest cases at which the latter is as wished, None where `MOST` are too few.

    Raises:
        RequestError: one sentence, for an impossible wish.
    """
    if not 0 < power < 1:
        raise RequestError(f"The power is a number above 0 and below 1, not {power:g}.")
    readers = SimulatedReaders(expected.shares, (0.0,) * expected.readers, expected.correlation)
    rows: dict[int, dict[str, float]] = {}

    def enough(cases: int) -> bool:
        if cases not in rows:
            rows[cases] = {"cases": cases, **_power(readers, expected.groups, cases, simulations, seed)}
        return rows[cases]["every_reader"] >= power

    needed = _fewest(enough)
    return [rows[cases] for cases in sorted(rows)], needed


def _fewest(enough: Callable[[int], bool]) -> int | None:
    low, high = FEWEST - 1, FEWEST
    while not enough(high):
        if high == MOST:
            return None
        low, high = high, min(2 * high, MOST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _power(readers: SimulatedReaders, groups: int, cases: int, simulations: int, seed: int) -> dict[str, float]:
    levels = readers.draw(np.random.default_rng([seed, cases]), simulations, groups, cases)
    counts = np.stack([(levels == level).sum(axis=-1) for level in (1, 2, 4, 5)], axis=-1)
    unique, place = np.unique(counts.reshape(-1, 4), axis=0, return_inverse=True)
    p = np.array([signed_rank_of_counts(*map(int, one)) for one in unique])[place].reshape(counts.shape[:-1])
    families = np.moveaxis(p, 1, 0)  # simulations, readers, groups
    significant = holm(families.reshape(simulations, -1)).reshape(families.shape) <= ALPHA
    return {
        "one_reader": float(significant.mean()),
        "every_reader": float(significant.all(axis=1).mean()),
    }


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p of families of tests, (families, tests). Source: Holm 1979."""
    order = np.argsort(p, axis=1)
    steps = np.take_along_axis(p, order, axis=1) * np.arange(p.shape[1], 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(steps, axis=1), 1)
    return np.take_along_axis(adjusted, np.argsort(order, axis=1), axis=1)


@cache
def signed_rank_of_counts(lowest: int, low: int, high: int, highest: int) -> float:
    """p of `level_tests.signed_rank` for counts of the levels 1, 2, 4 and 5, each of a patient of his own."""
    small, large = low + high, lowest + highest
    # Twice the mean ranks, so that sums are whole numbers.
    sums = np.arange(small + 1)[:, None] * (small + 1) + np.arange(large + 1) * (2 * small + large + 1)
    chances = stats.binom.pmf(np.arange(small + 1), small, 0.5)[:, None] * stats.binom.pmf(
        np.arange(large + 1), large, 0.5
    )
    found = sums[high, highest]
    return min(1.0, 2 * float(min(chances[sums <= found].sum(), chances[sums >= found].sum())))
