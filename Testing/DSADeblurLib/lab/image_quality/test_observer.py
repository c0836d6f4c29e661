"""The observer sees what theory says in white noise, and no less where nothing was lost."""

import math

import numpy as np
import pytest
from scipy import ndimage

from DSADeblurLib.lab.image_quality.detection import Site
from DSADeblurLib.lab.image_quality.observer import INTERNAL_NOISE, channel_outputs, detectability, internal_noise

SITES = tuple(Site((float(r), float(c)), (1.0, 0.0)) for r in range(30, 480, 26) for c in range(30, 480, 40))
ONE = np.exp(-4 * math.log(2) * (np.arange(-256, 256) / 3.0) ** 2)
LINES = np.broadcast_to(sum(np.roll(ONE, c - 256) for c in range(30, 480, 40)), (512, 512))
NOISE = np.random.default_rng(3).normal(size=(512, 512))
OTHER = np.random.default_rng(4).normal(size=(512, 512))
NOTHING = np.zeros((7, 7))


def seen(present, absent, internal=NOTHING):
    return detectability(channel_outputs(present, SITES), channel_outputs(absent, SITES), internal)


def test_in_white_noise_close_to_the_ideal_observer():
    contrast = 0.5
    # 25 lines of pixels are averaged; the channels take a little less than all of it.
    ideal = contrast * math.sqrt(25 * float((ONE**2).sum()))
    assert seen(OTHER - contrast * LINES, NOISE) == pytest.approx(ideal, rel=0.12)
    assert seen(NOISE - contrast * LINES, NOISE) == pytest.approx(ideal, rel=0.12)
    assert seen(NOISE - 2 * contrast * LINES, NOISE) == pytest.approx(2 * ideal, rel=0.12)


def test_internal_noise_lowers_what_is_seen_and_lets_less_noise_help():
    own = internal_noise(channel_outputs(NOISE, SITES))
    without, with_own = seen(NOISE - LINES, NOISE), seen(NOISE - LINES, NOISE, own)
    # It is not correlated between channels as that of the frame is, so it takes less than it could.
    assert without / math.sqrt(1 + INTERNAL_NOISE) < with_own < 0.95 * without
    # Half the noise, the whole vessel.
    assert seen(NOISE / 2 - LINES, NOISE / 2, own) > 1.2 * with_own
    # Everything scaled down: not.
    assert seen((NOISE - LINES) / 2, NOISE / 2, own) < with_own
    # A filter that takes the vessel with the noise helps nobody.
    wide = [ndimage.gaussian_filter(frame, 6.0) for frame in (NOISE - LINES, NOISE)]
    assert seen(*wide, own) < 0.5 * with_own


def test_nothing_is_seen_where_there_is_nothing():
    assert seen(OTHER, NOISE) < 0.8
    assert seen(NOISE, NOISE) == 0
