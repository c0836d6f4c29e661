"""A job gives the pixels that the shell gives for the same file, with the worker process in between."""

from __future__ import annotations

import json
import os
import tempfile
from functools import cache
from pathlib import Path

import hostpaths
import numpy as np
import pytest
import samples
import slicer
from pydicom.dataset import Dataset
from results import deblurred
from scenes import allFrames, fingerprint, load, loadOneFrameFiles

from DSADeblurLib.xa import UserFacts

DATA = Path(os.environ.get("DSADEBLUR_DATA", hostpaths.ROOT.parent / "shared" / "data")) / "xa"
pytestmark = pytest.mark.usefixtures("host")
# Left to themselves, two processes may find different engines fastest, which round differently.
SAME = {"device": "cpu", "engine": "torch", "precision": "float32"}


def deblurNode(node, model, **choices):
    """As DSADeblurLogic.process does; returns (derived node, the worker's answer)."""
    from DSADeblurLib.request import DeblurRequest
    from DSADeblurScene.job import Job
    from DSADeblurScene.worker_client import Callbacks

    def fail(text, *_details):
        raise RuntimeError(text)

    job = Job(node, DeblurRequest.of(model=model, **{**SAME, **choices}))
    client, answer = warmClient(), {}
    try:
        client.submit(job.message(), Callbacks(finished=answer.update, error=fail))
        client.wait()
        return job.finish(answer), answer
    finally:
        job.discard()


@cache
def warmClient():
    """One worker process for all jobs of this file."""
    from DSADeblurScene.runner import SubprocessRunner
    from DSADeblurScene.worker_client import WorkerClient

    return WorkerClient(SubprocessRunner)


@pytest.fixture(scope="module", autouse=True)
def stop_worker():
    yield
    warmClient().stop()
    warmClient.cache_clear()


def deblurFile(path, model, **choices):
    """What the shell computes: frames and their numbers."""
    from DSADeblurLib.frame_file import FrameFile
    from DSADeblurLib.pipeline import prepare, restore
    from DSADeblurLib.request import DeblurRequest
    from DSADeblurLib.restoration.package import load_model
    from DSADeblurLib.xa import read_run

    request = DeblurRequest.of(**{**SAME, **choices})
    with tempfile.TemporaryDirectory() as folder, read_run(path, request.facts) as run:
        used, _notices = restore(prepare(run, request), load_model(model), Path(folder) / "out.npy")
        with FrameFile.open(Path(folder) / "out.npy") as frames:
            return np.asarray(frames[:]), list(used.frame_numbers)


MASKED = {"mask_frames": (1, 2), "contrast_range": (3, 6)}
RESCALED = {"RescaleSlope": "2", "RescaleIntercept": "-100", "RescaleType": "US"}


SIGNED = {"PixelRepresentation": 1}
SHUTTER = {
    "ShutterShape": "RECTANGULAR",
    "ShutterUpperHorizontalEdge": 8,
    "ShutterLowerHorizontalEdge": 49,
    "ShutterLeftVerticalEdge": 0,
    "ShutterRightVerticalEdge": 60,
}


def modalityLut() -> Dataset:
    """Display value d stands for intensity 4095 - d."""
    lut = Dataset()
    lut.add_new("LUTDescriptor", "US", [4096, 0, 16])
    lut.add_new("LUTData", "OW", np.arange(4095, -1, -1).astype("<u2").tobytes())
    lut.ModalityLUTType = "OD"
    return lut


