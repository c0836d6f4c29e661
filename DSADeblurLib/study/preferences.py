"""Several arms on one scale, from comparisons of two: the model of Bradley and Terry."""

from __future__ import annotations

import numpy as np

from DSADeblurLib.measurement.stenosis import Range
from DSADeblurLib.study.clustered import bootstrapped, by_patient

# Wins that each of two arms gets beside those it has, so that an arm that always wins has a finite place.
HALF_A_WIN = 0.5
_ROUNDS = 5000
_SMALLEST_STEP = 1e-12


def bradley_terry(wins: np.ndarray, added: float = HALF_A_WIN) -> np.ndarray:
    """Logarithm of each arm's worth over the first one's; the difference of two is the log odds of preferring one.

    Args:
        wins: (b, k, k) of b sets of k arms, how often one was preferred to another; half for a draw.
        added: to each pair that met, see `HALF_A_WIN`; 0 gives the maximum of the likelihood.

    Returns:
        (b, k).

    Source: Bradley and Terry 1952, doi:10.2307/2334029; the iteration: Hunter 2004, doi:10.1214/aos/1079120141.
    """
    wins = wins + added * (wins + wins.swapaxes(1, 2) > 0)
    won, met = wins.sum(axis=2), wins + wins.swapaxes(1, 2)
    worth = np.ones_like(won)
    for _ in range(_ROUNDS):
        before, worth = worth, won / (met / (worth[:, :, None] + worth[:, None, :])).sum(axis=2)
        worth /= np.exp(np.log(worth).mean(axis=1, keepdims=True))
        if np.abs(np.log(worth / before)).max() < _SMALLEST_STEP:
            break
    return np.log(worth / worth[:, :1])


def worths(
    arms: list[str],
    first: np.ndarray,
    second: np.ndarray,
    preferred: np.ndarray,
    patients: np.ndarray,
    resamples: int,
) -> dict[str, Range]:
    """The place of each arm but the first, with its interval over patients.

    Args:
        arms: their names; the first is the zero.
        first, second: (n,), the names of the two that were compared.
        preferred: (n,), 1 where the first was preferred, 0 the second, 0.5 neither.
        patients: (n,).
        resamples: of the bootstrap.
    """
    place = {name: number for number, name in enumerate(arms)}
    one, other = np.array([place[name] for name in first]), np.array([place[name] for name in second])
    counts = np.zeros((len(one), len(arms), len(arms)))
    rows = np.arange(len(one))
    counts[rows, one, other], counts[rows, other, one] = preferred, 1 - preferred
    counts = by_patient(patients, counts)
    return {
        arm: bootstrapped(counts, lambda sums, number=number: bradley_terry(sums)[:, number], resamples)  # type: ignore[misc]
        for arm, number in place.items()
        if number
    }
