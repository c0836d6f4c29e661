"""The ordinal model finds the effects that were put in, and is statsmodels' own."""

import warnings

import numpy as np
import pytest

pytest.importorskip("statsmodels", reason="statsmodels is not installed")

import pandas
from statsmodels.miscmodels.ordinal_model import OrderedModel

from DSADeblurLib.study.ordinal_model import ordinal_effects


def ratings_of(patients, runs=1, effect=1.0, seed=0):
    """Levels by a cumulative logit with an effect of the arm, and a part that runs of a patient have in common."""
    rng = np.random.default_rng(seed)
    rows = []
    for patient in range(patients):
        common = rng.normal(0, 1.0)
        for _ in range(runs):
            for arm in ("original", "deblurred"):
                latent = common + effect * (arm == "deblurred") + rng.logistic()
                level = 1 + np.searchsorted([-2, -0.5, 0.5, 2], latent)
                rows.append({"level": level, "patient": patient, "arm": arm, "reader": "R1", "group": "AN"})
    return pandas.DataFrame(rows)


def test_effects_are_statsmodels():
    ratings = ratings_of(80)
    (name, found), *others = ordinal_effects(ratings, resamples=40).items()
    design = (ratings["arm"] == "deblurred").to_numpy(float)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = OrderedModel(ratings["level"], design, distr="logit").fit(method="bfgs", disp=False)
    assert name == "arm deblurred against original" and not others
    assert found.value == pytest.approx(theirs.params.iloc[0], abs=1e-4)
    assert found.low < found.value < found.high and found.low > 0


def test_no_effect_is_within_its_interval():
    found = ordinal_effects(ratings_of(60, effect=0.0, seed=4), resamples=60)["arm deblurred against original"]
    assert found.low < 0 < found.high


def test_what_cannot_be_told_is_left_out():
    ratings = ratings_of(5)
    assert ordinal_effects(ratings.assign(level=3)) == {}
    assert ordinal_effects(ratings[ratings["arm"] == "original"]) == {}
