"""Results leave the scene pixel for pixel, say where they come from, and leave nothing behind when they do not."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import dicomhost
import numpy as np
import pydicom
import pytest
import samples
import slicer
import slicerapi
import viewhost
from exporting import MASKED, export, leftovers, load
from results import MODEL, SHA256, deblurred
from scenes import allFrames, fingerprint, loadOneFrameFiles

from DSADeblurLib.request import UserFacts

pytestmark = [pytest.mark.usefixtures("host"), pytest.mark.slow]

RESCALED = {"RescaleSlope": "2", "RescaleIntercept": "-100", "RescaleType": "US"}
FORMATS = ("dicom", "database", "png", "gif", "mp4")


@pytest.fixture
def utils(tmp_path, monkeypatch):
    """Slicer's DICOMLib.DICOMUtils."""
    stand_in = dicomhost.DicomUtils(tmp_path / "storage")
    monkeypatch.setitem(sys.modules, "DICOMLib", SimpleNamespace(DICOMUtils=stand_in))
    return stand_in


def complaints(path) -> list[str]:
    """dciodvfy's errors and warnings; none where it is not installed."""
    if shutil.which("dciodvfy") is None:
        return []
    said = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, timeout=600).stderr
    return [line for line in said.splitlines() if line.startswith(("Error", "Warning"))]


def storedIn(node) -> np.ndarray:
    """The frames of a native result as its source's file would store them."""
    from DSADeblurLib.xa.loaded_frames import StoredValues
    from DSADeblurScene.derived import sourceOf
    from DSADeblurScene.input import readInput
    from DSADeblurScene.run_file import loadedRun

    return StoredValues(readInput(node).frames, loadedRun(readInput(sourceOf(node)), UserFacts()).rule)[:]


@pytest.mark.parametrize("compression", ["none", "jpeg-ls", "rle"])
@pytest.mark.parametrize(
    ("written", "chosen"),
    [
        ({}, {}),
        ({"bits": 8, "relationship": "DISP"}, {}),
        ({"extra": RESCALED}, {}),
        ({"stack": True, "extra": RESCALED}, {"frame_range": (2, 4)}),
        ({"frame_times": [0, 100, 200, 250, 300, 400]}, {"frame_range": (2, 5)}),
        (MASKED, {"subtract": "never"}),
    ],
)
def test_native_result_is_pixel_exact(tmp_path, out, written, chosen, compression):
    from DSADeblurLib.xa import read_run

    source = load(tmp_path / "a.dcm", samples.vessel_frames(bits=written.get("bits", 12)), **written)
    node = deblurred(source, **chosen)
    before, done = fingerprint(node), []
    exported = export(node, out, compression=compression, progress=lambda *step: done.append(step))
    assert exported.path.parent == out and str(exported.path) in exported.summary
    assert "research use only" in exported.summary
    run = read_run(exported.path)
    assert np.array_equal(run.frames[:], storedIn(node)) and not run.subtracted
    assert complaints(exported.path) == [] and leftovers(out) == [exported.path] and fingerprint(node) == before
    assert done == [(i, len(run.frames)) for i in range(len(run.frames))]
    if "extra" not in written:
        assert np.array_equal(storedIn(node), allFrames(node))


@pytest.mark.parametrize("stack", [False, True])
@pytest.mark.parametrize("relationship", ["LIN", "DISP"])
def test_subtracted_result_is_within_half_a_step(tmp_path, out, relationship, stack):
    from DSADeblurLib.xa import read_run

    source = load(tmp_path / "a.dcm", relationship=relationship, stack=stack, **MASKED)
    node = deblurred(source, frame_range=(4, 6))
    exported, density = export(node, out), allFrames(node)
    dataset, run = pydicom.dcmread(exported.path), read_run(exported.path)
    step = float(np.abs(density).max()) / 32767
    assert np.abs((run.frames[:].astype(float) - 32768) * step - density).max() <= step / 2 * (1 + 1e-6)
    if relationship == "LIN":
        mapping = dataset.RealWorldValueMappingSequence[0]
        assert mapping.RealWorldValueSlope == pytest.approx(step)
    assert run.subtracted and complaints(exported.path) == []
    items = {item.PurposeOfReferenceCodeSequence[0].CodeValue: item for item in dataset.SourceImageSequence}
    assert items["121322"].ReferencedFrameNumber == [4, 5, 6] and items["121321"].ReferencedFrameNumber == [1, 2]


