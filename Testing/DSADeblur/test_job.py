"""A job gives the pixels that the shell gives for the same file, with the worker process in between."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import hostpaths
import numpy as np
import pytest
import samples
import slicer
from scenes import allFrames, fingerprint, load

DATA = Path(os.environ.get("DSADEBLUR_DATA", hostpaths.ROOT.parent / "shared" / "data")) / "xa"
pytestmark = pytest.mark.usefixtures("host")
# Left to themselves, two processes may find different engines fastest, which round differently.
SAME = {"device": "cpu", "engine": "torch", "precision": "float32"}


def deblurNode(node, model, **options):
    """As DSADeblurLogic.process does; returns (derived node, the worker's answer)."""
    from DSADeblurLib.restoration.settings import DeblurSettings
    from DSADeblurScene.job import Job, Options
    from DSADeblurScene.worker_client import Callbacks

    chosen = {name: options.pop(name) for name in ("subtraction", "maskFrames", "relationship") if name in options}
    job = Job(node, Options(model, DeblurSettings(**SAME, **options), **chosen))
    client, answer = warmClient(), {}
    try:
        client.submit(job.request(), Callbacks(finished=answer.update, error=pytest.fail))
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


def deblurFile(path, model, subtract="auto", mask_frames=None, **settings):
    """What the shell computes: frames and their numbers."""
    from DSADeblurLib.pipeline import prepare
    from DSADeblurLib.restoration.deblur import deblur
    from DSADeblurLib.restoration.package import load_model
    from DSADeblurLib.restoration.settings import DeblurSettings
    from DSADeblurLib.xa import plan_subtraction, read_run

    run = read_run(path)
    plan = plan_subtraction(run, subtract, mask_frames)
    chosen = DeblurSettings(**SAME, **settings)
    ready = prepare(run.frames, run.relationship, run.bits_stored, plan, chosen)
    meaning = dict(relationship=ready.relationship, bits_stored=ready.bits_stored)
    result = deblur(ready.frames, load_model(model), ready.settings, **meaning)
    return np.asarray(result.frames), [ready.frame_numbers[n - 1] for n in result.frame_numbers]


MASKED = {"mask_frames": (1, 2), "contrast_range": (3, 6)}
RESCALED = {"RescaleSlope": "2", "RescaleIntercept": "-100", "RescaleType": "US"}


@pytest.mark.parametrize(
    ("written", "node", "file"),
    [
        ({}, {}, {}),
        ({"bits": 8, "relationship": "DISP"}, {}, {}),
        ({"relationship": "LOG"}, {"strength": 0.4, "tile": 24}, {"strength": 0.4, "tile": 24}),
        (MASKED, {}, {}),
        (MASKED, {"subtraction": "never", "frames": (2, 4)}, {"subtract": "never", "frames": (2, 4)}),
        (MASKED, {"frames": (4, 5)}, {"frames": (4, 5)}),
        ({}, {"maskFrames": (1,)}, {"mask_frames": (1,)}),
        ({**MASKED, "extra": RESCALED}, {}, {}),
        ({**MASKED, "frame_time": None}, {"strength": 0.0}, {"strength": 0.0}),
    ],
)
def test_same_pixels_as_the_shell(tmp_path, tiny_model, written, node, file):
    path = tmp_path / "a.dcm"
    source = load(path, samples.vessel_frames(bits=written.get("bits", 12)), **written)
    before = fingerprint(source)
    expected, numbers = deblurFile(path, tiny_model, **file)
    derived, answer = deblurNode(source, tiny_model, **node)
    assert answer["frame_numbers"] == numbers
    assert allFrames(derived).dtype == expected.dtype and np.array_equal(allFrames(derived), expected)
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
    derived, answer = deblurNode(source, tiny_model, frames=(40, 42))
    assert answer["frame_numbers"] == [40, 41, 42]
    assert np.array_equal(allFrames(derived), deblurFile(path, tiny_model, frames=(40, 42))[0])


def test_node_tells_where_it_comes_from(tmp_path, tiny_model):
    from DSADeblurLib.restoration.card import read_card

    source = load(tmp_path / "a.dcm", **MASKED)
    derived, _ = deblurNode(source, tiny_model)
    said = {name: derived.GetAttribute(f"DSADeblur.{name}") for name in ("Model", "ModelSHA256", "ResearchUseOnly")}
    assert said == {"Model": "tiny", "ModelSHA256": read_card(tiny_model).sha256, "ResearchUseOnly": "true"}
    assert derived.GetAttribute("DSADeblur.SourceNodeID") == source.GetID()
    uid = source.GetNthDataNode(0).GetAttribute("DICOM.instanceUIDs")
    assert derived.GetAttribute("DSADeblur.SourceInstanceUID") == uid
    assert json.loads(derived.GetAttribute("DSADeblur.Settings"))["strength"] == 1
    assert json.loads(derived.GetAttribute("DSADeblur.Subtraction"))["masks"][0]["frames"] == [1, 2]
    assert derived.GetAttribute("DSADeblur.FrameNumbers") == "3 4 5 6"
    assert derived.GetName() == source.GetName() + " deblurred"


def test_no_dicom_behind_the_node(tiny_model):
    from DSADeblurScene.job import Job, Options

    node = slicer.util.addVolumeFromArray(samples.vessel_frames())
    job = Job(node, Options(tiny_model))
    job.discard()
    assert "No DICOM header" in " ".join(job.notes)
    derived, _ = deblurNode(node, tiny_model)
    assert allFrames(derived).dtype == np.uint16 and derived.GetAttribute("DSADeblur.Relationship") == ""
    derived, answer = deblurNode(node, tiny_model, maskFrames=(1, 2), frames=(3, 6))
    assert allFrames(derived).dtype == np.float32 and answer["frame_numbers"] == [3, 4, 5, 6]
    assert derived.GetAttribute("DSADeblur.Relationship") == "DISP"
    assert "not quantitative" in derived.GetAttribute("DSADeblur.Notices")
    derived, _ = deblurNode(node, tiny_model, maskFrames=(1, 2), relationship="LIN")
    assert derived.GetAttribute("DSADeblur.Relationship") == "LIN"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"subtraction": "always"}, "enter mask frames"),
        ({"maskFrames": (9,)}, "Mask frame 9 does not exist"),
        ({"frames": (2, 9)}, "has 6 frames"),
    ],
)
def test_choices_that_do_not_fit_are_told_before_anything_is_written(tiny_model, options, words):
    node = slicer.util.addVolumeFromArray(samples.vessel_frames())
    with pytest.raises(ValueError, match=words):
        deblurNode(node, tiny_model, **options)
    assert not list(Path(slicer.app.temporaryPath).glob("dsad-*"))


def test_already_subtracted_run_is_not_subtracted_again(tmp_path, tiny_model):
    source = load(tmp_path / "a.dcm", extra={"DerivationDescription": "subtracted"}, **MASKED)
    derived, _ = deblurNode(source, tiny_model)
    assert allFrames(derived).dtype == np.uint16
    with pytest.raises(ValueError, match="already subtracted"):
        deblurNode(source, tiny_model, subtraction="always")


def test_result_for_a_removed_source_is_discarded(tmp_path, tiny_model):
    from DSADeblurScene.job import Job, Options

    source = load(tmp_path / "a.dcm")
    job = Job(source, Options(tiny_model))
    assert not job.isOrphan()
    slicer.mrmlScene.RemoveNode(source)
    assert job.isOrphan()
    with pytest.raises(ValueError, match="was removed"):
        job.finish({})
    job.discard()
    assert not list(Path(slicer.app.temporaryPath).glob("dsad-*"))
