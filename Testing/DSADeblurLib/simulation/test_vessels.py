"""Trees branch by Murray's law; lesions change what they should and nothing else."""

import numpy as np
import pytest

from DSADeblurLib.simulation import vessels
from DSADeblurLib.simulation.tubes import View

VIEW = View((256, 256), 0.3, 1100.0, 750.0)


@pytest.fixture(params=range(4))
def tree(request):
    rng = np.random.default_rng(request.param)
    return vessels.grow_tree(rng, VIEW, vessels.random_style(rng), 2.0)


def children(tree, parent):
    return [t for t in tree if t is not parent and np.array_equal(t.points_mm[0], parent.points_mm[-1])]


def test_murrays_law_at_every_full_bifurcation(tree):
    pairs = [(p, c) for p in tree if len(c := children(tree, p)) == 2]
    assert pairs
    for parent, both in pairs:
        # The wobble of each branch's radius is up to 4 % at its very start.
        cubes = sum(child.radii_mm[0] ** 3 for child in both)
        assert cubes == pytest.approx(parent.radii_mm[-1] ** 3, rel=0.15)


def test_children_are_joined_and_blood_flows_on(tree):
    for parent in tree:
        for child in children(tree, parent):
            assert child.distance_mm[0] == pytest.approx(parent.distance_mm[-1])
            assert np.all(np.diff(child.distance_mm) > 0)


def test_tree_enters_from_outside(tree):
    half = np.array(VIEW.field_mm[::-1]) / 2
    assert np.any(np.abs(tree[0].points_mm[0, :2]) > half)


def test_same_seed_same_vessels():
    first, second = (vessels.random_vessels(np.random.default_rng(5), VIEW) for _ in range(2))
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.points_mm, b.points_mm)


def test_stenosis_narrows_and_leaves_the_ends(tree):
    rng = np.random.default_rng(0)
    before = max(tree, key=lambda tube: len(tube.radii_mm))
    after = vessels.add_stenosis(rng, before)
    ratio = after.radii_mm / before.radii_mm
    assert 0.1 < ratio.min() < 0.75
    assert ratio.max() <= 1.0
    np.testing.assert_array_equal(after.points_mm, before.points_mm)


def test_contrast_without_diameter_dependence():
    rng = np.random.default_rng(1)
    tubes = vessels.grow_tree(rng, VIEW, vessels.TreeStyle(smallest_radius_mm=0.2), 1.5)
    decoupled = vessels.decouple_contrast(tubes, power=1.0)
    density = np.concatenate([tube.content * tube.radii_mm for tube in decoupled])
    assert density.std() / density.mean() < 0.01
