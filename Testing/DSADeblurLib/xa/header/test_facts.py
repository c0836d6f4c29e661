"""Acquisition facts: every value has an origin, implausible ones are missing and say so."""

import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from DSADeblurLib.physics.focal_spot import FocalSpot, iec_60336_limits
from DSADeblurLib.physics.geometry import blur_in_object_mm, blur_in_pixels
from DSADeblurLib.request import RequestError, UserFacts
from DSADeblurLib.xa.header.facts import Fact, read_acquisition


def _raw(header, keyword, text):
    """Put text into a DS element as a broken device would, past pydicom's checks."""
    from pydicom.datadict import tag_for_keyword
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    tag = Tag(tag_for_keyword(keyword))
    header._dict[tag] = RawDataElement(tag, "DS", len(text), text.encode(), 0, False, True)
    return header


def _tags(sid, sod, **values):
    """The geometry alone of a header, for properties that need many of them."""
    header = Dataset()
    header.DistanceSourceToDetector, header.DistanceSourceToPatient = sid, sod
    for keyword, value in values.items():
        setattr(header, keyword, value)
    return header


def test_complete_header(header):
    facts = read_acquisition(header)
    assert facts.warnings == ()
    assert facts.magnification.value == pytest.approx(1100 / 720) and facts.magnification.note == "SID / SOD"
    assert facts.blur_detector_px.value == pytest.approx((2.056, 2.056), abs=1e-3)
    assert facts.blur_object_mm.value == pytest.approx(0.6 * (1 - 720 / 1100))
    assert "1.67 to 2.50 px" in facts.blur_detector_px.note
    assert {fact[3] for fact in facts.rows() if "Calibrated" not in fact[0]} == {"header"}


def test_rows_and_columns_are_never_averaged(header):
    header.ImagerPixelSpacing = [0.154, 0.308]
    across = read_acquisition(header).blur_detector_px.value
    assert across[0] == pytest.approx(2 * across[1])


def test_what_can_be_removed_is_less_than_the_blur_of_the_usual_spot(header):
    """A nominal 0.6 mm is usually 0.84 mm wide; the small focus of 0.3 mm stays."""
    header.ImagerPixelSpacing = [0.154, 0.308]
    rows, columns = read_acquisition(header).removable_blur_px()
    assert rows == pytest.approx((0.84**2 - 0.3**2) ** 0.5 * (1100 / 720 - 1) / 0.154)
    assert columns == pytest.approx(rows / 2)
    assert read_acquisition(header, UserFacts(focal_spot_mm=0.2)).removable_blur_px() == (0, 0)
    del header.FocalSpots
    assert read_acquisition(header).removable_blur_px() is None


def test_nothing_known_gives_no_defaults(header):
    for keyword in (
        "FocalSpots",
        "DistanceSourceToDetector",
        "DistanceSourceToPatient",
        "ImagerPixelSpacing",
        "EstimatedRadiographicMagnificationFactor",
    ):
        del header[keyword]
    facts = read_acquisition(header)
    assert {row[3] for row in facts.rows()} == {"unknown"} and {row[1] for row in facts.rows()} == {"unknown"}
    assert facts.warnings == ("No pixel size: the header cannot say how wide the blur is.",)
    assert facts.assumed() == ()


def test_user_values_override_and_are_recorded(header):
    facts = read_acquisition(header, UserFacts(focal_spot_mm=1.0, magnification=1.3))
    assert (facts.focal_spot.value, facts.magnification.value) == (1.0, 1.3)
    assert facts.blur_detector_px.origin == facts.blur_object_mm.origin == "user"
    assert facts.assumed() == ("focal spot 1 mm (user)", "magnification 1.3 (user)")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"focal_spot_mm": 600}, "Focal spot must be a number above 0 mm and at most 3 mm, not 600."),
        ({"focal_spot_mm": 0}, "Focal spot must be a number above 0 mm and at most 3 mm, not 0."),
        ({"focal_spot_mm": float("nan")}, "Focal spot must be a number above 0 mm and at most 3 mm, not nan."),
        ({"magnification": 0.5}, "Magnification must be a number above 1 and at most 2.5, not 0.5."),
        ({"detector_spacing_mm": 5}, "Detector spacing must be a number above 0.05 mm and at most 0.6 mm, not 5."),
    ],
)
def test_implausible_user_values_are_refused(values, sentence):
    """Before a header is looked at."""
    with pytest.raises(RequestError) as refused:
        UserFacts(**values)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("text", ["nan\\0.154", "0\\0", "-0.154\\0.154", "0.154", "abc", "inf\\inf"])