@pytest.mark.slow
@pytest.mark.parametrize(
    ("written", "options"),
    [
        ({}, {}),
        ({"bits": 8, "relationship": "DISP"}, {}),
        ({"relationship": "LOG"}, {"strength": 0.4, "tile": 24}),
        ({}, {"sharpness": 0.5, "noise_reduction": 0.0}),
        (MASKED, {}),
        (MASKED, {"subtract": "never", "frame_range": (2, 4)}),
        (MASKED, {"frame_range": (4, 5)}),
        ({}, {"mask_frames": (1,)}),
        ({**MASKED, "extra": RESCALED}, {}),
        ({**MASKED, "frame_time": None}, {"strength": 0.0}),
        (MASKED, {"order": "deblur-first"}),
        (MASKED, {"mask_shift": (0.5, -1.25), "registration": "shift"}),
        ({}, {"subtract": "find"}),
        ({**MASKED, "mask_shift": (0.5, 0.25)}, {}),
        ({**MASKED, "mask_shift": (0.5, 0.25)}, {"flip_shift": True}),
        ({**MASKED, "extra": SHUTTER}, {}),
        ({"extra": SHUTTER}, {}),
        ({**MASKED, "relationship": "DISP", "extra": {"ModalityLUTSequence": [modalityLut()]}}, {}),
        ({**MASKED, "photometric": "MONOCHROME1"}, {"polarity": "keep"}),
        ({"photometric": "MONOCHROME1"}, {"polarity": "invert"}),
        ({**MASKED, "photometric": "MONOCHROME1", "extra": RESCALED}, {"polarity": "keep"}),
        ({**MASKED, "photometric": "MONOCHROME1", "extra": RESCALED}, {"polarity": "invert"}),
        ({**MASKED, "extra": SIGNED}, {"polarity": "keep"}),
        ({"extra": SIGNED}, {"polarity": "invert"}),
        (
            {"geometry": False, "spacing": None},
            {"focal_spot_mm": 1.2, "magnification": 1.4, "detector_spacing_mm": 0.2, "relationship": "LOG"},
        ),
    ],
)
def test_same_pixels_as_the_shell(tmp_path, tiny_model, written, options):
    path = tmp_path / "a.dcm"
    pixels = samples.vessel_frames(bits=written.get("bits", 12))
    if written.get("extra") is SIGNED:
        pixels = (pixels.astype(np.int16) - 2048).view(np.uint16)
    source = load(path, pixels, **written)
    before = fingerprint(source)
    expected, numbers = deblurFile(path, tiny_model, **options)
    derived, answer = deblurNode(source, tiny_model, **options)
    assert answer["used"]["frame_numbers"] == numbers
    found = allFrames(derived)
    if "polarity" in options and found.dtype != np.float32:
        # Native results are shown with the reader's meaning of values; back through the rule they are the file's.
        from DSADeblurLib.xa.loaded_frames import StoredValues
        from DSADeblurScene.input import readInput
        from DSADeblurScene.run_file import loadedRun

        loaded = loadedRun(readInput(source), UserFacts(polarity=options["polarity"]))
        found = StoredValues(readInput(derived).frames, loaded.rule)[:]
    assert found.dtype == expected.dtype and np.array_equal(found, expected)
    assert fingerprint(source) == before


def test_rescaled_values_come_back_rescaled(tmp_path, tiny_model):
    source = load(tmp_path / "a.dcm", extra=RESCALED)
    expected, _ = deblurFile(tmp_path / "a.dcm", tiny_model)
    derived, _ = deblurNode(source, tiny_model)
    assert allFrames(source).dtype == allFrames(derived).dtype == np.int16
    assert np.array_equal(allFrames(derived), expected.astype(int) * 2 - 100)


def test_stack_gives_the_same_pixels(tmp_path, tiny_model):
    source = load(tmp_path / "a.dcm", stack=True, **MASKED)
    derived, _ = deblurNode(source, tiny_model)
    assert np.array_equal(allFrames(derived), deblurFile(tmp_path / "a.dcm", tiny_model)[0])


@pytest.mark.parametrize("name", ["XA1_UNC", "XA1_RLE", "XA1_JLSL", "XA1_JPLL", "rf_modality_lut_anon"])
def test_same_pixels_on_real_files(tiny_model, name):
    path = DATA / f"{name}.dcm"
    if not path.exists():
        pytest.skip(f"the real file {path.name} is not on this computer (set DSADEBLUR_DATA)")
    import dicomhost

    source = dicomhost.loadLikeSlicer(path)
    derived, _ = deblurNode(source, tiny_model)
    assert np.array_equal(allFrames(derived), deblurFile(path, tiny_model)[0])


def test_same_pixels_on_a_real_cine(tiny_model):
    path = DATA / "coronary_96f_jpegbaseline.dcm"
    if not path.exists():
        pytest.skip("the real file of a coronary cine is not on this computer (set DSADEBLUR_DATA)")
    import dicomhost

    source = dicomhost.loadLikeSlicer(path)
    derived, answer = deblurNode(source, tiny_model, frame_range=(40, 42))
    assert answer["used"]["frame_numbers"] == [40, 41, 42]
    assert np.array_equal(allFrames(derived), deblurFile(path, tiny_model, frame_range=(40, 42))[0])


