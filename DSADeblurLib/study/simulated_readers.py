"""Readers with known bias and agreement: a normal model of what they judge, cut into levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from DSADeblurLib.request import RequestError


@dataclass(frozen=True)
class SimulatedReaders:
    """How readers judge.

    The quality of a case is a standard normal number that all readers see in part: what two of them see is correlated
    by `correlation`. Each adds his bias, and cuts the sum into levels.

    Attributes:
        shares: of the levels 1 to 5 for a reader without bias; any positive scale.
        biases: of each reader, in standard deviations.
        correlation: from 0 to 1.
    """

    shares: tuple[float, ...]
    biases: tuple[float, ...] = (0.0, 0.0)
    correlation: float = 0.5

    def __post_init__(self) -> None:
        if len(self.shares) != 5 or min(self.shares) < 0 or not 0 < sum(self.shares) < np.inf:
            raise RequestError("The shares of levels are five numbers, none below 0, and not all 0.")

    @property
    def cuts(self) -> np.ndarray:
        """Where the normal scale is cut, (4,)."""
        return stats.norm.ppf(np.clip(np.cumsum(self.shares)[:4] / np.sum(self.shares), 0, 1))

    def level_shares(self, reader: int) -> np.ndarray:
        """The true shares of the levels of one reader, (5,)."""
        return np.diff(stats.norm.cdf(self.cuts - self.biases[reader]), prepend=0, append=1)

    def joint_shares(self, first: int, second: int) -> np.ndarray:
        """How often the first of two readers says one level and the second another, (5, 5)."""
        edges = [
            np.concatenate([[-8.0], np.clip(self.cuts - self.biases[one], -8, 8), [8.0]]) for one in (first, second)
        ]
        both = stats.multivariate_normal([0, 0], [[1, self.correlation], [self.correlation, 1]])
        grid = np.array([[both.cdf([one, other]) for other in edges[1]] for one in edges[0]])
        return np.diff(np.diff(grid, axis=0), axis=1)

    def draw(self, rng: np.random.Generator, *cases: int) -> np.ndarray:
        """Levels of cases, int (readers, *cases)."""
        common = np.sqrt(self.correlation) * rng.standard_normal(cases)
        own = np.sqrt(1 - self.correlation) * rng.standard_normal((len(self.biases), *cases))
        bias = np.reshape(self.biases, (-1, *(1 for _ in cases)))
        return 1 + np.searchsorted(self.cuts, common + own + bias)
