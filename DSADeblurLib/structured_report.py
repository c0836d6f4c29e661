"""`dsadeblur report`: measurements of the panel as a DICOM structured report (TID 1500) on a run and its result."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from DSADeblurLib import __version__
from DSADeblurLib.atomic_write import atomic_write
from DSADeblurLib.extras import require

if TYPE_CHECKING:
    import highdicom

_PRIVATE = "99DSADEBLUR"
_NAMES = {
    "diameter": Code("81827009", "SCT", "Diameter"),
    "length of the narrowing": Code("410668003", "SCT", "Length"),
}
_UNITS = {
    "mm": Code("mm", "UCUM", "mm"),
    "%": Code("%", "UCUM", "%"),
    "px": Code("{pixels}", "UCUM", "pixels"),
    "times": Code("{ratio}", "UCUM", "ratio"),
}
_ENDS = {
    "low": Code("interval-low", _PRIVATE, "Lower end of the 95 % interval"),
    "high": Code("interval-high", _PRIVATE, "Upper end of the 95 % interval"),
}
_UNREDUCED = "noise reduction 0"
_USED_FRAMES = "121322"  # Source image for image processing operation


def write_report(table: Path, original: Path, derived: Path | None, path: Path) -> int:
    """Write the measurements on one run as a preliminary report, which a person has still to verify.

    Args:
        table: what the panel exports.
        original: the run's file.
        derived: the object made of it by `dsadeblur deblur` or the panel; None leaves deblurred values out.
        path: of the report.

    Returns:
        The number of measurements in it, intervals not counted.

    Raises:
        ValueError: one sentence, if table and objects do not go together or highdicom is not installed.
        OSError: a file cannot be read or written.
    """
    require("report", "A structured report")
    from highdicom import sr

    rows = _read_table(table)
    images = {"original": _read_header(original)}
    if derived is not None:
        images["deblurred"] = _read_header(derived)
    evidence = list(images.values())
    if derived is not None:
        # What the network made of the original at noise reduction 0 is nowhere stored.
        images[_UNREDUCED] = images["original"]
    groups = list(_groups(rows, images))
    if not groups:
        raise ValueError(f"{table.name} has no value that was measured on this run.")
    observer = sr.ObserverContext(
        observer_type=sr.CodedConcept("121007", "DCM", "Device"),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=generate_uid(entropy_srcs=["DSADeblur", __version__]), name="DSADeblur", model_name=__version__
        ),
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=Code("77343006", "SCT", "Angiography"),
        imaging_measurements=groups,
        title=Code("126000", "DCM", "Imaging Measurement Report"),
    )
    report = sr.ComprehensiveSR(
        evidence=evidence,
        content=content[0],
        series_instance_uid=generate_uid(),
        series_number=int(images["original"].get("SeriesNumber") or 0) + 1000,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="DSADeblur",
    )
    report.SeriesDescription = "Measurements, research use only"
    scheme = pydicom.Dataset()
    scheme.CodingSchemeDesignator, scheme.CodingSchemeName = _PRIVATE, "Codes of DSADeblur"
    report.CodingSchemeIdentificationSequence = [scheme]
    with atomic_write(path, replace=False) as unfinished:
        report.save_as(unfinished, enforce_file_format=True)
    return sum(sum(1 for one in images if row.get(one)) for row in rows)


def _read_header(path: Path) -> pydicom.Dataset:
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except InvalidDicomError as error:
        raise ValueError(f"{path.name} is no DICOM file.") from error


def _read_table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    needed = ("markup", "frame", "measure", "method", "original", "deblurred", "unit", "calibration")
    missing = [name for name in needed if not rows or name not in rows[0]]
    if missing:
        raise ValueError(f"{path.name} is no table of measurements: it lacks {', '.join(missing)}.")
    runs = {row.get("run", "") for row in rows}
    if len(runs) > 1:
        raise ValueError(f"{path.name} holds measurements on {len(runs)} runs; a report is on one of them.")
    return rows


def _groups(
    rows: list[dict[str, str]], images: dict[str, pydicom.Dataset]
) -> Iterator[highdicom.sr.MeasurementsAndQualitativeEvaluations]:
    """One group for each markup on each of the images."""
    from highdicom import sr

    for markup, found in groupby(rows, lambda row: (row["markup"], row["frame"], row["method"])):
        together = list(found)
        for image, dataset in images.items():
            if not any(row.get(image) for row in together):
                continue
            number = int(markup[1])
            frame = _derived_frame(dataset, images["original"], number) if image == "deblurred" else number
            frames = [frame] if "NumberOfFrames" in dataset else None
            source = dataset.SOPClassUID, dataset.SOPInstanceUID, frames
            place = _place(together[0].get("points", ""), source)
            measurements = [one for row in together for one in _measurements(row, image, place)]
            yield sr.MeasurementsAndQualitativeEvaluations(
                tracking_identifier=sr.TrackingIdentifier(generate_uid(), f"{markup[0]}, {image}"),
                algorithm_id=sr.AlgorithmIdentification("DSADeblur", __version__, _parameters(together[0], image)),
                measurements=measurements,
                source_images=[sr.SourceImageForMeasurementGroup(*source)],
            )


def _place(points: str, source: tuple) -> list[highdicom.sr.CoordinatesForMeasurement]:
    """The markup's line in the image: columns and rows from the corner of the first pixel (PS3.3 C.18.6)."""
    from highdicom import sr

    if not points:
        return []
    places = np.array([one.split() for one in points.split(";")], dtype=float)[:, ::-1] + 0.5
    return [sr.CoordinatesForMeasurement("POLYLINE", places, sr.SourceImageForRegion(*source))]


