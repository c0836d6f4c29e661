"""Windows for display, judged by pydicom's own windowing; never part of processing."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing

from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa import plan_subtraction, read_header, read_run
from DSADeblurLib.xa.file.dataset import SC_WORD
from DSADeblurLib.xa.header.voi import Window

_ALL = np.arange(4096, dtype=np.uint16).reshape(64, 64)
_COUNT_DIFFERS = "Window Center/Width count differ; using auto window."


def _shown(values, window):
    """Return the grey levels of values in a window, 0 to 1."""
    dataset = Dataset()
    dataset.PhotometricInterpretation, dataset.BitsStored, dataset.PixelRepresentation = "MONOCHROME2", 12, 0
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = window.center, window.width, window.function
    return apply_windowing(values, dataset) / 4095


@pytest.mark.parametrize("function", ["LINEAR", "SIGMOID"])
def test_windows_agree_with_dcmtk(make_run, edit, tool, tmp_path, function):
    path = edit(make_run().path, WindowCenter=[800, 1500.5], WindowWidth=[400, 1111], VOILUTFunction=function)
    run = read_run(path)
    for number, window in enumerate(run.windows, 1):
        assert tool("dcm2pnm", "+opw", "+Wi", str(number), path, tmp_path / "shown.pgm").returncode == 0
        shown = np.array((tmp_path / "shown.pgm").read_text().split()[4:], dtype=int).reshape(48, 64) / 65535
        np.testing.assert_allclose(_shown(run.frames[0], window), shown, atol=2 / 65535)


def test_several_windows_are_paired_by_index(make_run, edit):
    path = edit(
        make_run().path,
        WindowCenter=[1000, 2000],
        WindowWidth=[300, 500],
        WindowCenterWidthExplanation=["vessel", "bone"],
    )
    assert read_header(path).windows == (Window(1000, 300, "LINEAR", "vessel"), Window(2000, 500, "LINEAR", "bone"))


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
    assert facts.windows == () and facts.warnings == ((sentence,) if sentence else ())


def test_narrow_widths_belong_to_the_exact_functions(make_run, edit):
    facts = read_header(edit(make_run().path, WindowWidth="0.5", VOILUTFunction="LINEAR_EXACT"))
    assert facts.windows[0].width == 0.5 and facts.warnings == ()


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_inverted_values_are_shown_as_monochrome1_is(make_run, edit, function):
    """A MONOCHROME1 file shows its lowest value white; so does the frame whose values were inverted."""
    path = edit(make_run().path, PhotometricInterpretation="MONOCHROME1", VOILUTFunction=function)
    (window,), (plain,) = (read_header(path, UserFacts(polarity=one)).windows for one in ("invert", "keep"))
    np.testing.assert_allclose(_shown(4095 - _ALL, window), 1 - _shown(_ALL, plain), atol=1e-6)


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
    (window,) = read_header(path).windows
    dataset = pydicom.dcmread(path)
    expected = apply_windowing(_ALL.astype(float) * slope + intercept, dataset)
    low, high = expected.min(), expected.max()
    np.testing.assert_allclose(_shown(_ALL, window), (expected - low) / (high - low), atol=1e-5)
    # In XA the Rescale is for something else.
    assert read_header(edit(path, "xa.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.12.1")).windows[0].center == (
        800 * slope + intercept
    )


def test_display_never_changes_processing(make_run, edit):
    """Whatever the windows say, frames and plan are the same."""
    made = make_run()
    path = edit(made.path, WindowCenter=[1, 2], WindowWidth=[1, 1])
    run = read_run(path)
    np.testing.assert_array_equal(np.asarray(run.frames), made.frames)
    assert plan_subtraction(run) == plan_subtraction(read_run(made.path))


def test_native_windows_are_not_reused_on_subtracted_frames(make_run, derive):
    made = make_run()
    derived = pydicom.dcmread(derive(made.path))
    original = pydicom.dcmread(made.path)
    assert derived.WindowCenter != original.WindowCenter and derived.WindowWidth != original.WindowWidth
