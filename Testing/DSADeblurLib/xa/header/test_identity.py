"""Without legal UIDs nothing can refer to a file: said when it is read, and mended where the user wants that."""

import pydicom
import pytest
from pydicom.uid import UID

from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa import XAReadError, read_header

_NEW = UserFacts(new_uids=True)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"StudyInstanceUID": None}, "Study Instance UID"),
        ({"SOPInstanceUID": ""}, "SOP Instance UID"),
        ({"StudyInstanceUID": "1.2.840.00123.4.5"}, "Study Instance UID ('1.2.840.00123.4.5')"),
        (
            {"SeriesInstanceUID": "ANON-SERIES-01", "SOPInstanceUID": "1.2.3.invalid"},
            "Series Instance UID ('ANON-SERIES-01') and SOP Instance UID ('1.2.3.invalid')",
        ),
        ({"StudyInstanceUID": "1." * 40 + "1"}, "Study Instance UID ('1.1."),
    ],
)
def test_files_without_legal_uids_are_asked_about(make_run, edit, changes, named):
    path = edit(make_run().path, **changes)
    with pytest.raises(XAReadError, match="^The file has no legal .*; choose new UIDs for its results.$") as raised:
        read_header(path)
    assert named in str(raised.value)
    header = read_header(path, _NEW)
    assert any(named in one and one.endswith("(user).") for one in header.warnings)
    new = header.source
    assert all(UID(one).is_valid for one in (new.study_instance_uid, new.series_instance_uid, new.sop_instance_uid))


def test_what_is_legal_stays(make_run, edit):
    made = make_run().path
    before = pydicom.dcmread(made)
    source = read_header(edit(made, StudyInstanceUID="x"), _NEW).source
    assert (source.series_instance_uid, source.sop_instance_uid) == (before.SeriesInstanceUID, before.SOPInstanceUID)
    assert read_header(made, _NEW).source.study_instance_uid == before.StudyInstanceUID
    assert read_header(edit(made, SeriesInstanceUID=None)).source.series_instance_uid == ""


def test_the_same_old_uid_gives_the_same_new_one(make_run, edit):
    made = make_run().path

    def new(**changes):
        return read_header(edit(made, **changes), _NEW).source

    assert new(StudyInstanceUID="x").study_instance_uid == new(StudyInstanceUID="x", Rows=48).study_instance_uid
    assert new(StudyInstanceUID="x").study_instance_uid != new(StudyInstanceUID="y").study_instance_uid
    # A study that is not named is that of its series, an instance is known by its file.
    one, two = new(StudyInstanceUID=None), new(StudyInstanceUID=None, SOPInstanceUID="1.2.3")
    assert one.study_instance_uid == two.study_instance_uid != one.series_instance_uid
    assert new(SOPInstanceUID=None).sop_instance_uid != new(SOPInstanceUID=None, InstanceNumber=9).sop_instance_uid