def test_unusable_spacing_is_missing(header, text):
    facts = read_acquisition(_raw(header, "ImagerPixelSpacing", text))
    assert facts.imager_pixel_spacing.value is None and facts.blur_detector_px.value is None
    assert any(one.startswith("Imager Pixel Spacing '") and one.endswith("unusable.") for one in facts.warnings)


@pytest.mark.parametrize(
    ("keyword", "text", "name"),
    [
        ("FocalSpots", "0", "Focal Spots"),
        ("DistanceSourceToDetector", "inf", "Source to detector distance"),
        ("DistanceSourceToPatient", "-720", "Source to object distance"),
        ("EstimatedRadiographicMagnificationFactor", "x", "Estimated magnification"),
    ],
)
def test_each_unusable_number_has_its_warning(header, keyword, text, name):
    assert f"{name} '{text}' unusable." in read_acquisition(_raw(header, keyword, text)).warnings


def test_micrometres_are_reported_not_divided(header):
    header.FocalSpots = 600
    facts = read_acquisition(header)
    assert "Focal spot 600 mm implausible (µm?)." in facts.warnings
    assert facts.focal_spot.value is None and facts.blur_object_mm.value is None


def test_largest_of_several_spots(header):
    header.FocalSpots = [0.4, 0.8]
    facts = read_acquisition(header)
    assert facts.focal_spot.value == 0.8 and facts.focal_spots.value == (0.4, 0.8)
    assert "Several focal spots listed; using 0.8." in facts.warnings


def test_disagreeing_magnification_tags(header):
    header.EstimatedRadiographicMagnificationFactor = 1.7
    facts = read_acquisition(header)
    assert "Magnification tags disagree (1.53 vs 1.7)." in facts.warnings
    assert facts.magnification.value == pytest.approx(1100 / 720) and "1.7" in facts.magnification.note


def test_tag_and_calibration_stand_in_for_distances(header):
    del header.DistanceSourceToPatient
    assert read_acquisition(header).magnification.note == "estimated magnification tag"
    del header.EstimatedRadiographicMagnificationFactor
    assert read_acquisition(header).magnification.value is None
    header.PixelSpacing = [0.11, 0.11]
    assert read_acquisition(header).magnification.value == pytest.approx(1.4)
    # Equal spacings say that nothing was calibrated.
    header.PixelSpacing = [0.154, 0.154]
    assert read_acquisition(header).magnification.value is None


@pytest.mark.parametrize(
    "changes",
    [
        {"DistanceSourceToPatient": 1100},
        {"DistanceSourceToPatient": 300},
        {"ImagerPixelSpacing": [1.5, 1.5]},
    ],
)
def test_implausible_geometry(header, changes):
    del header.EstimatedRadiographicMagnificationFactor
    for keyword, value in changes.items():
        setattr(header, keyword, value)
    facts = read_acquisition(header)
    assert any(one.startswith("Geometry implausible:") for one in facts.warnings)
    assert facts.blur_detector_px.value is None


def test_facts_are_json(header):
    assert json.loads(json.dumps(read_acquisition(header).as_dict()))["focal_spot"] == {
        "value": 0.6,
        "unit": "mm",
        "origin": "header",
        "note": "nominal; IEC 60336 allows 0.6-0.9 x 0.857-1.29 mm",
        "interval": pytest.approx([0.6, 0.9 / 0.7]),
    }