def test_node_tells_where_it_comes_from(tmp_path, tiny_model):
    from DSADeblurLib.restoration.card import read_card

    source = load(tmp_path / "a.dcm", **MASKED)
    derived, _ = deblurNode(source, tiny_model)
    used = json.loads(derived.GetAttribute("DSADeblur.Used"))
    assert (used["model"], used["model_sha256"]) == ("tiny", read_card(tiny_model).sha256)
    assert derived.GetAttribute("DSADeblur.ResearchUseOnly") == "true"
    assert derived.GetAttribute("DSADeblur.SourceNodeID") == source.GetID()
    uid = source.GetNthDataNode(0).GetAttribute("DICOM.instanceUIDs")
    assert derived.GetAttribute("DSADeblur.SourceInstanceUID") == uid
    settings = json.loads(derived.GetAttribute("DSADeblur.Request"))
    assert (settings["sharpness"], settings["noise_reduction"]) == (1, 0.5)
    assert json.loads(derived.GetAttribute("DSADeblur.Subtraction"))["masks"][0]["frames"] == [1, 2]
    assert derived.GetAttribute("DSADeblur.FrameNumbers") == "3 4 5 6"
    assert derived.GetName() == source.GetName() + " deblurred"


def test_no_dicom_behind_the_node(tiny_model):
    node = slicer.util.addVolumeFromArray(samples.vessel_frames())
    derived, _ = deblurNode(node, tiny_model)
    assert "No DICOM header" in derived.GetAttribute("DSADeblur.Notices")
    assert allFrames(derived).dtype == np.uint16 and derived.GetAttribute("DSADeblur.Relationship") == ""
    derived, answer = deblurNode(node, tiny_model, mask_frames=(1, 2), frame_range=(3, 6))
    assert allFrames(derived).dtype == np.float32 and answer["used"]["frame_numbers"] == [3, 4, 5, 6]
    assert derived.GetAttribute("DSADeblur.Relationship") == "DISP"
    assert "not quantitative" in derived.GetAttribute("DSADeblur.Notices")
    derived, _ = deblurNode(node, tiny_model, mask_frames=(1, 2), relationship="LIN")
    assert derived.GetAttribute("DSADeblur.Relationship") == "LIN"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"subtract": "always"}, "give the numbers of the mask frames"),
        ({"mask_frames": (9,)}, "Mask frame 9 does not exist"),
        ({"frame_range": (2, 9)}, "the run has 6"),
    ],
)
def test_choices_that_do_not_fit_leave_nothing(tiny_model, options, words):
    node = slicer.util.addVolumeFromArray(samples.vessel_frames())
    with pytest.raises(RuntimeError, match=words):
        deblurNode(node, tiny_model, **options)
    assert not list(Path(slicer.app.temporaryPath).glob("dsad-*"))


def test_already_subtracted_run_is_not_subtracted_again(tmp_path, tiny_model):
    source = load(tmp_path / "a.dcm", extra={"DerivationDescription": "subtracted"}, **MASKED)
    derived, _ = deblurNode(source, tiny_model)
    assert allFrames(derived).dtype == np.uint16
    assert allFrames(deblurNode(source, tiny_model, subtract="always")[0]).dtype == np.float32
    with pytest.raises(ValueError, match="not subtracted again"):
        deblurNode(source, tiny_model, subtract="always", content="subtracted")


def test_a_mask_is_found_without_a_header_too(tiny_model):
    node = slicer.util.addVolumeFromArray(samples.vessel_frames())
    derived, answer = deblurNode(node, tiny_model, subtract="find", relationship="LIN")
    assert answer["used"]["frame_numbers"][-1] == 6 and answer["used"]["frame_numbers"][0] > 1
    assert "chosen automatically" in derived.GetAttribute("DSADeblur.Notices")
    with pytest.raises(RuntimeError, match="larger than the image"):
        deblurNode(node, tiny_model, mask_frames=(1,), mask_shift=(60.0, 0.0))


def test_the_users_geometry_tells_the_blur_and_is_marked(tmp_path, tiny_model):
    facts = {"focal_spot_mm": 1.2, "magnification": 1.4, "detector_spacing_mm": 0.2}
    nodes = slicer.util.addVolumeFromArray(samples.vessel_frames()), load(tmp_path / "a.dcm", geometry=False)
    for node in nodes:
        derived, answer = deblurNode(node, tiny_model, **facts)
        assert answer["used"]["blur_source"] == "geometry" and answer["used"]["blur_px"] is not None
        assert json.loads(derived.GetAttribute("DSADeblur.Request"))["focal_spot_mm"] == 1.2