def test_file_says_what_made_it_and_is_of_the_same_study(tmp_path, out):
    node = deblurred(load(tmp_path / "a.dcm"))
    dataset, original = pydicom.dcmread(export(node, out).path), pydicom.dcmread(tmp_path / "a.dcm")
    controls = "sharpness 0.5, noise reduction 0.5"
    for words in (
        "RESEARCH USE ONLY",
        MODEL,
        SHA256[:16],
        controls,
        "float32 on cpu",
        "by torch, blur 2.0 x 1.5 px (geometry)",
    ):
        assert words in dataset.DerivationDescription, words
    assert {SHA256, MODEL} < set(dataset.SoftwareVersions)
    assert dataset.PatientID == original.PatientID and dataset.StudyInstanceUID == original.StudyInstanceUID
    assert dataset.SeriesInstanceUID != original.SeriesInstanceUID


def test_file_says_in_which_order_it_was_subtracted(tmp_path, out):
    source = load(tmp_path / "a.dcm", **MASKED)
    for order in ("subtract-first", "deblur-first"):
        written = export(deblurred(source, order=order), out).path
        description = pydicom.dcmread(written).DerivationDescription
        assert ("order deblur-first" in description) is (order == "deblur-first")


def test_file_loads_beside_the_original_with_the_same_timing(tmp_path, out):
    source = load(tmp_path / "a.dcm")
    node = deblurred(source)
    loaded = dicomhost.loadLikeSlicer(export(node, out).path)
    assert np.array_equal(allFrames(loaded), allFrames(node))
    values = [[one.GetNthIndexValue(i) for i in range(6)] for one in (source, loaded)]
    assert values[0] == values[1]


def test_what_the_user_said_of_the_values_is_written(tmp_path, out):
    source = load(tmp_path / "a.dcm", relationship=None)
    dataset = pydicom.dcmread(export(deblurred(source, relationship="LIN", mask_frames=(1,)), out).path)
    assert "pixel intensity relationship LIN (user)" in dataset.DerivationDescription
    assert "RealWorldValueMappingSequence" in dataset


def test_no_file_is_replaced(tmp_path, out):
    node = deblurred(load(tmp_path / "a.dcm"))
    paths = [export(node, out).path for _ in range(3)]
    assert len(set(paths)) == 3 and all("DSA cerebral" in path.name and ":" not in path.name for path in paths)
    assert [export(node, out, "png").path.name for _ in range(2)] == ["deblurred.png", "deblurred 2.png"]


@pytest.mark.parametrize(
    ("format", "identity"), [("dicom", True), ("dicom", False), ("png", True), ("gif", True), ("mp4", True)]
)
@pytest.mark.parametrize("links", [True, False])
def test_no_file_is_replaced_that_appears_meanwhile(tmp_path, out, monkeypatch, format, identity, links):
    """On file systems with hard links and without."""
    needed = "imageio_ffmpeg" if format == "mp4" else "numpy" if identity else "dicomanonymizer"
    pytest.importorskip(needed, reason=f"{needed} is not installed")
    node = deblurred(load(tmp_path / "a.dcm"))
    expected = export(node, out, format, dropIdentity=not identity).path
    expected.unlink()
    truly = os.link

    def link(source, target):
        # In the last moment, when the name is chosen.
        if not expected.exists():
            expected.write_bytes(b"precious")
        if not links:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        truly(source, target)

    monkeypatch.setattr(os, "link", link)
    exported = export(node, out, format, dropIdentity=not identity)
    assert expected.read_bytes() == b"precious" and exported.path.stat().st_size > 500
    assert sorted(leftovers(out)) == sorted([expected, exported.path]) and str(exported.path) in exported.summary


def test_no_file_is_replaced_that_appears_while_frames_are_written(tmp_path, out):
    node = deblurred(load(tmp_path / "a.dcm"))
    expected = export(node, out).path
    expected.unlink()
    exported = export(node, out, progress=lambda *_: expected.write_bytes(b"precious"))
    assert expected.read_bytes() == b"precious" and sorted(leftovers(out)) == sorted([expected, exported.path])


