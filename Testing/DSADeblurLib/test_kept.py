"""What is kept beside a result gives it again bit for bit, and with other controls what these would have given."""

from __future__ import annotations

import json

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from DSADeblurLib import kept as module
from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.kept import Keeper, Kept, KeptFrame, recombine, trust_of
from DSADeblurLib.lab.simulation.xa_object import write_simulated_run
from DSADeblurLib.pipeline import deblur_loaded
from DSADeblurLib.request import DeblurRequest, DeblurSettings
from DSADeblurLib.restoration.deblur import DeblurCancelled
from DSADeblurLib.restoration.trust import TrustWatch
from DSADeblurLib.used import Used
from DSADeblurLib.xa.loaded_frames import loaded_run

SAME = DeblurRequest.of(device="cpu", engine="torch", precision="float32", blur=(3, 2))
CONTROLS = [
    {"sharpness": 1, "noise_reduction": 0.5},
    {"sharpness": 0.3, "noise_reduction": 0},
    {"sharpness": 0, "noise_reduction": 0},
    {"sharpness": 0, "noise_reduction": 1},
    {"sharpness": 0.6, "noise_reduction": 0.6, "uniform_noise_reduction": True},
]
SHUTTER = {
    "ShutterShape": "RECTANGULAR",
    "ShutterUpperHorizontalEdge": 8,
    "ShutterLowerHorizontalEdge": 40,
    "ShutterLeftVerticalEdge": 0,
    "ShutterRightVerticalEdge": 60,
}


def pixels(dtype=np.uint16, count=3, level=2000) -> np.ndarray:
    rows, columns = np.indices((48, 64))
    frames = level * (1 + 0.1 * np.sin(rows / 5) + np.random.default_rng(0).normal(0, 0.02, (count, 48, 64)))
    frames[1:, :, 30:34] *= 0.6
    frames[:, 0, 0] = 0
    return frames.astype(dtype)


@pytest.fixture(params=["plain", "8 bit", "floating", "rescaled", "inverted", "subtracted", "shutter", "range"])
def case(request, tmp_path):
    """(frames as a program holds them, path of their DICOM file or none, choices)."""
    kind, path = request.param, tmp_path / "run.dcm"
    plain = {"plain": np.uint16, "8 bit": np.uint8, "floating": np.float64}
    if kind in plain:
        relationship = {"relationship": "DISP" if kind == "8 bit" else "LIN"}
        return pixels(plain[kind], level=120 if kind == "8 bit" else 2000), [], relationship
    mask = {"mask_frames": (1,), "contrast_frames": (2, 3)} if kind in ("subtracted", "shutter") else {}
    frames, geometry = pixels(), dict(focal_spot_mm=1.0, sid_mm=1100, sod_mm=733, imager_pixel_spacing_mm=0.2)
    write_simulated_run(path, frames, frame_time_ms=100, **{"mask_frames": None, **mask}, **geometry)
    dataset = pydicom.dcmread(path)
    if kind == "rescaled":
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 2, -100, "US"
        frames = (frames.astype(int) * 2 - 100).astype(np.int16)
    if kind == "inverted":
        dataset.PhotometricInterpretation = "MONOCHROME1"
        frames = 2**dataset.BitsStored - 1 - frames
    for name, value in (SHUTTER if kind == "shutter" else {}).items():
        setattr(dataset, name, value)
    dataset.save_as(path)
    choices = {"inverted": {"polarity": "invert"}, "range": {"frame_range": (2, 3)}}
    return frames, [str(path)], choices.get(kind, {})


def deblurred(case, model, folder, keep=None, **controls):
    frames, files, choices = case
    np.save(folder / "in.npy", frames)
    request = SAME.with_choices(**choices, **controls)
    with FrameFile.open(folder / "in.npy") as file:
        loaded = loaded_run(file, files, request.facts)
        done = deblur_loaded(file, loaded, model, folder / "out.npy", request, keep=keep)
    return np.load(folder / "out.npy"), done


def test_any_controls_give_what_a_deblurring_with_them_gives(case, small_model, tmp_path):
    results = [deblurred(case, small_model, tmp_path, **controls)[0] for controls in CONTROLS]
    # What is kept does not depend on the controls under which it was.
    for applied, expected in list(zip(CONTROLS, results, strict=True))[::4]:
        folder = tmp_path / f"kept {applied}"
        with_kept, done = deblurred(case, small_model, tmp_path, keep=folder, **applied)
        assert done.kept and with_kept.dtype == expected.dtype and np.array_equal(with_kept, expected)
        for controls, other in zip(CONTROLS, results, strict=True):
            recombine(folder, DeblurSettings(**controls), tmp_path / "again.npy")
            again = np.load(tmp_path / "again.npy")
            assert again.dtype == other.dtype and np.array_equal(again, other), controls
            assert np.array_equal(KeptFrame(folder, 1).result(DeblurSettings(**controls)), other[1])
    if case[0].dtype != np.float64:
        assert not np.array_equal(results[0], results[1])


def test_a_network_that_is_told_the_blur(modulated_model, tmp_path):
    case = (pixels(), [], {"relationship": "LIN"})
    (first, done), (other, _) = (
        deblurred(case, modulated_model, tmp_path, keep=keep, **controls)
        for keep, controls in zip((tmp_path / "kept", None), CONTROLS, strict=False)
    )
    for controls, expected in zip(CONTROLS, (first, other), strict=False):
        recombine(tmp_path / "kept", DeblurSettings(**controls), tmp_path / "again.npy")
        assert np.array_equal(np.load(tmp_path / "again.npy"), expected)
    assert done.kept and done.used.blur_px == (3, 2)


