"""Trees branch by Murray's law and fill the field in every direction; contrast may not go with the diameter."""

import numpy as np
import pytest

from DSADeblurLib.lab.simulation import vessels
from DSADeblurLib.lab.simulation.tubes import View
from DSADeblurLib.lab.simulation.veins import random_veins

pytestmark = pytest.mark.slow

VIEW = View((256, 256), 0.6, 1100.0, 750.0)


def grown(rng, style, radius_mm):
    """A tree that enters from the edge of the field."""
    return vessels.grow(rng, VIEW, style, vessels.roots(rng, VIEW, np.array([radius_mm])))


@pytest.fixture(params=range(4))
def tree(request):
    rng = np.random.default_rng(request.param)
    return grown(rng, vessels.random_style(rng, VIEW), 2.0)


def families(tree):
    """Each parent with the branches that start at its end."""
    starting = {}
    for tube in tree:
        starting.setdefault(tuple(tube.points_mm[0]), []).append(tube)
    return [(tube, starting.get(tuple(tube.points_mm[-1]), [])) for tube in tree]


def test_murrays_law_at_every_full_bifurcation(tree):
    pairs = [(parent, children) for parent, children in families(tree) if len(children) == 2]
    assert pairs
    for parent, both in pairs:
        # The wobble of each branch's radius is up to 4 % at its very start.
        cubes = sum(child.radii_mm[0] ** 3 for child in both)
        assert cubes == pytest.approx(parent.radii_mm[-1] ** 3, rel=0.27)


def test_children_are_joined_and_blood_flows_on(tree):
    assert any(children for _, children in families(tree))
    for parent, children in families(tree):
        for child in children:
            assert child.arrival_s[0] == pytest.approx(parent.arrival_s[-1])
            assert np.all(np.diff(child.arrival_s) > 0)


def test_side_branches_leave_from_a_vessel_and_are_thinner(tree):
    ends = {tuple(t.points_mm[-1]) for t in tree}
    places = {tuple(p): r for t in tree for p, r in zip(t.points_mm[1:-1], t.radii_mm[1:-1], strict=True)}
    side = [t for t in tree[1:] if tuple(t.points_mm[0]) not in ends]
    assert side
    assert all(t.radii_mm[0] < 0.6 * places[tuple(t.points_mm[0])] for t in side)


def test_tree_enters_from_outside(tree):
    half = np.array(VIEW.field_mm[::-1]) / 2
    assert np.any(np.abs(tree[0].points_mm[0, :2]) > half)


def test_no_direction_is_preferred():
    steps = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        tree = vessels.random_arteries(rng, VIEW)
        steps.append(np.concatenate([np.diff(t.points_mm[:, :2], axis=0) for t in tree if t.radii_mm[0] < 0.4]))
    # Direction without sign, doubled so that opposite ways count as one.
    angles = [2 * np.arctan2(s[:, 1], s[:, 0]) for s in steps]
    means = np.array([np.exp(1j * a).mean() for a in angles])
    assert np.abs(means.mean()) < 0.15


def test_same_seed_same_vessels():
    for make in (vessels.random_arteries, random_veins):
        first, second = (make(np.random.default_rng(5), VIEW) for _ in range(2))
        assert len(first) == len(second)
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a.points_mm, b.points_mm)


def test_contrast_without_diameter_dependence():
    rng = np.random.default_rng(1)
    tubes = grown(rng, vessels.TreeStyle(smallest_radius_mm=0.2), 1.5)
    decoupled = vessels.decouple_contrast(tubes, power=1.0)
    density = np.concatenate([tube.content * tube.radii_mm for tube in decoupled])
    assert density.std() / density.mean() < 0.01


def test_scattered_contrast_is_one_factor_a_branch(tree):
    scattered = vessels.scatter_contrast(np.random.default_rng(2), tree, 0.3)
    factors = np.array([np.unique(t.content).item() for t in scattered])
    assert np.log(factors).std() == pytest.approx(0.3, rel=0.4)
