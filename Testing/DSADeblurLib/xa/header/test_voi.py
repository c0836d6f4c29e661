"""Windows and tables for display, judged by pydicom's own windowing; never part of processing."""

import warnings

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.pixels import apply_voi, apply_windowing

from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa import VoiTable, Window, for_display, percentile_window, plan_subtraction, read_header, read_run
from DSADeblurLib.xa.header.header import SC_WORD

_ALL = np.arange(4096, dtype=np.uint16).reshape(64, 64)
_COUNT_DIFFERS = "Window Center/Width count differ; using auto window."


def _header(**values):
    dataset = Dataset()
    dataset.PhotometricInterpretation, dataset.BitsStored, dataset.PixelRepresentation = "MONOCHROME2", 12, 0
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


@given(
    center=st.integers(-500, 5000).map(lambda one: one / 2),
    width=st.integers(2, 9000),
    function=st.sampled_from(("LINEAR", "LINEAR_EXACT", "SIGMOID")),
)
def test_each_function_agrees_with_pydicom(center, width, function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = (
            apply_windowing(_ALL, _header(WindowCenter=center, WindowWidth=width, VOILUTFunction=function)) / 4095
        )
    grey = for_display(_ALL, Window(center, width, function))
    assert grey.dtype == np.float32 and grey.shape == _ALL.shape
    np.testing.assert_allclose(grey, expected, atol=1e-6)


@pytest.mark.parametrize("function", ["LINEAR", "SIGMOID"])
def test_windows_agree_with_dcmtk(make_run, edit, tool, tmp_path, function):
    path = edit(make_run().path, WindowCenter=[800, 1500.5], WindowWidth=[400, 1111], VOILUTFunction=function)
    run = read_run(path)
    for number, voi in enumerate(run.voi, 1):
        assert tool("dcm2pnm", "+opw", "+Wi", str(number), path, tmp_path / "shown.pgm").returncode == 0
        shown = np.array((tmp_path / "shown.pgm").read_text().split()[4:], dtype=int).reshape(48, 64) / 65535
        np.testing.assert_allclose(for_display(run.frames[0], voi), shown, atol=2 / 65535)


def test_the_narrowest_window_is_a_threshold():
    grey = Window(100, 1).apply(np.array([98, 99, 100, 101]))
    np.testing.assert_array_equal(grey, [0, 0, 1, 1])


def test_several_windows_are_paired_by_index(make_run, edit):
    path = edit(
        make_run().path,
        WindowCenter=[1000, 2000],
        WindowWidth=[300, 500],
        WindowCenterWidthExplanation=["vessel", "bone"],
    )
    assert read_header(path).voi == (Window(1000, 300, "LINEAR", "vessel"), Window(2000, 500, "LINEAR", "bone"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"WindowCenter": [1, 2]}, _COUNT_DIFFERS),
        ({"WindowWidth": None}, _COUNT_DIFFERS),
        ({"WindowWidth": "0"}, "Window Width '0' unusable; using auto window."),
        ({"WindowWidth": "0.5"}, "Window Width '0.5' unusable; using auto window."),
        ({"WindowWidth": "-1", "VOILUTFunction": "SIGMOID"}, "Window Width '-1' unusable; using auto window."),
        ({"VOILUTFunction": "CUBIC"}, "VOI LUT Function unknown; using auto window."),
        ({"WindowCenter": None, "WindowWidth": None}, None),
    ],
)
def test_unusable_windows_are_left_out(make_run, edit, changes, sentence):
    facts = read_header(edit(make_run().path, **changes))
    assert facts.voi == () and facts.warnings == ((sentence,) if sentence else ())


def test_narrow_widths_belong_to_the_exact_functions(make_run, edit):
    facts = read_header(edit(make_run().path, WindowWidth="0.5", VOILUTFunction="LINEAR_EXACT"))
    assert facts.voi[0].width == 0.5 and facts.warnings == ()


def _table_item(count=4096, first=0, bits=12, data=None):
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [count % 65536, first, bits])
    item.LUTExplanation = "inverse square"
    values = np.linspace(0, 1, count) ** 2 * ((1 << bits) - 1) if data is None else data
    item.add_new("LUTData", "OW", np.rint(values).astype("<u2").tobytes())
    return item


