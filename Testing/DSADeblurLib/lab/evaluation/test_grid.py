"""Cases of one frame differ in noise alone, have the blur they were asked for, and give the exact frame."""

import numpy as np
import pytest

from DSADeblurLib.lab.evaluation.grid import BLURS, NOISE_FREE, draw_cases, draw_paper_case
from DSADeblurLib.lab.simulation.sets import NOISE


@pytest.fixture(scope="module")
def cases():
    return draw_cases("validation", 0, "subtracted", BLURS[2], (*NOISE, NOISE_FREE), 96, moments=3)


def test_truth_and_exact_frame_are_common_to_all_noise_levels(cases):
    for case in cases.values():
        np.testing.assert_array_equal(case.truth, cases["quiet"].truth)
        np.testing.assert_array_equal(case.exact, cases["quiet"].exact)
        assert case.frames.shape == (3, 96, 96) and case.known.psf.sum() == pytest.approx(1, abs=1e-3)
    np.testing.assert_array_equal(cases[NOISE_FREE].frames[1], cases["quiet"].exact)


def test_noise_grows_from_quiet_to_clinical_around_the_exact_frame(cases):
    error = [float(np.std(cases[noise].frames[1] - cases[noise].exact)) for noise in NOISE]
    assert error[0] < error[1] < error[2]
    assert abs(np.mean(cases["quiet"].frames[1] - cases["quiet"].exact)) < 0.002


def test_wider_blur_is_wider():
    widths = []
    for blur in BLURS[:4]:
        case = draw_cases("validation", 1, "native", blur, ("quiet",), 64)["quiet"]
        rows, cols = np.indices(case.known.psf.shape)
        spread = [np.sqrt(12 * (case.known.psf * (axis - (axis.max() / 2)) ** 2).sum()) for axis in (rows, cols)]
        # A rectangle of width w has the variance w^2 / 12, of which one pixel's is the kernel's own.
        widths.append(np.sqrt(np.prod(spread)))
        assert blur.px[0] - 0.7 < widths[-1] < blur.px[1] + 1.2
    assert (np.diff(widths) > 0).all()


def test_the_papers_case_is_noisy_around_its_exact_frame():
    case = draw_paper_case("validation", 0, 128)
    noise = case.frames[0] - case.exact
    assert 0.001 < noise.std() < 0.2 and abs(noise.mean()) < 0.02
    assert np.std(case.exact - case.truth) > 0
