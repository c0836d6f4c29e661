"""Scenes for tests of the ring, quick to make, that its processes can load too."""

import os
import signal
import time

import numpy as np

from DSADeblurLib.lab.simulation.scene import SLAB_CENTRES_MM, Scene
from DSADeblurLib.lab.simulation.tubes import View
from DSADeblurLib.lab.training.batched_pairs import SHOT


def numbered(options, number):
    """A scene whose every value is its number, with two shots that are told apart by their dose."""
    shape = (len(SLAB_CENTRES_MM), options.size, options.size)
    shots = np.zeros(2, SHOT)
    shots["incident"][:, 0] = (1, 2)
    static = np.full(shape, number, np.float32)
    return Scene(View(shape[1:], 0.2, 1000, 700), static, np.stack([static] * options.frames)), shots


def dying_once(options, number):
    """Number 1 kills its process."""
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return numbered(options, number)


def failing(options, number):
    """No scene at all."""
    raise ValueError("There is no such scene.")


def endless(options, number):
    """A scene that is never ready, after the first."""
    while number:
        time.sleep(1)
    return numbered(options, number)