def test_result_for_a_removed_source_is_discarded(tmp_path, tiny_model):
    from DSADeblurLib.request import DeblurRequest
    from DSADeblurScene.job import Job

    source = load(tmp_path / "a.dcm")
    job = Job(source, DeblurRequest(tiny_model))
    assert not job.isOrphan()
    slicer.mrmlScene.RemoveNode(source)
    assert job.isOrphan()
    with pytest.raises(ValueError, match="was removed"):
        job.finish({})
    job.discard()
    assert not list(Path(slicer.app.temporaryPath).glob("dsad-*"))


@pytest.mark.parametrize("sequence", [False, True])
def test_one_frame_files_are_deblurred_as_one_file_is(tmp_path, tiny_model, sequence):
    """The worker finds what the shell finds in the same files, and the derived node has the node's frames."""
    source, paths = loadOneFrameFiles(tmp_path, sequence=sequence)
    whole = load(tmp_path / "whole.dcm")
    derived, answer = deblurNode(source, tiny_model, mask_frames=(1, 2))
    expected, _ = deblurNode(whole, tiny_model, mask_frames=(1, 2))
    assert np.array_equal(allFrames(derived), allFrames(expected)) and answer["subtraction"] is not None
    assert not any("not used" in notice or "as they are" in notice for notice in answer["notices"])


def counts() -> list[int]:
    """How many nodes of images, and of what shows and stores them, are in the scene."""
    kinds = ("vtkMRMLSequenceNode", "vtkMRMLScalarVolumeNode", "vtkMRMLVolumeDisplayNode", "vtkMRMLStorageNode")
    return [slicer.mrmlScene.GetNumberOfNodesByClass(kind) for kind in kinds]


@pytest.mark.parametrize("stack", [False, True])
def test_a_result_replaces_an_earlier_one_of_its_run_and_nothing_else(host, tmp_path, stack):
    from DSADeblurScene.job import Place
    from DSADeblurScene.views import showPeakOpacification

    source, other = (load(tmp_path / f"{name}.dcm", stack=stack, **MASKED) for name in "ab")
    before, first, beside = fingerprint(source), deblurred(source), deblurred(source)
    foreign, there = deblurred(other), counts()
    first.SetName("mine")
    showPeakOpacification(first)
    # What a user has put there stays.
    own = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "own")
    first.SetNodeReferenceID("DSADeblur.line", own.GetID())
    renewed = deblurred(source, Place(replaces=first), sharpness=0.25)
    assert slicer.mrmlScene.GetNodeByID(first.GetID() or "") is not first
    assert renewed.GetName() == "mine" and slicer.util.getNode("own") is own
    # With all that was made of it: two pictures.
    assert counts() == there
    assert slicer.mrmlScene.GetNodeByID(beside.GetID()) is beside and fingerprint(source) == before
    for wrong in (foreign, source):
        with pytest.raises(ValueError, match="is no result of this run, and is not replaced"):
            deblurred(source, Place(replaces=wrong))
        assert slicer.mrmlScene.GetNodeByID(wrong.GetID()) is wrong


def test_a_result_has_the_name_that_was_asked(host, tmp_path):
    from DSADeblurScene.job import Place

    source = load(tmp_path / "a.dcm")
    names = [deblurred(source, Place(name)).GetName() for name in ("", "sharp", "sharp")]
    assert names == [f"{source.GetName()} deblurred", "sharp", "sharp_1"]


def test_a_preview_goes_with_the_next_result_of_its_run(host, tmp_path):
    from DSADeblurScene.derived import PREVIEW, resultsOf
    from DSADeblurScene.job import Place

    source, other = load(tmp_path / "a.dcm"), load(tmp_path / "b.dcm")
    elsewhere = deblurred(other, Place(preview=True), frame_range=(1, 1))
    for number in (2, 3):
        preview = deblurred(source, Place(preview=True), frame_range=(number, number))
        assert resultsOf(source, PREVIEW) == [preview] and preview.GetName().endswith("preview")
    deblurred(source)
    assert resultsOf(source, PREVIEW) == [] and resultsOf(other, PREVIEW) == [elsewhere]
