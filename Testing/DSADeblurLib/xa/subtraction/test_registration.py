"""Registration against simulated motion: the shift comes back to a tenth of a pixel, and less anatomy is left."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import SimpleITK
from scipy import ndimage

from DSADeblurLib.lab.simulation.effects import Aperture
from DSADeblurLib.lab.simulation.pairs import Camera, open_field, random_conditions, slabs_of
from DSADeblurLib.lab.simulation.scene import random_scene
from DSADeblurLib.lab.simulation.sets import NOISE, generator
from DSADeblurLib.physics.acquisition import optical_density, shift_frame
from DSADeblurLib.xa import SubtractionPlan, subtract
from DSADeblurLib.xa.subtraction import registration

pytestmark = pytest.mark.slow

_SIZE = 320
_SHIFTS = ((0.0, 0.0), (0.4, -0.7), (2.3, 1.6), (-5.2, 7.7))
_BLADES = Aperture(((0.0, 0.85), (90.0, 0.8), (180.0, 0.9)), None, 20.0, 0.03)
_IRIS = Aperture((), 0.75, 3.0, 0.02)


@cache
def _taken(index):
    """Beams with and without iodine, and the camera at clinical noise, of one validation scene."""
    scene = random_scene(generator("validation", index), (_SIZE, _SIZE), 1)
    conditions = random_conditions(generator("validation", index, 1), scene, NOISE["clinical"], effects=False)
    incident, detector = open_field(scene, conditions)
    camera = Camera(replace(conditions, motion_deg=0.0), incident, detector, generator("validation", index, 7))
    (beam,) = camera.beams(slabs_of(scene, True), (conditions.spot,))
    (still,) = camera.beams(slabs_of(scene, False), (conditions.spot,))
    return camera, beam, still


def _exposed(index, still_to_mask, aperture=None):
    """Digital mask (mean of three) and contrast frame of a patient who lay otherwise in the mask, and the true D."""
    camera, beam, still = _taken(index)
    camera = replace(
        camera, conditions=replace(camera.conditions, effects=replace(camera.conditions.effects, collimator=aperture))
    )
    mask, contrast = camera.frame(still_to_mask(still), 3), camera.frame(beam)
    return mask, contrast, optical_density(camera.exact(beam), camera.exact(still))


@pytest.mark.parametrize("aperture", [None, _BLADES, _IRIS], ids=["open", "blades", "iris"])
@pytest.mark.parametrize("index", range(3))
def test_a_simulated_shift_is_recovered_to_a_tenth_of_a_pixel(index, aperture):
    for true in _SHIFTS:
        mask, contrast, _ = _exposed(index, lambda still, true=true: shift_frame(still, true), aperture)
        found = registration.find_shift(np.log(mask), np.log(contrast))
        np.testing.assert_allclose(found, np.negative(true), atol=0.1)


@pytest.mark.parametrize("index", range(3))
def test_less_anatomy_is_left(index):
    """The error against the true optical density falls to what noise alone leaves."""
    mask, contrast, truth = _exposed(index, lambda still: shift_frame(still, (1.7, -1.2)))
    still_mask, _, _ = _exposed(index, lambda still: still)
    frames = np.stack([mask, contrast]).round().astype(np.uint16)
    area = registration.image_area(np.log(mask), np.log(contrast))
    errors = {}
    for name in ("none", "shift"):
        result = subtract(frames, SubtractionPlan.single((1,), (2,), registration=name), "LIN")[0]
        errors[name] = np.sqrt(np.mean((result - truth)[area] ** 2))
    noise = np.sqrt(np.mean((np.log(contrast) - np.log(still_mask) - truth)[area] ** 2))
    assert errors["shift"] < 1.1 * noise and errors["shift"] < 0.7 * errors["none"]


# Scene 1 is full of vessels and noise, with nothing to hold on to: there a deformation may only do no harm.
@pytest.mark.parametrize(("index", "gain"), [(0, 0.75), (1, 1.0), (2, 0.75), (3, 0.75)])
def test_a_smooth_deformation_leaves_less_than_a_shift(index, gain):
    y, x = np.mgrid[:_SIZE, :_SIZE] / _SIZE
    field = 1.5 * np.stack([np.sin(2 * np.pi * 1.2 * x + 0.5), np.cos(2 * np.pi * y)])

    def breathe(still):
        return ndimage.map_coordinates(still, np.indices(still.shape) + field, order=3, mode="nearest")

    mask, contrast, truth = _exposed(index, breathe)
    frames = np.stack([mask, contrast]).round().astype(np.uint16)
    area = registration.image_area(np.log(mask), np.log(contrast))
    errors = {}
    for name in ("shift", "deformation"):
        result = subtract(frames, SubtractionPlan.single((1,), (2,), registration=name), "LIN")[0]
        errors[name] = np.sqrt(np.mean((result - truth)[area] ** 2))
    assert errors["deformation"] < gain * errors["shift"] + 1e-6


@pytest.mark.parametrize("index", range(3))
def test_a_still_patient_is_not_deformed(index):
    mask, contrast, _ = _exposed(index, lambda still: still)
    assert registration.find_deformation(np.log(mask), np.log(contrast)) is None


def test_agrees_with_another_library():
    """Without contrast agent and blades, where Mattes mutual information of ITK works as well."""
    camera, _, still = _taken(0)
    mask, moved = camera.frame(still, 3), camera.frame(shift_frame(still, (1.6, -2.3)), 3)
    images = [
        SimpleITK.GetImageFromArray(ndimage.gaussian_filter(np.log(one), 1.5).astype(np.float32))
        for one in (moved, mask)
    ]
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 200)
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetInitialTransform(SimpleITK.TranslationTransform(2))
    columns, rows = method.Execute(*images).GetParameters()
    # ITK's transform takes points of the fixed frame to the moving one, which is the opposite way.
    np.testing.assert_allclose(registration.find_shift(np.log(mask), np.log(moved)), (-rows, -columns), atol=0.1)


def test_the_shift_of_a_plan_is_where_it_starts_and_signs_are_the_standards():
    camera, beam, still = _taken(1)
    mask, contrast = camera.frame(shift_frame(still, (1.5, 2.5)), 3), camera.frame(beam)
    frames = np.stack([mask, contrast]).round().astype(np.uint16)
    for start in ((0.0, 0.0), (-1.0, 2.0)):
        result = subtract(frames, SubtractionPlan.single((1,), (2,), start, registration="shift"), "LIN")
        rows, columns = result.shift(0)
        # Up by 1.5 and to the left by 2.5: negative rows, and positive columns because those count to the left.
        assert rows == pytest.approx(-1.5, abs=0.1) and columns == pytest.approx(2.5, abs=0.1)


def test_blades_and_shutters_are_no_image_area():
    mask, contrast, _ = _exposed(0, lambda still: still, _BLADES)
    area = registration.image_area(np.log(mask), np.log(contrast))
    lit = _BLADES.transmission(area.shape) > 0.9
    assert not (area & ~lit).any() and area.mean() > 0.4
    shuttered = np.log(contrast)
    shuttered[:60] = 0
    assert not registration.image_area(np.log(mask), shuttered)[:60].any()


@pytest.mark.parametrize("frame", [np.zeros((64, 64)), np.zeros((20, 20)), np.full((64, 64), 3.5)])
def test_nothing_to_register_by(frame):
    assert registration.find_shift(frame, frame, (0.5, -0.25)) == (0.5, -0.25)
    assert registration.find_deformation(frame, frame) is None