@pytest.mark.parametrize(("count", "first"), [(4096, 0), (1000, 500)])
def test_voi_tables_agree_with_pydicom(make_run, edit, count, first):
    path = edit(make_run().path, WindowCenter=None, WindowWidth=None, VOILUTSequence=[_table_item(count, first)])
    (voi,) = read_header(path).voi
    assert isinstance(voi, VoiTable) and voi.explanation == "inverse square"
    expected = apply_voi(_ALL, pydicom.dcmread(path)) / 4095
    np.testing.assert_allclose(for_display(_ALL, voi), expected, atol=1e-6)


def test_broken_voi_tables_are_left_out(make_run, edit):
    short = _table_item(4096, data=np.zeros(10))
    assert len(read_header(edit(make_run().path, VOILUTSequence=[short])).voi) == 1


def test_inverted_values_are_shown_as_monochrome1_is(make_run, edit):
    """A MONOCHROME1 file shows its lowest value white; so does the frame whose values were inverted."""
    items = [_table_item(3000, 500)]
    for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        path = edit(
            make_run().path, PhotometricInterpretation="MONOCHROME1", VOILUTFunction=function, VOILUTSequence=items
        )
        window, table = read_header(path, UserFacts(polarity="invert")).voi
        plain_window, plain_table = read_header(path, UserFacts(polarity="keep")).voi
        np.testing.assert_allclose(window.apply(4095 - _ALL), 1 - plain_window.apply(_ALL), atol=1e-6)
        np.testing.assert_allclose(table.apply(4095 - _ALL), 1 - plain_table.apply(_ALL), atol=1e-6)


@pytest.mark.parametrize(("slope", "intercept"), [(1, 0), (1, -1000), (2, 100), (0.25, 7)])
def test_windows_of_secondary_captures_are_behind_the_rescale(make_run, edit, slope, intercept):
    path = edit(
        make_run().path,
        SOPClassUID=SC_WORD,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        WindowCenter=800 * slope + intercept,
        WindowWidth=600 * slope,
    )
    (voi,) = read_header(path).voi
    dataset = pydicom.dcmread(path)
    expected = apply_windowing(_ALL.astype(float) * slope + intercept, dataset)
    low, high = expected.min(), expected.max()
    np.testing.assert_allclose(voi.apply(_ALL), (expected - low) / (high - low), atol=1e-5)
    # In XA the Rescale is for something else.
    assert read_header(edit(path, "xa.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.12.1")).voi[0].center == (
        800 * slope + intercept
    )


def test_percentile_window():
    frames = np.random.default_rng(0).normal(100, 10, (20, 64, 64))
    window = percentile_window(frames)
    low, high = np.percentile(frames, (0.5, 99.5))
    assert window.center == pytest.approx((low + high) / 2, abs=0.5)
    assert window.width == pytest.approx(high - low, abs=1)
    grey = window.apply(frames[0])
    assert 0 < grey.mean() < 1 and grey.min() == 0 and grey.max() == 1


def test_percentile_window_leaves_out_what_is_covered():
    frames = np.full((3, 40, 40), 60_000, np.uint16)
    exposed = np.zeros((40, 40), bool)
    exposed[10:30, 10:30] = True
    frames[:, exposed] = np.random.default_rng(0).integers(100, 200, (3, 400))
    assert percentile_window(frames, exposed).width < 100 < 20_000 < percentile_window(frames).width


@pytest.mark.parametrize("value", [7.0, np.nan])
def test_percentile_window_of_a_flat_frame(value):
    assert np.isfinite(percentile_window(np.full((2, 8, 8), value)).apply(np.full((8, 8), 7.0))).all()


def test_display_never_changes_processing(make_run, edit):
    """Whatever the windows say, frames and plan are the same."""
    made = make_run()
    path = edit(made.path, WindowCenter=[1, 2], WindowWidth=[1, 1], VOILUTSequence=[_table_item()])
    run = read_run(path)
    np.testing.assert_array_equal(np.asarray(run.frames), made.frames)
    assert plan_subtraction(run) == plan_subtraction(read_run(made.path))


def test_native_windows_are_not_reused_on_subtracted_frames(make_run, derive):
    made = make_run()
    derived = pydicom.dcmread(derive(made.path))
    original = pydicom.dcmread(made.path)
    assert derived.WindowCenter != original.WindowCenter and derived.WindowWidth != original.WindowWidth
