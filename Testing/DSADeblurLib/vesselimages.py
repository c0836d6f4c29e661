"""Exact pictures of vessels for the tests: blurred chords of cylinders along straight lines."""

import math

import numpy as np

from DSADeblurLib.measurement.cylinder_fit import FINE_STEP
from DSADeblurLib.measurement.line_spread import SystemBlur
from DSADeblurLib.physics.detector import Detector

BLUR = SystemBlur((4.0, 4.0), Detector())


def vessel_image(
    diameter, angle=0.3, middle=(40.0, 40.0), shape=(81, 81), density=0.02, blur=BLUR, slope=(0.0, 0.0), level=0.0
):
    """Optical density, negative in the vessel, which runs along (cos angle, sin angle) through `middle`."""
    rows, columns = np.indices(shape) - np.reshape(middle, (2, 1, 1))
    distance = columns * math.cos(angle) - rows * math.sin(angle)
    fine = np.arange(-4000, 4001) * FINE_STEP / 2
    chord = 2 * np.sqrt(np.maximum((diameter / 2) ** 2 - fine**2, 0))
    direction = (-math.sin(angle), math.cos(angle))
    spread = blur.line_spread(direction, FINE_STEP / 2)
    absorbed = np.convolve(-np.expm1(-density * chord), spread, mode="same")
    density_image = -np.log1p(-np.interp(distance, fine, absorbed))
    return -(density_image + level + slope[0] * rows + slope[1] * columns)


def line_across(angle=0.3, middle=(40.0, 40.0), half=12.0, turn=0.0):
    """Ends of a line across that vessel, turned away from the right angle."""
    direction = np.array([-math.sin(angle + turn), math.cos(angle + turn)])
    return tuple(np.array(middle) - half * direction), tuple(np.array(middle) + half * direction)
