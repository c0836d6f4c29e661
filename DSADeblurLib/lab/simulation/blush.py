"""Capillary blush: contrast agent in brain and muscle too fine to see as vessels, a soft texture in folds."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.special import expit

from DSADeblurLib.lab.simulation.textures import random_texture, spread
from DSADeblurLib.lab.simulation.tubes import View


def random_blush(rng: np.random.Generator, view: View) -> np.ndarray:
    """Path length in mm of fully contrasted blood in tissue, float32 (rows, columns), 0 outside the territory.

    Gyri appear as bands 6 to 14 mm apart. Nothing in it is finer than a few pixels: a texture at the pixel scale
    would be noise that no restoration could bring back.
    """
    pixel = view.spacing_mm / view.magnification(0.0)
    coarse = max(1, int(1.0 / pixel))
    shape = tuple(-(-n // coarse) + 1 for n in view.shape)
    step = coarse * pixel
    height, width = view.field_mm
    rows, columns = np.meshgrid(*(np.arange(n, dtype=np.float32) * step for n in shape), indexing="ij")
    down = (rows - rng.uniform(0.2, 0.8) * height) / (rng.uniform(0.3, 0.9) * height)
    across = (columns - rng.uniform(0.2, 0.8) * width) / (rng.uniform(0.3, 0.9) * width)
    border = 1 - np.hypot(down, across) + 0.12 * random_texture(rng, shape, 5.0, 80 / step)
    territory = expit(border / rng.uniform(0.06, 0.2))
    fold = rng.uniform(6, 14) / step
    # Noise between two scales; where it is near zero runs a fold.
    band = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), fold / 5)
    band -= ndimage.gaussian_filter(band, fold / 2.5)
    gyri = np.exp(-((band / band.std()) ** 2) / 0.5)
    cloud = np.exp(rng.uniform(0.1, 0.3) * random_texture(rng, shape, rng.uniform(3.2, 4.2), 50 / step))
    amount = territory * cloud * (1 + rng.uniform(0.02, 0.2) * gyri)
    return rng.uniform(0.05, 0.35) * np.maximum(spread(amount.astype(np.float32), coarse, view.shape), 0)
