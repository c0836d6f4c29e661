"""What is kept of the structure of still objects: all of it, half of it, or none, whatever the noise."""

import numpy as np
import pytest
from scipy import ndimage

from DSADeblurLib.lab.image_quality.static_structure import STRENGTHS, structure_kept

RNG = np.random.default_rng(0)
OBJECT = ndimage.gaussian_filter(RNG.normal(size=(160, 170)), 1.0)
OBJECT *= 1.5 / OBJECT.std()
FRAMES = OBJECT + RNG.normal(size=(8, 160, 170))


def test_as_much_as_is_left():
    np.testing.assert_allclose(structure_kept(FRAMES, FRAMES), 1)
    np.testing.assert_allclose(structure_kept(FRAMES, 0.5 * FRAMES), 0.5)
    # Noise that goes is no structure, and structure that goes is no noise.
    np.testing.assert_allclose(structure_kept(FRAMES, np.broadcast_to(OBJECT, FRAMES.shape)), 1, atol=0.05)
    np.testing.assert_allclose(structure_kept(FRAMES, FRAMES - OBJECT), 0, atol=0.05)


def test_each_strength_for_itself():
    # What is fainter than a standard deviation of the noise is gone.
    kept = structure_kept(FRAMES, np.where(np.abs(OBJECT) > 1.0, OBJECT, 0.0)[None].repeat(8, axis=0))
    assert len(kept) == len(STRENGTHS) - 1
    # Noise puts some pixels into a class that is not theirs.
    assert (np.diff(kept) > 0).all() and kept[0] < 0.7 and kept[-1] == pytest.approx(1, abs=0.1)


def test_no_structure_and_too_few_frames():
    assert np.isnan(structure_kept(0.01 * OBJECT + FRAMES - OBJECT, FRAMES)[-1])
    with pytest.raises(ValueError, match="at least four frames"):
        structure_kept(FRAMES[:3], FRAMES[:3])
