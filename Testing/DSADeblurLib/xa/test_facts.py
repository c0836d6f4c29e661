"""Acquisition facts: every value has an origin, implausible ones are missing and say so."""

import json

import pytest

from DSADeblurLib.xa.errors import XAReadError
from DSADeblurLib.xa.facts import Fact, read_acquisition


def _raw(header, keyword, text):
    """Put text into a DS element as a broken device would, past pydicom's checks."""
    from pydicom.datadict import tag_for_keyword
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag
    tag = Tag(tag_for_keyword(keyword))
    header._dict[tag] = RawDataElement(tag, "DS", len(text), text.encode(), 0, False, True)
    return header


def test_complete_header(header):
    facts = read_acquisition(header)
    assert facts.warnings == ()
    assert facts.magnification.value == pytest.approx(1100 / 720) and facts.magnification.note == "SID / SOD"
    assert facts.blur_detector_px.value == pytest.approx((2.056, 2.056), abs=1e-3)
    assert facts.blur_object_mm.value == pytest.approx(0.6 * (1 - 720 / 1100))
    assert "1.67 to 2.50 px" in facts.blur_detector_px.note
    assert {fact[3] for fact in facts.rows()} == {"header"}


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
    assert read_acquisition(header, focal_spot_mm=0.2).removable_blur_px() == (0, 0)
    del header.FocalSpots
    assert read_acquisition(header).removable_blur_px() is None


def test_nothing_known_gives_no_defaults(header):
    for keyword in ("FocalSpots", "DistanceSourceToDetector", "DistanceSourceToPatient", "ImagerPixelSpacing",
                    "EstimatedRadiographicMagnificationFactor"):
        del header[keyword]
    facts = read_acquisition(header)
    assert {row[3] for row in facts.rows()} == {"unknown"} and {row[1] for row in facts.rows()} == {"unknown"}
    assert facts.warnings == ("No pixel size: blur width set in pixels by user.",)
    assert facts.assumed() == ()


def test_user_values_override_and_are_recorded(header):
    facts = read_acquisition(header, focal_spot_mm=1.0, magnification=1.3)
    assert (facts.focal_spot.value, facts.magnification.value) == (1.0, 1.3)
    assert facts.blur_detector_px.origin == facts.blur_object_mm.origin == "user"
    assert facts.assumed() == ("focal spot 1 mm (user)", "magnification 1.3 (user)")


@pytest.mark.parametrize(("values", "sentence"), [
    ({"focal_spot_mm": 600}, "Focal spot 600 mm given by the user is not between"),
    ({"focal_spot_mm": float("nan")}, "Focal spot nan mm given by the user"),
    ({"magnification": 0.5}, "Magnification 0.5 given by the user is not between"),
])
def test_implausible_user_values_are_refused(header, values, sentence):
    with pytest.raises(XAReadError, match=sentence):
        read_acquisition(header, **values)


@pytest.mark.parametrize("text", ["nan\\0.154", "0\\0", "-0.154\\0.154", "0.154", "abc", "inf\\inf"])
def test_unusable_spacing_is_missing(header, text):
    facts = read_acquisition(_raw(header, "ImagerPixelSpacing", text))
    assert facts.imager_pixel_spacing.value is None and facts.blur_detector_px.value is None
    assert any(one.startswith("Imager Pixel Spacing '") and one.endswith("unusable.") for one in facts.warnings)


@pytest.mark.parametrize(("keyword", "text", "name"), [
    ("FocalSpots", "0", "Focal Spots"), ("DistanceSourceToDetector", "inf", "Source to detector distance"),
    ("DistanceSourceToPatient", "-720", "Source to object distance"),
    ("EstimatedRadiographicMagnificationFactor", "x", "Estimated magnification"),
])
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


@pytest.mark.parametrize("changes", [
    {"DistanceSourceToPatient": 1100}, {"DistanceSourceToPatient": 300}, {"ImagerPixelSpacing": [1.5, 1.5]},
])
def test_implausible_geometry(header, changes):
    del header.EstimatedRadiographicMagnificationFactor
    for keyword, value in changes.items():
        setattr(header, keyword, value)
    facts = read_acquisition(header)
    assert any(one.startswith("Geometry implausible:") for one in facts.warnings)
    assert facts.blur_detector_px.value is None


def test_facts_are_json(header):
    assert json.loads(json.dumps(read_acquisition(header).as_dict()))["focal_spot"] == {
        "value": 0.6, "unit": "mm", "origin": "header", "note": "nominal; IEC 60336 allows a larger actual size"}


def test_a_fact_cannot_hide_its_origin():
    with pytest.raises(ValueError, match="unknown exactly when"):
        Fact(None, "mm", "header")
    with pytest.raises(ValueError, match="origin must be"):
        Fact(1.0, "mm", "guess")
