"""Magnifications of a header: in order of trust, with their ranges, and never two truths for one plane unnoticed."""

import pytest

from DSADeblurLib.xa.header.magnifications import (
    FIDUCIAL,
    given_magnification,
    plane_range,
    range_in_depth,
    read_magnifications,
)

_IMAGER = (0.154, 0.154)


def _found(sid=1100.0, sod=720.0, ermf=None, imager=_IMAGER, calibrated=None, kind=""):
    warnings = []
    return read_magnifications(sid, sod, ermf, imager, calibrated, kind, warnings), warnings


def test_order_of_trust_and_agreement():
    found, warnings = _found(ermf=1.53, calibrated=(0.1008, 0.1008))
    assert [one.source for one in found] == [
        "SID / SOD",
        "estimated magnification tag",
        "imager / calibrated pixel spacing",
    ]
    assert warnings == [] and all(one.low <= one.value <= one.high for one in found)


def test_each_contradiction_is_told_once():
    _, warnings = _found(ermf=1.7, calibrated=(0.07, 0.07))
    assert warnings == ["Magnification tags disagree (1.53 vs 1.7).", "Magnification tags disagree (1.53 vs 2.2)."]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sod": 1100.0}, "the object at 1100 mm is not between source and detector"),
        ({"sod": 300.0}, "magnification 3.67 (SID / SOD) is outside 1-2.5"),
        ({"ermf": 1.0}, "magnification 1 (estimated magnification tag) is outside"),
        ({"calibrated": (0.2, 0.2)}, "magnification 0.77 (imager / calibrated pixel spacing) is outside"),
        ({"calibrated": (0.1, 0.14)}, "magnification 1.54 for rows and 1.1 for columns"),
    ],
)
def test_implausible_geometry_is_left_out(values, words):
    found, warnings = _found(**values)
    assert len(warnings) == 1 and warnings[0].startswith("Geometry implausible: ") and words in warnings[0]
    assert all(1 < one.value <= 2.5 for one in found)


def test_a_plane_holds_what_any_of_its_tags_says():
    found, _ = _found(ermf=1.7, calibrated=(0.11, 0.11), kind=FIDUCIAL)
    low, high = plane_range(found[0], found)
    # The fiducial is another plane and says 1.4.
    assert 1.5 < low < 1100 / 720 and high == pytest.approx(1.75)
    assert plane_range(found[2], found) == pytest.approx((0.1535 / 0.1105, 0.1545 / 0.1095), abs=1e-3)
    assert plane_range(found[1], found) == (low, high)


def test_the_user_stands_alone():
    found, _ = _found(ermf=1.7)
    given = given_magnification(1.25)
    assert plane_range(given, (given, *found)) == pytest.approx((1.245, 1.255))


def test_depth_counts_more_where_the_detector_is_near():
    long, short = range_in_depth((1.5, 1.5), 1200.0), range_in_depth((1.5, 1.5), None)
    assert short[0] < long[0] < 1.5 < long[1] < short[1]