def test_links_in_the_folder_are_not_followed(tmp_path, out):
    node = deblurred(load(tmp_path / "a.dcm"))
    expected = [export(node, out).path, export(node, out, "png").path]
    for path in expected:
        path.unlink()
        path.symlink_to(tmp_path / "nowhere")
    paths = [export(node, out).path, export(node, out, "png").path]
    assert not (tmp_path / "nowhere").exists() and len({*expected, *paths}) == 4


@pytest.mark.parametrize("format", ["dicom", "png"])
def test_folder_that_takes_nothing_is_told(tmp_path, out, monkeypatch, format):
    def denied(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    node = deblurred(load(tmp_path / "a.dcm"))
    monkeypatch.setattr("tempfile.mkdtemp", denied)
    with pytest.raises(RuntimeError, match=r"^Cannot write .*\.(dcm|png): Permission denied\.$"):
        export(node, out, format)
    assert leftovers(out) == []


@pytest.mark.parametrize("name", ["a/../b", "..", "", "a\x00b\n", "CON: *?", "x" * 300, "Jörg"])
def test_names_of_nodes_become_names_of_files(tmp_path, name):
    from DSADeblurScene.export_dicom import fileStem, writeNew

    path, _returned = writeNew(tmp_path, fileStem(name), ".dcm", lambda path: path.write_bytes(b""))
    assert path.parent == tmp_path and list(tmp_path.iterdir()) == [path]


def test_database_gets_one_file_once(tmp_path, out, utils):
    from DSADeblurScene.export_dicom import INSTANCE_UID

    node = deblurred(load(tmp_path / "a.dcm"))
    exported = export(node, format="database")
    assert len(utils.imported) == 1 and len(utils.imported[0]) == 1 and exported.path is None
    stored = slicer.dicomDatabase.fileForInstance(exported.instanceUID)
    assert np.array_equal(pydicom.dcmread(stored).pixel_array, allFrames(node)) and complaints(stored) == []
    assert node.GetAttribute(INSTANCE_UID) == exported.instanceUID and leftovers(out) == []
    assert node.GetAttribute("DICOM.instanceUIDs") is None
    again = export(node, format="database")
    assert again.instanceUID == exported.instanceUID and len(utils.imported) == 1 and "added before" in again.summary
    os.remove(stored)
    new = export(node, format="database")
    assert new.instanceUID != exported.instanceUID and len(utils.imported) == 2


def test_database_without_identity_is_another_instance(tmp_path, out, utils):
    pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")
    node = deblurred(load(tmp_path / "a.dcm"))
    uids = [export(node, format="database", dropIdentity=drop).instanceUID for drop in (False, True, True, False)]
    assert uids[0] == uids[3] != uids[1] == uids[2] and len(utils.imported) == 2 and leftovers(out) == []
    assert pydicom.dcmread(slicer.dicomDatabase.fileForInstance(uids[1])).PatientName != "Phantom^Test"


def test_database_that_takes_nothing_is_told(tmp_path, out, utils, monkeypatch):
    node = deblurred(load(tmp_path / "a.dcm"))
    # Slicer's importer reports success even then.
    slicerapi.replace(monkeypatch, "DICOMLib.DICOMUtils.importDicom", lambda dicomDataDir, *, copyFiles: True)
    with pytest.raises(RuntimeError, match="did not take the file"):
        export(node, format="database")
    monkeypatch.setattr(slicer.dicomDatabase, "isOpen", False)
    with pytest.raises(RuntimeError, match="no DICOM database"):
        export(node, format="database")
    monkeypatch.setattr(slicer, "dicomDatabase", None)
    with pytest.raises(RuntimeError, match="no DICOM database"):
        export(node, format="database")
    assert leftovers(out) == [] and node.GetAttribute("DSADeblur.ExportedInstanceUID") is None


@pytest.mark.parametrize("subtracted", [False, True])
def test_nothing_of_the_patient_is_left(tmp_path, out, subtracted):
    pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")
    extra = {
        "PatientName": "Zwölfer^Quirin",
        "PatientID": "QX-4711",
        "PatientBirthDate": "19630102",
        "AccessionNumber": "QACC",
        "InstitutionName": "Qlinik",
        "SpecificCharacterSet": "ISO_IR 192",
    }
    source = load(tmp_path / "a.dcm", extra=extra, **(MASKED if subtracted else {}))
    source.SetName("Quirin Zwölfer")
    node = deblurred(source)
    with_identity, without = export(node, out), export(node, out, dropIdentity=True)
    original = pydicom.dcmread(tmp_path / "a.dcm")
    forbidden = [*extra.values(), "Quirin", "20240102", original.StudyInstanceUID, original.SeriesInstanceUID]
    forbidden = [text for text in (*forbidden, original.SOPInstanceUID) if not text.startswith("ISO")]
    dataset = pydicom.dcmread(without.path)
    content = without.path.read_bytes().replace(dataset.PixelData, b"")
    identified = with_identity.path.read_bytes()
    assert b"QX-4711" in identified and str(original.StudyInstanceUID).encode() in identified
    assert [text for text in forbidden if text.encode() in content or text in without.path.name] == []
    assert dataset.PixelData == pydicom.dcmread(with_identity.path).PixelData and complaints(without.path) == []
    assert "sha256 0123456789abcdef" in dataset.DerivationDescription and MODEL not in dataset.DerivationDescription
    assert sorted(leftovers(out)) == sorted([with_identity.path, without.path])


def test_only_a_person_can_say_that_no_text_is_burned_in(tmp_path, out):
    pytest.importorskip("dicomanonymizer", reason="dicom-anonymizer is not installed")
    node = deblurred(load(tmp_path / "a.dcm"))
    said = []
    for reviewed in (False, True):
        exported = export(node, out, dropIdentity=True, reviewed=reviewed)
        said.append(pydicom.dcmread(exported.path).PatientIdentityRemoved)
        assert "a person must look at every frame" in exported.summary
        assert ("not marked as de-identified" in exported.summary) is not reviewed
    assert said == ["NO", "YES"]


def test_missing_package_is_told(tmp_path, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "dicomanonymizer.dicomfields_selector", None)
    with pytest.raises(RuntimeError, match="dicom-anonymizer"):
        export(deblurred(load(tmp_path / "a.dcm")), out, dropIdentity=True)
    assert leftovers(out) == []


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("format", FORMATS)
def test_cancel_leaves_nothing(tmp_path, out, utils, format, after):
    from DSADeblurScene.export import Export, ExportOptions
    from DSADeblurScene.export_frames import ExportCancelled
    from DSADeblurScene.input import browserForSequence

    if format == "mp4":
        pytest.importorskip("imageio_ffmpeg", reason="imageio-ffmpeg is not installed")
    node = deblurred(load(tmp_path / "a.dcm", **MASKED))
    viewhost.showFrame(browserForSequence(node), 3)
    done = []

    def progress(*step):
        done.append(step)
        if len(done) > (0 if format == "png" else after):
            under_way.cancel()

    under_way = Export(node, ExportOptions(format, str(out), compression="jpeg-ls"), progress)
    with pytest.raises(ExportCancelled):
        under_way.run()
    assert leftovers(out) == [] and utils.imported == [] and len(done) == (1 if format == "png" else after + 1)


@pytest.mark.parametrize("identity", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_full_disk_leaves_nothing(tmp_path, out, utils, monkeypatch, format, identity):
    needed = "imageio_ffmpeg" if format == "mp4" else "dicomanonymizer" if identity else "numpy"
    pytest.importorskip(needed, reason=f"{needed} is not installed")
    node = deblurred(load(tmp_path / "a.dcm"))

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RuntimeError, match="disk|[Nn]o space"):
        export(node, out, format, dropIdentity=identity)
    assert leftovers(out) == [] and utils.imported == []


@pytest.mark.parametrize("which", ["source", "result"])
@pytest.mark.parametrize("format", ["dicom", "gif"])
def test_node_removed_in_an_export(tmp_path, out, which, format):
    source = load(tmp_path / "a.dcm", **MASKED)
    node = deblurred(source)
    gone = {"source": source, "result": node}[which]
    with pytest.raises(ValueError, match="was removed from the scene"):
        export(node, out, format, lambda done, _: slicer.mrmlScene.RemoveNode(gone) if done == 2 else None)
    assert leftovers(out) == []


@pytest.mark.parametrize("known", [False, None])
def test_without_a_header_there_are_pictures_only(tmp_path, out, known):
    source = slicer.util.addVolumeFromArray(samples.vessel_frames(1))
    if known is not None:
        source = load(tmp_path / "a.dcm", known=known)
    node = deblurred(source)
    with pytest.raises(ValueError, match="Load the run from the DICOM database and deblur it again"):
        export(node, out)
    assert leftovers(out) == [] and export(node, out, "png").path.exists()


def instancesOf(paths) -> list[str]:
    return [pydicom.dcmread(path).SOPInstanceUID for path in paths]


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 0, 3, 1, 2, 4]])
def test_run_of_one_frame_files_is_one_object(tmp_path, out, order, sequence):
    """Each frame refers to the file that it came from, whatever order Slicer has put them in."""
    from DSADeblurLib.xa import read_run

    source, paths = loadOneFrameFiles(tmp_path, order=order, sequence=sequence)
    node = deblurred(source, frame_range=(2, 5))
    path = export(node, out).path
    dataset, run = pydicom.dcmread(path), read_run(path)
    uids = instancesOf(paths)
    expected = [uids[index] for index in order[1:5]]
    assert [item.ReferencedSOPInstanceUID for item in dataset.SourceImageSequence] == expected
    assert complaints(path) == [] and np.array_equal(run.frames[:], storedIn(node))
    # Times rise only where the frames are in the order in which they were taken.
    assert (run.times is not None) == (order == sorted(order))


