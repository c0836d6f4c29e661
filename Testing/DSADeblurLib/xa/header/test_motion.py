"""Angles and table positions per frame: one increment is a step, several are offsets from frame 1."""

import json

import numpy as np
import pytest

from DSADeblurLib.xa import read_header
from DSADeblurLib.xa.header.motion import read_motion


def test_standing_still(make_run):
    facts = read_header(make_run().path)
    np.testing.assert_array_equal(facts.motion.primary_angles, np.zeros(6))
    assert not facts.moved and facts.motion.table_lateral is None


@pytest.mark.parametrize(
    ("increments", "angles"),
    [
        ([1.5], [30, 31.5, 33, 34.5, 36, 37.5]),
        ([0, 1, 3, 6, 10, 15], [30, 31, 33, 36, 40, 45]),
    ],
)
def test_rotation(header, increments, angles):
    header.PositionerMotion, header.PositionerPrimaryAngle = "DYNAMIC", "30"
    header.PositionerPrimaryAngleIncrement = increments
    motion, warnings = read_motion(header, 6)
    np.testing.assert_allclose(motion.primary_angles, angles)
    # Nothing is said of the other angle while the arm moves.
    assert motion.secondary_angles is None and motion.positioner_moved and not motion.table_moved and warnings == ()
    assert json.loads(json.dumps(motion.as_dict()))["primary_angles"] == angles


def test_table_steps(header):
    header.TableMotion, header.TableLongitudinalIncrement = "DYNAMIC", ["-5"]
    motion, _ = read_motion(header, 4)
    np.testing.assert_allclose(motion.table_longitudinal, [0, -5, -10, -15])
    assert motion.table_moved and motion.moved and motion.table_vertical is None


def test_increments_tell_of_a_motion_that_the_header_denies(header):
    header.PositionerPrimaryAngleIncrement = ["2"]
    assert header.PositionerMotion == "STATIC" and read_motion(header, 6)[0].positioner_moved
    header.PositionerPrimaryAngleIncrement = ["0.001"]
    assert not read_motion(header, 6)[0].moved


def test_wrong_counts_are_reported(header):
    header.PositionerPrimaryAngleIncrement = [0, 1, 2]
    motion, warnings = read_motion(header, 6)
    assert warnings == ("PositionerPrimaryAngleIncrement has 3 values for 6 frames.",)
    np.testing.assert_array_equal(motion.primary_angles, np.zeros(6))


def test_a_moving_arm_warns_of_the_mask(make_run, edit):
    facts = read_header(edit(make_run().path, PositionerMotion="DYNAMIC", PositionerPrimaryAngleIncrement=["1"]))
    assert facts.moved and "C-arm moved during the run; static mask invalid." in facts.warnings
