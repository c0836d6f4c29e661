"""Volumes: vessels come out as wide and as long as they were drawn in; what is missing is said in one sentence."""

import numpy as np
import pytest

from DSADeblurLib.lab.simulation.scene import SLAB_EDGES_MM, Scene
from DSADeblurLib.lab.simulation.tubes import View
from DSADeblurLib.lab.simulation.volumes import ENVIRONMENT, Volumes, project_ct, trace_vessels, volume_scene

nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
SPACING = 0.5


def ball_chain(shape, lines, radius_mm):
    """A mask with straight vessels between points in voxels."""
    places = np.stack(np.indices(shape), axis=-1) * SPACING
    mask = np.zeros(shape, bool)
    for start, stop in lines:
        start, stop = np.array(start) * SPACING, np.array(stop) * SPACING
        along = np.clip(((places - start) @ (stop - start)) / ((stop - start) ** 2).sum(), 0, 1)
        mask |= np.linalg.norm(places - start - along[..., None] * (stop - start), axis=-1) < radius_mm
    return mask


@pytest.fixture(scope="module")
def mask():
    lines = [((30, 30, 6), (30, 30, 40)), ((30, 30, 40), (50, 30, 62)), ((30, 30, 40), (10, 34, 64))]
    return ball_chain((60, 60, 70), lines, 1.6)


@pytest.fixture()
def folder(tmp_path, mask):
    ct = np.full((40, 40, 40), -1000, np.int16)
    ct[8:32, 8:32, 8:32] = 0
    ct[18:22, 18:22, 8:32] = 1200
    affine, coarse = np.diag([SPACING] * 3 + [1]), np.diag([1.5, 1.5, 1.5, 1])
    nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), affine), tmp_path / "a_arteries.nii.gz")
    nibabel.save(nibabel.Nifti1Image(mask[::-1].astype(np.uint8), affine), tmp_path / "a_veins.nii.gz")
    nibabel.save(nibabel.Nifti1Image(ct, coarse), tmp_path / "a_ct.nii")
    return tmp_path


def test_traced_vessels_have_the_radius_and_length_of_the_mask(mask):
    tubes, middle = trace_vessels(mask, (SPACING,) * 3)
    assert len(tubes) == 2
    assert np.median(tubes[0].radii_mm) == pytest.approx(1.6, rel=0.12)
    lengths = [np.linalg.norm(np.diff(tube.points_mm, axis=0), axis=1).sum() for tube in tubes]
    # 17 mm of trunk with the longer branch, then the other; a skeleton ends about a radius short.
    assert sum(lengths) == pytest.approx(0.5 * (34 + 2 * np.hypot(20, 23)), rel=0.2)
    assert np.all(middle > 0)


def test_blood_comes_from_the_low_end_and_branches_are_joined(mask):
    tubes, middle = trace_vessels(mask, (SPACING,) * 3)
    trunk, branch = tubes
    assert trunk.points_mm[0, 2] + middle[2] < 6 and np.all(np.diff(trunk.arrival_s) >= 0)
    gap = np.linalg.norm(trunk.points_mm - branch.points_mm[0], axis=1)
    assert gap.min() < 1.0
    assert branch.arrival_s[0] == pytest.approx(trunk.arrival_s[gap.argmin()], abs=0.02)


def test_tubes_are_smoother_than_their_voxels(mask):
    trunk = trace_vessels(mask, (SPACING,) * 3)[0][0]
    steps = np.diff(trunk.points_mm, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    assert (steps[1:] * steps[:-1]).sum(axis=1).min() > 0.9


def test_a_scene_shows_vessels_and_ct_with_the_same_middle_moment(folder):
    volumes = Volumes.load(folder)
    one, three = (volume_scene(np.random.default_rng(2), (96, 128), moments, volumes) for moments in (1, 3))
    assert isinstance(one, Scene) and three.moments == 3
    np.testing.assert_allclose(one.iodine[0], three.iodine[1], atol=2e-5)
    assert any(volume_scene(np.random.default_rng(s), (96, 128), 1, volumes).iodine.max() > 0.02 for s in range(4))
    assert one.static.max() > 0.1 and np.isfinite(one.static).all()


def test_ct_is_projected_by_its_thickness(folder):
    volumes = Volumes.load(folder)
    view = View((160, 160), 0.6, 1100.0, 750.0)
    image = project_ct(volumes, view, np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]), np.zeros(3))
    assert image.shape == (len(SLAB_EDGES_MM) + 1, 160, 160)
    # 24 voxels of 1.5 mm of water; the bone in the middle adds to it.
    total = image.sum(axis=0)
    assert total[80, 55] == pytest.approx(24 * 1.5 * 0.022, rel=0.06)
    assert total[80, 80] > 1.2 * total[80, 55]


def test_veins_and_ct_may_be_missing(folder):
    for name in ("a_veins.nii.gz", "a_ct.nii"):
        (folder / name).unlink()
    volumes = Volumes.load(folder)
    assert volumes.veins == [] and volumes.ct is None
    assert volume_scene(np.random.default_rng(0), (64, 64), 1, volumes).static.any()


def test_the_folder_may_be_named_by_the_environment(folder, monkeypatch):
    monkeypatch.setenv(ENVIRONMENT, str(folder))
    assert len(Volumes.load().arteries) == 2


def test_what_is_missing_is_said(folder, tmp_path_factory, monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with pytest.raises(ValueError, match=ENVIRONMENT):
        Volumes.load()
    with pytest.raises(ValueError, match="No file"):
        Volumes.load(tmp_path_factory.mktemp("empty"))
    (folder / "b_arteries.nii").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="one is needed"):
        Volumes.load(folder)
    (folder / "a_arteries.nii.gz").unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        Volumes.load(folder)
    with pytest.raises(ValueError, match="no connected part"):
        trace_vessels(np.zeros((10, 10, 10), bool), (1.0, 1.0, 1.0))