def test_run_of_one_frame_files_is_subtracted(tmp_path, out):
    source, paths = loadOneFrameFiles(tmp_path)
    path = export(deblurred(source, mask_frames=(1, 2)), out).path
    dataset, uids = pydicom.dcmread(path), instancesOf(paths)
    purposes = {}
    for item in dataset.SourceImageSequence:
        purpose = item.PurposeOfReferenceCodeSequence[0].CodeValue
        purposes.setdefault(purpose, []).append(item.ReferencedSOPInstanceUID)
    assert purposes["121321"] == uids[:2] and set(purposes["121322"]) == set(uids[2:]) | set(uids[:2])
    assert complaints(path) == [] and dataset.NumberOfFrames == 6


def test_one_frame_file_that_is_missing_is_told(tmp_path, out):
    source, paths = loadOneFrameFiles(tmp_path)
    node = deblurred(source)
    paths[3].unlink()
    with pytest.raises(
        ValueError, match="^1 of the 6 DICOM files of this run are not in the database any more: .*Load"
    ):
        export(node, out)
    assert leftovers(out) == []


def test_what_cannot_be_exported_is_told(tmp_path, out):
    source = load(tmp_path / "a.dcm")
    node, more = deblurred(source), deblurred(source)
    for wrong, words in ((None, "deblur a run first"), (source, "no result of the deblurring")):
        with pytest.raises(ValueError, match=words):
            export(wrong, out)
    for folder in ("", tmp_path / "absent", tmp_path / "a.dcm"):
        with pytest.raises(ValueError, match="folder that exists"):
            export(node, folder)
    with pytest.raises(ValueError, match="Unknown format 'bmp'"):
        export(node, out, "bmp")
    with pytest.raises(RuntimeError, match="Unknown compression"):
        export(node, out, compression="zip")
    for name, text in (
        ("Subtraction", "{"),
        ("Subtraction", "[]"),
        ("FrameNumbers", "one"),
        ("FrameNumbers", None),
        ("FrameNumbers", "7 8 9 10 11 12"),
        ("FrameNumbers", "1 2"),
    ):
        before = more.GetAttribute("DSADeblur." + name)
        more.SetAttribute("DSADeblur." + name, text)
        with pytest.raises(ValueError, match="are damaged|does not fit"):
            export(more, out)
        more.SetAttribute("DSADeblur." + name, before)
    slicer.mrmlScene.RemoveNode(source)
    for format in FORMATS:
        with pytest.raises(ValueError, match="original of .* was removed"):
            export(node, out, format)
    assert leftovers(out) == []


def test_proxy_volume_stands_for_its_sequence(tmp_path, out):
    from DSADeblurScene.input import shownVolume

    node = deblurred(load(tmp_path / "a.dcm"))
    assert len(pydicom.dcmread(export(shownVolume(node), out).path).pixel_array) == 6


def test_scene_reloaded(host, tmp_path, out):
    deblurred(load(tmp_path / "a.dcm", **MASKED))
    host.saveScene(tmp_path / "scene.mrb")
    host.loadScene(tmp_path / "scene.mrb")
    node = next(one for one in slicer.util.getNodesByClass("vtkMRMLSequenceNode") if "deblurred" in one.GetName())
    assert len(pydicom.dcmread(export(node, out).path).pixel_array) == 4
