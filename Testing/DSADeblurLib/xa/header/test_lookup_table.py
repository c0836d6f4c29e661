"""Look-up tables of headers, for frame values as they are given out."""

import dataclasses

import numpy as np
import pytest
from pydicom.dataset import Dataset

from DSADeblurLib.xa import read_header
from DSADeblurLib.xa.header.lookup_table import log_slope, read_table


@pytest.fixture
def stored(make_run):
    return read_header(make_run().path).stored_pixels


def _item(descriptor, data, vr="OW"):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", descriptor)
    item.add_new("LUTData", vr, data)
    return item


@pytest.mark.parametrize(
    ("descriptor", "data", "vr", "expected"),
    [
        ([4, 10, 16], np.array([1, 2, 3, 4], "<u2").tobytes(), "OW", [1, 2, 3, 4]),
        ([4, 10, 16], [1, 2, 3, 4], "US", [1, 2, 3, 4]),
        ([4, 10, 8], bytes([1, 2, 3, 4]), "OW", [1, 2, 3, 4]),
        ([4, 10, 8], np.array([1, 2, 3, 4], "<u2").tobytes(), "OW", [1, 2, 3, 4]),
        ([1, 10, 16], 7, "US", [7]),
    ],
)
def test_entries(stored, descriptor, data, vr, expected):
    table = read_table(_item(descriptor, data, vr), stored)
    assert table.first == 10
    np.testing.assert_array_equal(table.values, expected)
    # Below and above, the first and the last entry hold.
    np.testing.assert_array_equal(table.of(np.array([0, 10, 4000])), [expected[0], expected[0], expected[-1]])


@pytest.mark.parametrize(
    "item",
    [
        Dataset(),
        _item([4, 0, 16], b"\0\0"),
        _item([0, 0, 16], b"\0" * 100),
        _item([4, 0], b"\0" * 8),
        _item([4, 0, 32], b"\0" * 8),
        _item([4, 0, 16], b"\0" * 7),
    ],
)
def test_unusable_tables(stored, item):
    assert read_table(item, stored) is None


def test_tables_follow_shifted_and_inverted_values(stored):
    item = _item([3, 65534, 16], np.array([5, 6, 7], "<u2").tobytes())
    signed = dataclasses.replace(stored, signed=True)
    stored = np.array([-3, -2, -1, 0, 1])
    np.testing.assert_array_equal(read_table(item, signed).of(stored + 2048), [5, 5, 6, 7, 7])
    both = dataclasses.replace(signed, inverted=True)
    np.testing.assert_array_equal(read_table(item, both).of(4095 - (stored + 2048)), [5, 5, 6, 7, 7])


def test_slope_needs_two_outputs(stored):
    rising = _item([100, 0, 16], np.rint(np.exp(np.arange(100) * 0.1)).astype("<u2").tobytes())
    assert log_slope(read_table(rising, stored)) == pytest.approx(0.1, rel=0.02)
    for data in (np.zeros(100), np.full(100, 5)):
        assert log_slope(read_table(_item([100, 0, 16], data.astype("<u2").tobytes()), stored)) is None


def test_display_values_have_a_way_back_to_intensity(make_run, edit):
    import pydicom

    made = make_run(relationship="LOG")
    path = edit(made.path, PixelIntensityRelationship="DISP")
    facts = read_header(path)
    table = np.frombuffer(pydicom.dcmread(path).ModalityLUTSequence[0].LUTData, "<u2")
    np.testing.assert_array_equal(facts.to_linear.of(made.frames[0]), table[made.frames[0]])
    assert facts.log_slope is None and read_header(edit(path, PixelIntensityRelationship="LIN")).to_linear is None
