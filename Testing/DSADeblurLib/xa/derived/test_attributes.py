"""Copying of header attributes: named ones with legal values, nothing else, and never by reference."""

import pydicom
from pydicom.datadict import dictionary_is_retired, tag_for_keyword
from pydicom.dataset import Dataset

from DSADeblurLib.xa.derived.attributes import ACQUISITION, CINE, COMMON, TYPE_2, copy_attributes, copy_item


def test_lists_name_real_attributes_once():
    for keyword in COMMON | ACQUISITION | CINE | set(TYPE_2):
        assert tag_for_keyword(keyword) is not None, keyword
        assert not dictionary_is_retired(tag_for_keyword(keyword)), keyword
    assert not COMMON & ACQUISITION and not CINE & (COMMON | ACQUISITION) and set(TYPE_2) <= COMMON


def _code():
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "1", "DCM", "One"
    return item


def test_sequence_items_are_copies_without_private_data():
    source, item = Dataset(), _code()
    item.private_block(0x0029, "VENDOR", create=True).add_new(1, "LO", "secret")
    source.ProcedureCodeSequence = [item]
    copy = copy_attributes(source, COMMON)
    assert len(copy.ProcedureCodeSequence[0]) == 3
    copy.ProcedureCodeSequence[0].CodeMeaning = "Changed"
    assert item.CodeMeaning == "One"


def test_illegal_and_unnamed_values_stay_behind():
    source = Dataset()
    source.PatientName = "A^B"
    source.add(pydicom.DataElement("PatientSex", "CS", "?", validation_mode=0))
    source.add(pydicom.DataElement("PatientBirthDate", "DA", "yesterday", validation_mode=0))
    source.ReferencedStudySequence = []
    source.PixelPaddingValue = 0
    assert [element.keyword for element in copy_attributes(source, COMMON)] == ["PatientName"]


def test_empty_items_are_dropped():
    item = Dataset()
    item.MaskOperation = "AVG_SUB"
    outer = Dataset()
    outer.MaskSubtractionSequence = [item, Dataset()]
    assert len(copy_item(outer).MaskSubtractionSequence) == 1
