"""Phantoms hold what they say: widths, contrasts, places and edges."""

import numpy as np
import pytest

from DSADeblurLib.lab.evaluation.phantoms import phantom_widths
from DSADeblurLib.lab.simulation.pairs import acquire_pair
from DSADeblurLib.lab.simulation.phantom import DIAMETERS_MM, detection_phantom, edge_phantom, still_run, vessel_phantom


def test_vessels_have_their_widths():
    phantom = vessel_phantom(same_contrast=True)
    pair = acquire_pair(phantom.scene, phantom.conditions, "subtracted", np.random.default_rng(0))
    widths = phantom_widths(phantom, pair.truth)
    scale = phantom.scene.view.magnification(0.0) / phantom.scene.view.spacing_mm
    expected = 0.866 * np.array(DIAMETERS_MM) * scale
    # The micro spot and the detector widen the thinnest; the others are as wide as they are.
    assert np.all(np.diff(widths) > 0) and widths[0] > 1.1 * expected[0]
    np.testing.assert_allclose(widths[2:], expected[2:], rtol=0.06)


def test_same_contrast_is_the_same():
    for same, least, most in ((True, 0.9, 1.1), (False, 3.0, 3.6)):
        phantom = vessel_phantom(same_contrast=same)
        line = phantom.scene.iodine[0].sum(axis=0)[255]
        peaks = [line[int(c) - 8 : int(c) + 9].max() for _, c in phantom.points]
        assert least < peaks[-1] / peaks[3] < most


def test_thin_vessels_lie_at_their_sites_and_nowhere_else():
    phantom = detection_phantom(0.1, 256)
    image = phantom.scene.iodine[0].sum(axis=0)
    assert image.max() == pytest.approx(0.1, rel=0.1)
    for sites, expected in ((phantom.vessels, 0.1), (phantom.empty, 0.0)):
        assert len(sites) >= 12
        for site in sites:
            row, column = (int(round(x)) for x in site.point)
            np.testing.assert_allclose(image[row, column - 1 : column + 2].max(), expected, atol=0.02)
    assert detection_phantom(0.0, 256).scene.iodine.max() == 0


@pytest.mark.parametrize("upright", [True, False])
def test_the_edge_runs_through_the_middle_in_its_direction(upright):
    phantom = edge_phantom(upright, 0.3, 128)
    image = phantom.scene.iodine[0].sum(axis=0)
    image = image if upright else image.T
    place = 128 - image.sum(axis=1) / 0.3
    slope, middle = np.polyfit(np.arange(128) - 63.5, place, 1)
    assert middle == pytest.approx(64, abs=0.05)
    assert slope == pytest.approx(phantom.tangent[1] if upright else phantom.tangent[0], abs=1e-3)


def test_a_still_run_is_one_moment_over_and_over():
    scene = still_run(vessel_phantom(False, 128).scene, 5)
    assert scene.moments == 5 and (scene.iodine == scene.iodine[2]).all()