@pytest.mark.parametrize(
    "choices", [{"sharpness": 0, "noise_reduction": 0}, {"order": "deblur-first", "mask_frames": (1,)}]
)
def test_nothing_is_kept_where_it_would_not_help(small_model, tmp_path, choices):
    _, done = deblurred((pixels(), [], {"relationship": "LIN"}), small_model, tmp_path, tmp_path / "kept", **choices)
    assert not done.kept and not (tmp_path / "kept").exists()


@pytest.mark.parametrize("written", [0, 2])
def test_without_room_the_result_comes_all_the_same(small_model, tmp_path, monkeypatch, written):
    case, count = (pixels(), [], {"relationship": "LIN"}), []
    expected, _ = deblurred(case, small_model, tmp_path)

    class Full(FrameFile):
        def _write(self, index, frame):
            count.append(index)
            if len(count) > 4 * written:
                raise OSError("No space left on device")
            super()._write(index, frame)

    monkeypatch.setattr(module, "FrameFile", Full)
    found, done = deblurred(case, small_model, tmp_path, tmp_path / "kept")
    assert np.array_equal(found, expected) and not done.kept and not (tmp_path / "kept").exists() and count


def test_a_deblurring_that_fails_leaves_no_folder(tmp_path):
    with pytest.raises(KeyError), Keeper(tmp_path / "kept", (2, 4, 4), np.uint16, Kept("LIN", 12)):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def folder(tmp_path):
    """Two frames as a keeper leaves them."""
    rng = np.random.default_rng(1)
    with Keeper(tmp_path / "kept", (2, 8, 8), np.uint16, Kept("LOG", 12)) as keeper:
        for position in range(2):
            o, blurred = rng.normal(2000, 100, (2, 8, 8)).astype(np.float32)
            keeper(position, rng.integers(1900, 2100, (8, 8), np.uint16), o, blurred, rng.random((8, 8)) > 0.5)
    return tmp_path / "kept"


@pytest.mark.parametrize("after", [0, 1])
def test_a_recombination_that_is_cancelled_leaves_nothing(folder, after):
    asked = []
    with pytest.raises(DeblurCancelled):
        out = folder.parent / "out.npy"
        recombine(folder, DeblurSettings(), out, is_cancelled=lambda: asked.append(1) or len(asked) > after)
    assert [path.name for path in folder.parent.iterdir()] == ["kept"]


def test_trust_is_what_a_watch_beside_the_deblurring_tells(modulated_model, tmp_path):
    case = (pixels(), [], {"relationship": "LIN"})
    _, done = deblurred(case, modulated_model, tmp_path, tmp_path / "kept")
    watch, path, names = TrustWatch("LIN"), tmp_path / "map.npy", ("frame", "restored", "blurred", "lines")
    kept = [np.load(tmp_path / "kept" / f"{name}.npy") for name in names]
    maps = [watch(index, *(part[index] for part in kept)) for index in range(len(kept[0]))]
    seen = []
    found = trust_of(tmp_path / "kept", done.used, path, progress=lambda *one: seen.append(one))
    assert found == watch.trust(done.used.frame_numbers, done.used.blur_px) and seen[-1] == (len(maps), len(maps))
    assert np.load(path).dtype == np.uint8 and np.array_equal(np.load(path), maps)


def test_a_look_at_trust_that_is_cancelled_leaves_nothing(folder):
    used = Used("1", "m", "0", "cpu", "torch", "float32", None, (2.0, 2.0), "given", (), (1, 2), 1.0)
    with pytest.raises(DeblurCancelled):
        trust_of(folder, used, folder.parent / "map.npy", is_cancelled=lambda: True)
    assert [path.name for path in folder.parent.iterdir()] == ["kept"]


def test_progress_counts_frames(folder):
    seen = []
    recombine(folder, DeblurSettings(), folder.parent / "out.npy", progress=lambda *one: seen.append(one))
    assert seen == [(0, 2), (1, 2), (2, 2)]


@settings(max_examples=40)
@given(s=st.floats(0, 1), n=st.floats(0, 1), uniform=st.booleans())
def test_the_ends_of_both_controls_are_the_frame_and_the_output(tmp_path_factory, s, n, uniform):
    folder = tmp_path_factory.mktemp("ends") / "kept"
    o = np.random.default_rng(2).normal(0, 1, (6, 6)).astype(np.float32)
    with Keeper(folder, (1, 6, 6), np.float32, Kept(None, None)) as keeper:
        keeper(0, o + 1, o, o, np.zeros((6, 6), bool))
    found = KeptFrame(folder, 0).result(DeblurSettings(sharpness=s, noise_reduction=n, uniform_noise_reduction=uniform))
    np.testing.assert_allclose(found, o + (1 - n), atol=1e-5)


def test_what_is_damaged_is_told(folder):
    (folder / "restored.npy").write_bytes((folder / "restored.npy").read_bytes()[:-4])
    with pytest.raises(ValueError, match="cut short"):
        KeptFrame(folder, 0)
    assert json.loads((folder / "kept.json").read_text())["relationship"] == "LOG"
    with pytest.raises(OSError):
        KeptFrame(folder / "gone", 0)