def _measurements(
    row: dict[str, str], image: str, place: list[highdicom.sr.CoordinatesForMeasurement]
) -> Iterator[highdicom.sr.Measurement]:
    """The value of a line of the table with its place, and the ends of its interval."""
    from highdicom import sr

    if not row.get(image):
        return
    name = _NAMES.get(row["measure"]) or Code(
        row["measure"].replace(", ", "-").replace(" ", "-")[:16], _PRIVATE, row["measure"]
    )
    yield sr.Measurement(name, float(row[image]), _UNITS[row["unit"]], referenced_coordinates=place or None)
    for end, derivation in _ENDS.items():
        value = float(row.get(f"{image} {end}") or math.nan)
        if math.isfinite(value):
            yield sr.Measurement(name, value, _UNITS[row["unit"]], derivation=derivation)


def _parameters(row: dict[str, str], image: str) -> list[str]:
    told = [f"method: {row['method']}", f"calibration: {row['calibration'] or 'none'}", "research use only"]
    if image == _UNREDUCED:
        told += ["on the original deblurred at noise reduction 0, which is not stored"]
    if image != "original":
        told += [f"{name}: {row[name]}" for name in ("controls", "model") if row.get(name)]
    return told


def _derived_frame(derived: pydicom.Dataset, original: pydicom.Dataset, number: int) -> int:
    """Number in a derived object of the frame that was made of one of the run.

    Raises:
        ValueError: one sentence, if it was not made of that.
    """
    for item in derived.get("SourceImageSequence", ()):
        purpose: Any = item.get("PurposeOfReferenceCodeSequence")
        if not purpose or purpose[0].CodeValue != _USED_FRAMES:
            continue
        if item.ReferencedSOPInstanceUID == original.SOPInstanceUID:
            listed = np.atleast_1d(
                item.get("ReferencedFrameNumber", range(1, int(original.get("NumberOfFrames", 1)) + 1))
            )
            numbers = [int(one) for one in listed]
            if number in numbers:
                return numbers.index(number) + 1
            raise ValueError(f"Frame {number} of the run is not in the derived object.")
    raise ValueError("The derived object was not made of this run.")
