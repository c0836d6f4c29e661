"""The matched filter answers with the contrast, keeps its false-alarm rate and is as sensitive as theory says."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from DSADeblurLib.lab.image_quality.detection import Site, noise_threshold, vessel_responses

WIDTH = 3.0


def vessel(angle, contrast, centre=(50.3, 49.6), size=100):
    y, x = np.indices((size, size))
    across = -(y - centre[0]) * math.sin(angle) + (x - centre[1]) * math.cos(angle)
    site = Site(centre, (math.cos(angle), math.sin(angle)))
    return -contrast * np.exp(-4 * math.log(2) * (across / WIDTH) ** 2), site


@settings(max_examples=30)
@given(angle=st.floats(0, 2 * math.pi), contrast=st.floats(0.001, 1), slope=st.floats(-0.01, 0.01))
def test_response_is_the_peak_contrast_whatever_the_background(angle, contrast, slope):
    image, site = vessel(angle, contrast)
    image = image + 0.4 + slope * np.arange(100)
    assert vessel_responses(image, (site,), width=WIDTH)[0] == pytest.approx(contrast, rel=0.01, abs=1e-6)


def test_empty_sites_and_bright_lines_do_not_respond():
    image, site = vessel(0.2, 0.3)
    away = Site((50.0, 20.0), site.tangent)
    # One line crosses the filter far from this site only.
    assert abs(vessel_responses(image, (away,), width=WIDTH)[0]) < 1e-3
    assert vessel_responses(-image, (site,), width=WIDTH)[0] < -0.29


def test_false_alarms_and_misses_in_white_noise_follow_the_normal_law():
    rng = np.random.default_rng(1)
    sites = tuple(Site((float(r), float(c)), (1.0, 0.0)) for r in range(20, 480, 26) for c in range(20, 490, 20))
    quiet = vessel_responses(rng.normal(size=(500, 500)), sites, width=WIDTH)
    threshold = noise_threshold(quiet)
    fresh = vessel_responses(rng.normal(size=(500, 500)), sites, width=WIDTH)
    assert np.mean(fresh > threshold) == pytest.approx(0.05, abs=0.03)
    lines = np.zeros((500, 500))
    contrast = 2.5 * quiet.std()
    x = np.arange(500)
    for c in range(20, 490, 20):
        lines -= contrast * np.exp(-4 * math.log(2) * ((x - c) / WIDTH) ** 2)
    found = vessel_responses(lines + rng.normal(size=(500, 500)), sites, width=WIDTH)
    assert np.mean(found < threshold) == pytest.approx(stats.norm.cdf(1.645 - 2.5), abs=0.06)


def test_a_filter_that_leaves_the_image_is_nan():
    image, _ = vessel(0, 0.3)
    assert np.isnan(vessel_responses(image, (Site((3.0, 50.0), (1.0, 0.0)),), width=WIDTH)).all()


def test_too_few_places_are_refused():
    with pytest.raises(ValueError, match="too few"):
        noise_threshold(np.zeros(10))