@settings(deadline=None)
@given(
    nominal=st.sampled_from((0.3, 0.6, 1.0)),
    sid=st.integers(900, 1250),
    sod=st.integers(650, 800),
    rounded=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    depth=st.floats(-50, 50),
    size=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    turned=st.floats(0, 180),
)
def test_the_blur_of_any_spot_that_iec_allows_lies_in_its_range(nominal, sid, sod, rounded, depth, size, turned):
    """Actual size, orientation, depth of the vessel and rounding of the distances, all at once."""
    facts = read_acquisition(_tags(FocalSpots=nominal, ImagerPixelSpacing=[0.154, 0.308], sid=sid, sod=sod))
    least, most = zip(*iec_60336_limits(nominal), strict=True)
    width, length = (low + part * (high - low) for low, high, part in zip(least, most, size, strict=True))
    factor = (sid + rounded[0]) / (sod + rounded[1] + depth)
    assume(factor >= 1)
    across, along = FocalSpot(width, length, rotation_deg=turned).equivalent_widths_mm()
    (rows, columns), (long_rows, long_columns) = facts.blur_detector_px.interval, facts.blur_length_px.interval
    # Between the least width and the greatest length, whichever way the spot lies.
    assert rows[0] - 1e-9 <= blur_in_pixels(along, factor, 0.154) <= long_rows[1] + 1e-9
    assert columns[0] - 1e-9 <= blur_in_pixels(across, factor, 0.308) <= long_columns[1] + 1e-9
    # Each side of the spot has its own range.
    assert rows[0] - 1e-9 <= blur_in_pixels(width, factor, 0.154) <= rows[1] + 1e-9
    assert long_rows[0] - 1e-9 <= blur_in_pixels(length, factor, 0.154) <= long_rows[1] + 1e-9
    low, high = facts.blur_object_mm.interval
    assert all(low - 1e-9 <= blur_in_object_mm(side, factor) <= high + 1e-9 for side in (width, length))


def test_ranges_stand_beside_their_values(header):
    table = {row[0]: row[1] for row in read_acquisition(header).rows()}
    assert table["Magnification"] == "1.528 (1.43-1.64)"
    assert table["Focal spot used"] == "0.6 (0.6-1.29)"
    assert table["Predicted blur at the detector (row x column)"].startswith("2.056 x 2.056 (1.66-3.76 x")


def test_a_user_spot_outside_iec_has_no_tolerance(header):
    facts = read_acquisition(header, UserFacts(focal_spot_mm=0.05))
    assert facts.focal_spot.interval == () and facts.blur_detector_px.value == pytest.approx((0.1714, 0.1714), abs=1e-3)


def test_disagreeing_tags_widen_the_range(header):
    def widened(ermf):
        header.EstimatedRadiographicMagnificationFactor = ermf
        return read_acquisition(header).magnification.interval

    narrow, wide = widened(1.53), widened(1.7)
    assert narrow[0] == pytest.approx(wide[0], abs=2e-3) and narrow[1] < 1.7 < wide[1]


def test_user_values_are_told_as_assumed(header):
    facts = read_acquisition(header, UserFacts(focal_spot_mm=1.0, magnification=1.3))
    assert facts.warnings == ("Assumed focal spot 1 mm (user), magnification 1.3 (user).",)
    assert [one.value for one in facts.magnifications] == pytest.approx([1.3, 1100 / 720, 1100 / 720], abs=1e-3)


def test_contradictions_do_not_matter_to_a_user_who_says_what_holds(header):
    header.EstimatedRadiographicMagnificationFactor = 1.7
    assert not any("disagree" in one for one in read_acquisition(header, UserFacts(magnification=1.5)).warnings)


@pytest.mark.parametrize("text", ["110", "0.9", "11000"])
def test_distances_in_other_units_are_missing(header, text):
    header.EstimatedRadiographicMagnificationFactor = 1.5
    facts = read_acquisition(_raw(header, "DistanceSourceToDetector", text))
    assert facts.sid.value is None and facts.magnification.note == "estimated magnification tag"
    assert any(one.startswith(f"Geometry implausible: source to detector distance {text} mm") for one in facts.warnings)


