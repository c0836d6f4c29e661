"""The arithmetic of how often a scene is drawn from."""

import pytest

from DSADeblurLib.lab.training.feeding import draws_a_scene, pairs_a_second


def test_more_cores_make_each_scene_fresher():
    assert draws_a_scene(2.0, 1, 100.0) == 200
    assert draws_a_scene(2.0, 8, 100.0) == 25


def test_what_the_gpu_could_learn_from():
    # 306 GFLOP a frame of 2^20 pixels: 14.3 GFLOP a patch, of 396 TFLOP a second.
    assert pairs_a_second(306e9 / 2**20) == pytest.approx(27_600, rel=0.01)
