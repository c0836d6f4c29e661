"""The ring of scenes: bounded, always fresh, not harmed by a process that dies, and ended with the training."""

import threading

import numpy as np
import psutil
import pytest
import ringscenes

from DSADeblurLib.lab.training import scene_ring
from DSADeblurLib.lab.training.batched_pairs import SHOT
from DSADeblurLib.lab.training.pool import CLASSES, PoolOptions
from DSADeblurLib.lab.training.scene_ring import (
    SHOTS,
    SceneRing,
    SceneRingError,
    class_styles,
    made_scene,
    style_of,
)

pytestmark = pytest.mark.slow

OPTIONS = PoolOptions(scenes=4, side=8, frames=3, size=16)


@pytest.fixture
def ring_of():
    """Makes a ring of quick scenes, which is closed after the test."""
    rings = []

    def make(render, workers=2, **numbers) -> SceneRing:
        rings.append(SceneRing(OPTIONS, workers, render=render, **numbers))
        return rings[-1]

    yield make
    for ring in rings:
        ring.close()


def numbers_of(ring: SceneRing) -> list[int]:
    return sorted(kept.made.number for kept in ring.kept())


def test_holds_the_latest_scenes_though_a_process_dies(ring_of, capfd):
    """Number 1 kills its process: it is left out and reported, and another process goes on."""
    ring = ring_of(ringscenes.dying_once)
    ring.wait_for(lambda: ring.made >= 12 and ring.deaths)
    # Each process has at most one scene that there is no place for yet.
    assert ring.next_number <= ring.made + ring.deaths + 2
    ring.close()
    assert ring.deaths == 1 and "has died (exit code -9) at scene 1" in capfd.readouterr().err
    kept, gone = numbers_of(ring), [one.made.number for one in ring.finished()]
    assert len(kept) == OPTIONS.scenes and len(kept) + len(gone) == ring.made
    done = {*kept, *gone}
    assert len(done) == ring.made and 1 not in done
    # All others are there, but for what the two processes were at.
    assert len(set(range(ring.next_number)) - done - {1}) <= 2
    assert ring.finished() == []


def test_draws_regions_of_its_scenes(ring_of):
    ring = ring_of(ringscenes.numbered, workers=1, first=20)
    ring.wait_for(lambda: ring.made >= 4)
    ring.close()
    styles = ["patient", "targets", "patient", "patient"]
    static, iodine, rows = ring.draw(np.random.default_rng(0), styles)
    assert static.shape == (4, 3, 8, 8) and iodine.shape == (4, 3, 3, 8, 8)
    there = [int(one[0, 0, 0]) for one in static]
    assert all((one == number).all() for one, number in zip(iodine, there, strict=True))
    assert [style_of(OPTIONS, number) for number in there] == styles
    # Each shot of a scene in turn, and counted.
    for number in set(there):
        doses = [float(row["incident"][0]) for row, other in zip(rows, there, strict=True) if other == number]
        assert doses == [1, 2, 1][: len(doses)]
    assert sum(kept.draws for kept in ring.kept()) == 4


def test_processes_that_all_die_end_the_training_with_a_sentence(ring_of, monkeypatch):
    monkeypatch.setattr(scene_ring, "DEATHS", 0)
    ring = ring_of(ringscenes.failing, workers=1)
    with pytest.raises(SceneRingError, match="die one after the other"):
        ring.wait(1)
    with pytest.raises(SceneRingError, match="die one after the other"):
        ring.draw(np.random.default_rng(0), ["patient"])


def test_ends_in_the_middle_of_a_scene(ring_of):
    ring = ring_of(ringscenes.endless, workers=1)
    ring.wait(1)
    processes = [renderer.process.pid for renderer in ring._renderers]
    assert all(psutil.pid_exists(pid) for pid in processes)
    ring.close()
    assert not any(psutil.pid_exists(pid) for pid in processes)
    assert not any(thread.name == "scene-ring" for thread in threading.enumerate())


def test_classes_are_those_of_a_pool():
    for volumes in (False, True):
        options = PoolOptions(volumes=volumes)
        wanted = class_styles(options)
        made = [style_of(options, number) for number in range(CLASSES)]
        assert sorted(wanted) == sorted(made) and wanted.count("targets") == 2
        assert ("volumes" in wanted) == volumes


def test_scenes_come_with_their_acquisitions():
    options = PoolOptions(scenes=4, side=64, frames=3, size=256)
    scene, shots = made_scene(options, 0)
    assert scene.static.shape == (3, 256, 256) and scene.iodine.shape[0] == 3
    assert shots.shape == (SHOTS,) and shots.dtype == SHOT
    assert len(np.unique(shots["incident"])) == SHOTS
    assert shots["corner"].min() >= 0 and shots["corner"].max() <= 256 - 64
    assert 0.5 < shots["blur_px"].max() < 20 and np.isfinite(shots["gain"]).all()
    again, same = made_scene(options, 0)
    np.testing.assert_array_equal(scene.iodine, again.iodine)
    np.testing.assert_array_equal(shots, same)