@pytest.mark.parametrize(("kind", "warns"), [("GEOMETRY", True), ("", True), ("FIDUCIAL", False)])
def test_calibrated_spacing_of_the_same_plane_must_agree(header, kind, warns):
    """A fiducial lies where it lies, and may be magnified more or less than the isocentre."""
    header.PixelSpacing, header.PixelSpacingCalibrationType = [0.11, 0.11], kind
    del header.EstimatedRadiographicMagnificationFactor
    facts = read_acquisition(header)
    assert ("Magnification tags disagree (1.53 vs 1.4)." in facts.warnings) == warns
    assert facts.pixel_spacing.value == (0.11, 0.11) and facts.calibration_type == kind


def test_calibration_that_differs_along_rows_and_columns(header):
    header.PixelSpacing = [0.11, 0.09]
    assert (
        "Geometry implausible: Imager Pixel Spacing and Pixel Spacing give magnification 1.4 for rows and 1.71 for "
        "columns."
    ) in read_acquisition(header).warnings
    # One that concerns the columns alone is a calibration, too.
    header.PixelSpacing = [0.154, 0.1]
    assert read_acquisition(header).pixel_spacing.value == (0.154, 0.1)


def test_equal_spacings_are_no_calibration(header):
    header.PixelSpacing = [0.154, 0.154]
    fact = read_acquisition(header).pixel_spacing
    assert fact.value is None and fact.note.startswith("not calibrated")


def test_spacing_of_an_unknown_plane_is_not_used(header):
    del header.ImagerPixelSpacing
    header.PixelSpacing = [0.11, 0.11]
    facts = read_acquisition(header)
    assert facts.pixel_spacing.value is None
    assert any(one.startswith("Pixel Spacing without Imager Pixel Spacing or calibration") for one in facts.warnings)
    header.PixelSpacingCalibrationType = "FIDUCIAL"
    assert read_acquisition(header).pixel_spacing.value == (0.11, 0.11)


@pytest.mark.parametrize(
    ("shape", "sides", "size", "spacing"),
    [
        ("RECTANGLE", [96, 128], (480, 640), (0.2, 0.2)),
        ("ROUND", [170], (512, 512), (170 / 512, 170 / 512)),
        # A circle in an oblong image, oblong pixels, a zoomed or absurd field of view, and nothing usable.
        ("ROUND", [170], (512, 640), None),
        ("RECTANGLE", [96, 96], (480, 640), None),
        ("RECTANGLE", [960, 1280], (480, 640), None),
        ("HEXAGONAL", [170], (512, 512), None),
        ("RECTANGLE", [96], (480, 640), None),
    ],
)
def test_field_of_view_stands_in_for_a_missing_spacing(header, shape, sides, size, spacing):
    del header.ImagerPixelSpacing
    header.FieldOfViewShape, header.FieldOfViewDimensions = shape, sides
    header.Rows, header.Columns = size
    facts = read_acquisition(header)
    assert facts.imager_pixel_spacing.value == (spacing and pytest.approx(spacing))
    assert ("No pixel size: the header cannot say how wide the blur is." in facts.warnings) == (spacing is None)
    if spacing:
        assert facts.blur_detector_px.origin == "assumed"
        assert any(one.startswith("Assumed imager pixel spacing") for one in facts.warnings)
        header.ImageType = ["DERIVED", "PRIMARY", "SINGLE PLANE"]
        assert read_acquisition(header).imager_pixel_spacing.value is None


def test_pixel_aspect(header):
    assert read_acquisition(header).pixel_aspect == 1
    del header.ImagerPixelSpacing
    header.PixelAspectRatio = [4, 3]
    assert read_acquisition(header).pixel_aspect == pytest.approx(4 / 3)


def test_a_fact_cannot_hide_its_origin():
    with pytest.raises(ValueError, match="unknown exactly when"):
        Fact(None, "mm", "header")
    with pytest.raises(ValueError, match="origin must be"):
        Fact(1.0, "mm", "guess")
