"""Several files of one series: each is a run of its own, whatever else lies beside it."""

import os

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from DSADeblurLib.xa import XASkipped, find_inputs, not_followed, read_header, read_run


def _reference(uid, purpose="121314"):
    item, code = Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.12.1", uid
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = purpose, "DCM", "Other image of biplane pair"
    item.PurposeOfReferenceCodeSequence = [code]
    return item


def test_both_planes_are_runs_that_refer_to_each_other(make_run, edit, derive, judged):
    uids = [generate_uid(), generate_uid()]
    paths = [
        edit(
            make_run(f"{plane}.dcm").path,
            f"plane{plane}.dcm",
            SOPInstanceUID=uids[index],
            ImageType=["ORIGINAL", "PRIMARY", f"BIPLANE {plane}"],
            InstanceNumber=1,
            ReferencedImageSequence=[_reference(uids[1 - index]), _reference("1.2.3", "121311")],
        )
        for index, plane in enumerate("AB")
    ]
    headers = [read_header(path) for path in paths]
    assert [one.source.plane for one in headers] == ["BIPLANE A", "BIPLANE B"]
    assert [one.source.other_planes for one in headers] == [(uids[1],), (uids[0],)]
    assert headers[0].source.series_instance_uid == headers[1].source.series_instance_uid
    assert all(one.warnings == () for one in headers)
    derived = [judged(derive(path, name=f"derived-{path.name}"), path) for path in paths]
    assert [one.ReferencedImageSequence[0].ReferencedSOPInstanceUID for one in derived] == [uids[1], uids[0]]
    assert derived[0].SOPInstanceUID != derived[1].SOPInstanceUID


def test_a_plane_without_its_partner_says_so(make_run, edit):
    facts = read_header(edit(make_run().path, ImageType=["ORIGINAL", "PRIMARY", "BIPLANE A"]))
    assert facts.source.plane == "BIPLANE A" and facts.source.other_planes == ()
    assert facts.warnings == ("Biplane run without a reference to its other plane.",)


def test_unknown_planes_have_no_name(make_run, edit):
    assert read_header(edit(make_run().path, ImageType=["ORIGINAL", "PRIMARY"])).source.plane == ""
    assert read_header(edit(make_run().path, ImageType=["ORIGINAL", "PRIMARY", "UNDEFINED"])).source.plane == ""


def test_mixed_series(make_run, edit, tmp_path):
    """A run, a single frame, a colour capture and a report share a folder: two are runs, two skipped with a note."""
    folder = tmp_path / "series"
    folder.mkdir()

    def colour(dataset):
        dataset.PhotometricInterpretation, dataset.SamplesPerPixel, dataset.PlanarConfiguration = "RGB", 3, 0
        dataset.NumberOfFrames, dataset.PixelData = 1, b"\0" * 48 * 64 * 3
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7

    for name, path in {
        "run.dcm": make_run().path,
        "single.dcm": make_run("one.dcm", count=1, mask_frames=None).path,
        "colour.dcm": edit(make_run("other.dcm").path, touch=colour),
        "report.dcm": edit(make_run("last.dcm").path, "report.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11"),
    }.items():
        path.rename(folder / name)
    runs, notes = [], {}
    for path in find_inputs([folder]):
        try:
            runs.append(read_run(path))
        except XASkipped as note:
            notes[path.name] = str(note)
    assert [len(one.frames) for one in runs] == [6, 1]
    assert notes == {
        "colour.dcm": "Colour or palette image (screen capture?). Grey-scale angiography needed.",
        "report.dcm": "Unsupported SOP class 1.2.840.10008.5.1.4.1.1.88.11. Supported: X-Ray Angiographic / "
        "Radiofluoroscopic, also Enhanced, and grey-scale Secondary Capture.",
    }


@pytest.mark.parametrize("bits", [8, 12])
def test_several_instances_of_one_series(make_run, edit, bits):
    first = make_run("1.dcm", bits=bits)
    second = edit(
        make_run("2.dcm", bits=bits, relationship="LOG").path,
        "two.dcm",
        SOPInstanceUID=generate_uid(),
        InstanceNumber=2,
    )
    runs = [read_run(first.path), read_run(second)]
    assert runs[0].source.series_instance_uid == runs[1].source.series_instance_uid
    assert [one.source.instance_number for one in runs] == ["1", "2"]
    assert [one.relationship for one in runs] == ["LIN", "LOG"]
    np.testing.assert_array_equal(runs[0].frames[0], first.frames[0])
    assert pydicom.dcmread(second, stop_before_pixels=True).SOPInstanceUID == runs[1].source.sop_instance_uid


def test_what_is_not_followed_is_known_and_links_to_nothing_are_files(make_run, tmp_path):
    folder, elsewhere = tmp_path / "in", tmp_path / "elsewhere"
    folder.mkdir(), elsewhere.mkdir()
    make_run().path.rename(folder / "run.dcm")
    (folder / "runs").symlink_to(elsewhere)
    (folder / "gone.dcm").symlink_to(tmp_path / "nothing.dcm")
    os.mkfifo(folder / "pipe")
    assert find_inputs([folder]) == [folder / "gone.dcm", folder / "run.dcm"]
    assert not_followed([folder, folder / "run.dcm"]) == [folder / "pipe", folder / "runs"]
