"""How often each test of a reader study finds a difference where there is none, and how often intervals hold the truth.

`make null-studies` prints it of 1000 simulated studies: four groups of 20 cases, two readers whose judgements correlate
by 0.5. In a null study better and worse are equally likely.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy import stats

from DSADeblurLib.study.harm import harm_of
from DSADeblurLib.study.level_tests import exact_share, hodges_lehmann, paper_test, sign_test, signed_rank, walsh_means
from DSADeblurLib.study.protocol import MIDDLE
from DSADeblurLib.study.reader_agreement import ac2, kappa, weights_of
from DSADeblurLib.study.sample_size import ALPHA, holm
from DSADeblurLib.study.simulated_readers import SimulatedReaders

NULL = SimulatedReaders((5, 20, 50, 20, 5), (0.0, 0.0), 0.5)
TRUTH = SimulatedReaders((3, 7, 30, 40, 20), (0.2, -0.2), 0.6)
GROUPS, CASES = 4, 20


@dataclass(frozen=True)
class Rate:
    """How often something happened, with its exact interval."""

    count: int
    of: int

    def __str__(self) -> str:
        share = exact_share(self.count, self.of)
        return f"{100 * share.value:5.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"

    @property
    def share(self) -> float:
        """Itself."""
        return self.count / self.of


def type_one_errors(studies: int, seed: int = 1, runs_of_patient: int = 1) -> dict[str, Rate]:
    """How often tests reject in null studies: each by itself, and, with Holm, at least one of a study.

    Args:
        studies: how many.
        seed: of the simulation.
        runs_of_patient: so many of the cases of a group are of one patient and alike, given the same levels.
    """
    rng, found, tested = np.random.default_rng(seed), Counter(), 0
    patients = np.arange(CASES) // runs_of_patient
    for _ in range(studies):
        levels = NULL.draw(rng, GROUPS, CASES // runs_of_patient).repeat(runs_of_patient, axis=-1)
        families: dict[str, list[float]] = {"signed rank": [], "sign": [], "Mann-Whitney of the paper": []}
        for one in levels.reshape(len(levels), -1):
            together = signed_rank(one - MIDDLE, np.arange(one.size) // runs_of_patient).p
            found["signed rank of all groups together", "each"] += together <= ALPHA
        for one in levels.reshape(-1, CASES):
            families["signed rank"].append(signed_rank(one - MIDDLE, patients).p)
            families["sign"].append(sign_test(one - MIDDLE, patients).p)
            families["Mann-Whitney of the paper"].append(paper_test(one).p)
        tested += len(families["sign"])
        for name, p in families.items():
            found[name, "each"] += int((np.array(p) <= ALPHA).sum())
            found[name, "Holm"] += int((holm(np.array([p])) <= ALPHA).any())
    together = "signed rank of all groups together"
    return {
        **{f"{name}, each": Rate(found[name, "each"], tested) for name in families},
        f"{together}, each": Rate(found[together, "each"], tested // GROUPS),
        **{f"{name}, any of a study after Holm": Rate(found[name, "Holm"], studies) for name in families},
    }


def coverages(studies: int, seed: int = 1, resamples: int = 1000, cases: int = 80) -> dict[str, Rate]:
    """How often the 95 % intervals hold what was put in, of studies with a true difference."""
    rng, found = np.random.default_rng(seed), Counter()
    truths = _truths()
    patients = np.arange(cases)
    for _ in range(studies):
        one, other = TRUTH.draw(rng, cases)
        intervals = {
            "share of levels 4-5": exact_share(int((one >= 4).sum()), cases),
            "share of level 5": exact_share(int((one == 5).sum()), cases),
            "Hodges-Lehmann": hodges_lehmann(one - MIDDLE),
            "weighted kappa, quadratic": kappa(one, other, patients, 5, "quadratic", resamples),
            "Gwet's AC2, quadratic": ac2(np.column_stack([one, other]), patients, 5, "quadratic", resamples),
        }
        for name, interval in intervals.items():
            found[name] += interval.low <= truths[name] <= interval.high
        found["upper limit of harm"] += harm_of(one, patients).upper >= truths["upper limit of harm"]
    return {name: Rate(found[name], studies) for name in truths}


def _truths() -> dict[str, float]:
    """What the intervals estimate, for a study without end."""
    shares, joint = TRUTH.level_shares(0), TRUTH.joint_shares(0, 1)
    weights = weights_of(5, "quadratic")
    by_chance = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    observed, expected = (joint * weights).sum(), (by_chance * weights).sum()
    both = (joint.sum(axis=0) + joint.sum(axis=1)) / 2
    for_ac2 = weights.sum() / 20 * (both * (1 - both)).sum()
    # The pseudomedian of many levels in their true shares.
    sample = np.repeat(np.arange(1, 6), np.rint(2000 * shares).astype(int)) - MIDDLE
    return {
        "share of levels 4-5": shares[3:].sum(),
        "share of level 5": shares[4],
        "Hodges-Lehmann": float(np.median(walsh_means(sample))),
        "weighted kappa, quadratic": (observed - expected) / (1 - expected),
        "Gwet's AC2, quadratic": (observed - for_ac2) / (1 - for_ac2),
        "upper limit of harm": shares[:2].sum(),
    }


def main(arguments: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="Type I errors and coverages of simulated reader studies.")
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    print(f"SIMULATED: {options.studies} null studies of {GROUPS} groups of {CASES} cases, two readers, p <= {ALPHA}")
    for name, rate in type_one_errors(options.studies, options.seed).items():
        print(f"  {name:55s} {rate}")
    print("  the same with two runs of each patient that are judged alike")
    for name, rate in type_one_errors(options.studies, options.seed, runs_of_patient=2).items():
        print(f"  {name:55s} {rate}")
    print(f"SIMULATED: 95 % intervals that hold the truth, of {options.studies} studies of 80 cases with a difference")
    for name, rate in coverages(options.studies, options.seed).items():
        print(f"  {name:55s} {rate}")
    quarter = stats.binom.ppf([0.025, 0.975], options.studies, 0.95) / options.studies
    print(f"  (a true 95 % is found between {100 * quarter[0]:.1f} and {100 * quarter[1]:.1f} %)")


if __name__ == "__main__":
    main()
