"""Degrees of stenosis as the trials' papers work them out, and of made-up vessels whose answer is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from DSADeblurLib.measurement.stenosis import (
    Aneurysm,
    Range,
    certain,
    ecst,
    nascet,
    percent_stenosis,
    stenosis_of,
    wasid,
)

lengths = st.floats(0.1, 10)
ARC = 0.2 * np.arange(101)


def test_cases_worked_by_hand():
    # A carotid of 6 mm at the bulb and 5 mm beyond, narrowed to 1.5 mm.
    assert nascet(certain(1.5), certain(5.0)).value == 70.0
    assert ecst(certain(1.5), certain(6.0)).value == 75.0
    percent, used = wasid(certain(0.75), certain(2.5), certain(2.0))
    assert (percent.value, used) == (70.0, "proximal")
    assert wasid(certain(0.75), None, certain(2.0)) == (Range(62.5, 62.5, 62.5), "distal")
    percent, used = wasid(certain(0.75), feeding=certain(3.0))
    assert (percent.value, used) == (75.0, "feeding artery")


def test_an_occlusion_is_all_of_it():
    assert nascet(Range(0.0, 0.0, 0.5), certain(5.0)) == Range(100.0, 90.0, 100.0)


def test_a_lumen_wider_than_its_reference_is_negative():
    assert percent_stenosis(certain(6.0), certain(5.0)).value == pytest.approx(-20)


@given(least=lengths, reference=lengths, unit=st.floats(0.01, 100))
def test_the_unit_does_not_matter(least, reference, unit):
    one, other = (nascet(certain(least * k), certain(reference * k)).value for k in (1, unit))
    assert one == pytest.approx(other, abs=1e-6)


@given(least=lengths, reference=lengths, wrong=st.floats(0, 0.3), share=st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
def test_intervals_hold_whatever_their_parts_hold(least, reference, wrong, share):
    around = [Range(x, x * (1 - wrong), x * (1 + wrong)) for x in (least, reference)]
    true = [x * (1 + wrong * part) for x, part in zip((least, reference), share, strict=True)]
    found = percent_stenosis(*around)
    assert found.low - 1e-6 <= 100 * (1 - true[0] / true[1]) <= found.high + 1e-6


def test_an_aneurysm_has_a_ratio():
    assert Aneurysm(certain(4.0), certain(8.0)).ratio.value == 2.0
    assert Aneurysm(Range(4, 2, 5), Range(8, 6, 10)).ratio == Range(2.0, 1.2, 5.0)
    with pytest.raises(ValueError, match="wider than nothing"):
        _ = Aneurysm(certain(0.0), certain(8.0)).ratio


@pytest.mark.parametrize("lengths", [(1.0, 0.0), (-1.0, 2.0), (math.nan, 2.0), (1.0, math.inf)])
def test_lengths_that_cannot_be_are_refused(lengths):
    with pytest.raises(ValueError, match="reference above 0"):
        percent_stenosis(*map(certain, lengths))


def test_wasid_without_a_reference_is_refused():
    with pytest.raises(ValueError, match="WASID needs"):
        wasid(certain(1.0))


def course(taper=0.0, depth=0.6, width=4.0, place=10.0, noise=0.0, seed=0):
    """Diameters of a vessel of 3, tapering, that is narrowed about a place, with their intervals."""
    lesion = np.clip(1 - np.abs(ARC - place) / (width / 2), 0, None)
    lesion = depth * np.minimum(2 * lesion, 1)
    value = (3 - taper * ARC) * (1 - lesion) + noise * np.random.default_rng(seed).normal(size=ARC.size)
    return np.column_stack((value, value - 0.1, value + 0.1, np.full(ARC.size, 0.1)))


@given(taper=st.floats(0, 0.05), depth=st.floats(0.2, 0.95), place=st.floats(6, 14))
def test_the_reference_follows_a_taper_and_leaves_the_lesion_out(taper, depth, place):
    found = stenosis_of(ARC, course(taper, depth, place=place))
    assert found.percent.value == pytest.approx(100 * depth, abs=1)
    assert found.area.value == pytest.approx(100 * (1 - (1 - depth) ** 2), abs=1.5)
    assert abs(ARC[found.index] - place) < 1.2 and found.first <= found.index <= found.last
    assert 1.5 < found.length < 4.2
    distal = np.mean(3 - taper * ARC[ARC > place + 2])
    assert found.nascet.value == pytest.approx(100 * (1 - found.least.value / distal), abs=1)
    assert found.wasid_reference == "proximal" and found.wasid.value >= found.nascet.value - 0.5


@given(seed=st.integers(0, 1000))
def test_noise_alone_is_no_stenosis_and_shifts_a_real_one_little(seed):
    assert abs(stenosis_of(ARC, course(depth=0, noise=0.05, seed=seed)).percent.value) < 8
    assert stenosis_of(ARC, course(noise=0.05, seed=seed)).percent.value == pytest.approx(60, abs=5)


def test_the_least_of_noisy_places_is_not_the_one_with_the_largest_error():
    errors = []
    for seed in range(40):
        flat = np.where(np.abs(ARC - 10) < 2, 1.5, 3.0) + 0.1 * np.random.default_rng(seed).normal(size=ARC.size)
        found = stenosis_of(ARC, np.column_stack((flat, flat - 0.2, flat + 0.2, np.full(ARC.size, 0.2))))
        errors.append(found.least.value - 1.5)
    assert abs(np.mean(errors)) < 0.05 and np.std(errors) < 0.1


def test_what_is_not_noise_widens_the_references_as_well():
    diameters = course()
    diameters[:, 1] -= 0.5
    found, sure = stenosis_of(ARC, diameters), stenosis_of(ARC, course())
    for name in ("original", "proximal", "distal"):
        assert getattr(found, name).low == pytest.approx(getattr(sure, name).low - 0.5)
        assert getattr(found, name).high == getattr(sure, name).high


def test_one_wrong_place_is_no_stenosis():
    diameters = course(depth=0.3)
    diameters[20] = 0.2, 0.1, 0.3, 0.1
    assert stenosis_of(ARC, diameters).percent.value == pytest.approx(30, abs=0.5)


def test_an_occluded_stretch_is_a_whole_stenosis_with_what_could_still_be_seen():
    diameters = course(depth=0)
    diameters[45:55] = 0.0, 0.0, 0.4, 0.0
    found = stenosis_of(ARC, diameters)
    assert found.occluded and found.percent.value == 100.0 and found.percent.low == pytest.approx(100 * (1 - 0.4 / 3))


def test_unmeasured_places_are_left_out():
    diameters = course()
    diameters[::7] = np.nan
    assert stenosis_of(ARC, diameters).percent.value == pytest.approx(60, abs=0.5)


def test_a_lesion_at_the_start_has_no_proximal_reference():
    found = stenosis_of(ARC, course(place=0.5))
    assert found.proximal is None and found.wasid_reference == "distal"


def test_the_cross_section_is_known_from_the_density_as_well():
    diameters = course()
    found = stenosis_of(ARC, diameters, np.pi / 4 * diameters[:, :3] ** 2 * 0.01)
    assert found.densitometric.value == pytest.approx(found.area.value, abs=0.5)


def test_too_few_places_say_nothing():
    diameters = course()
    diameters[5:] = np.nan
    assert stenosis_of(ARC, diameters) is None
