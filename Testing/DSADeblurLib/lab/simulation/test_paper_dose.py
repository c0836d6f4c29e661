"""Calibration of the paper's condition: figures of the set at hand, and constants that are what the command prints."""

import numpy as np
import pytest

from DSADeblurLib.lab.simulation.paper_dose import (
    PAPER_PSNR,
    PAPER_SSIM,
    calibrate,
    input_quality,
    matching_range,
    paper_like_ssim,
)
from DSADeblurLib.lab.simulation.sets import PAPER_DATA_RANGE, PAPER_NOMINAL_SPOTS_MM, PAPER_QUANTA, paper_pair

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pairs():
    return [paper_pair("validation", index, 256)[0] for index in range(4)]


def test_matching_range_gives_the_psnr_asked_for(pairs):
    for decibels in (25.0, PAPER_PSNR):
        assert input_quality(pairs, matching_range(pairs, decibels))[0] == pytest.approx(decibels, abs=1e-6)


def test_the_constants_are_calibrated():
    found = [paper_pair("validation", index)[0] for index in range(12)]
    decibels, similarity = input_quality(found, PAPER_DATA_RANGE)
    assert decibels == pytest.approx(PAPER_PSNR, abs=0.5) and similarity == pytest.approx(PAPER_SSIM, abs=0.01)


def test_paper_like_noise_leaves_the_similarity_that_the_paper_had():
    assert paper_like_ssim(frames=6) == pytest.approx(PAPER_SSIM, abs=0.015)


def test_calibration_finds_the_dose_between_its_bounds():
    quanta, data_range = calibrate(frames=1, size=128)
    pair = paper_pair("validation", 0, 128, quanta)[0]
    decibels, similarity = input_quality([pair], data_range)
    assert decibels == pytest.approx(PAPER_PSNR, abs=0.01) and similarity == pytest.approx(PAPER_SSIM, abs=0.005)


def test_paper_pairs_are_native_of_a_large_spot_and_repeatable():
    first, second = (paper_pair("test", 1, 96) for _ in range(2))
    np.testing.assert_array_equal(first[0].degraded, second[0].degraded)
    assert first[0].kind == "native"
    assert first[1].nominal_spot_mm in PAPER_NOMINAL_SPOTS_MM and first[1].quanta == pytest.approx(PAPER_QUANTA)
