"""The paper's recipe as published, and learning-rate schedules."""

import pytest

from DSADeblurLib.lab.training.recipes import COMPACT, PAPER, RECIPES


def test_paper_preset_is_the_published_schedule():
    # Geng et al. 2022: 350,000 patches of 40 x 40, batch 128, 50 epochs, Adam 1e-4 for 30 epochs, then 1e-5.
    assert (PAPER.patch, PAPER.batch) == (40, 128)
    epoch = 350_000 / 128
    assert PAPER.steps == pytest.approx(50 * epoch, abs=1)
    assert PAPER.rate(0) == 1e-4 and PAPER.rate(int(29.9 * epoch)) == 1e-4
    assert PAPER.rate(int(30.1 * epoch)) == pytest.approx(1e-5) and PAPER.rate(PAPER.steps - 1) == pytest.approx(1e-5)


def test_cosine_warms_up_and_ends_low():
    assert COMPACT.rate(0) < 0.01 * COMPACT.learning_rate
    assert COMPACT.rate(600) > 0.95 * COMPACT.learning_rate
    assert COMPACT.rate(COMPACT.steps - 1) < 0.02 * COMPACT.learning_rate


def test_names():
    assert all(name == recipe.name for name, recipe in RECIPES.items())
