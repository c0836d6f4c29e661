"""Runs are restored the same whole or in tiles, can be stopped, and get around a lack of memory."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.request import DEFAULT_MODEL, DeblurSettings
from DSADeblurLib.restoration.controls import apply_controls
from DSADeblurLib.restoration.deblur import DeblurCancelled, DeblurError, deblur
from DSADeblurLib.restoration.engine import EngineError, OutOfMemory
from DSADeblurLib.restoration.normalisation import Aperture, fit_normalisation
from DSADeblurLib.restoration.package import load_model
from DSADeblurLib.restoration.selection import Engines
from DSADeblurLib.restoration.torch_engine import TorchEngine

# What the network says by itself; the controls have tests of their own.
ALONE = DeblurSettings(noise_reduction=1.0, uniform_noise_reduction=True)
CPU = {"device": "cpu", "precision": "float32", "noise_reduction": 1.0, "uniform_noise_reduction": True}


def run_of(shape=(3, 40, 50), dtype=np.uint16, seed=0):
    values = np.random.default_rng(seed).normal(2000, 300, size=shape)
    return values.astype(dtype) if np.dtype(dtype).kind == "u" else (values / 1000).astype(dtype)


def assert_same(test, truth):
    """Equal but for the order of float32 sums."""
    assert np.abs(test - truth).max() <= 1e-5 * np.ptp(truth)


NETWORKS = st.sampled_from(
    [
        {"factor": 1},
        {"factor": 2},
        {"factor": 4, "frames": 3},
        {"kind": "unet", "levels": 2},
        {"kind": "unet", "levels": 1, "frames": 3, "factor": 1},
        {"kind": "unet", "levels": 2, "modulated": True},
        {"kind": "unet", "levels": 1, "frames": 3, "modulated": True},
    ]
)


@pytest.mark.slow
@settings(max_examples=25)
@given(rows=st.integers(16, 90), cols=st.integers(16, 90), tile=st.integers(16, 100), numbers=NETWORKS)
def test_tiled_equals_whole(make_model, rows, cols, tile, numbers):
    model = make_model(**numbers)
    frames = run_of((2, rows, cols), np.float32, seed=rows * cols)
    whole = deblur(frames, model, DeblurSettings(**CPU)).frames
    tiled = deblur(frames, model, DeblurSettings(tile=tile, **CPU)).frames
    assert_same(tiled, whole)
    assert np.abs(whole - frames).max() > 1e-3 * np.ptp(frames)  # the network did something


def test_the_result_is_the_network_on_normalised_values(make_model):
    model, frames = make_model(), run_of(dtype=np.float32)
    scale = fit_normalisation(frames)
    with torch.no_grad():
        expected = scale.invert(model.network(torch.from_numpy(scale.apply(frames))[:, None])[:, 0].numpy())
    result = deblur(frames, model, DeblurSettings(**CPU))
    np.testing.assert_allclose(result.frames, expected, atol=1e-5)
    assert result.normalisation == scale


def test_an_identity_network_changes_no_stored_value(make_model):
    model = make_model()
    torch.nn.init.zeros_(model.network.last.weight)
    torch.nn.init.zeros_(model.network.last.bias)
    frames = np.random.default_rng(1).integers(1, 2**16, size=(2, 64, 64), dtype=np.uint16)
    for relationship in ("LIN", "LOG", "DISP"):
        for precision in ("float32", "bfloat16"):
            choices = replace(ALONE, device="cpu", precision=precision)
            np.testing.assert_array_equal(deblur(frames, model, choices, relationship=relationship).frames, frames)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_both_controls_at_zero_are_bit_identical(make_model, dtype):
    frames = run_of(dtype=dtype)
    nothing = DeblurSettings(device="cpu", sharpness=0, noise_reduction=0)
    result = deblur(frames, make_model(), nothing, relationship="LIN")
    assert result.frames.dtype == frames.dtype
    assert result.frames.tobytes() == frames.tobytes()


def test_a_modulated_network_is_told_what_its_estimator_sees_or_the_user_says(make_model):
    """One width for the run, whatever frames are chosen; the user's width takes its place."""
    model, frames = make_model(kind="unet", modulated=True), run_of((5, 48, 64), np.float32)
    whole = deblur(frames, model, DeblurSettings(**CPU))
    # Without a header the smaller of the likely widths is told, see CAUTION.
    assert all(0 <= told < seen < 32 for told, seen in zip(whole.blur_px, whole.blur_estimated_px, strict=True))
    part = deblur(frames, model, DeblurSettings(frame_range=(4, 4), **CPU))
    assert part.blur_px == whole.blur_px
    np.testing.assert_array_equal(part.frames[0], whole.frames[3])
    header = deblur(frames, model, DeblurSettings(**CPU), header_px=(9.0, 0.0))
    assert header.blur_px[0] > whole.blur_px[0] and header.blur_px[1] < whole.blur_px[1]
    assert header.blur_estimated_px == whole.blur_estimated_px and (header.frames != whole.frames).any()


@pytest.mark.parametrize(("blur", "used"), [((9.0, 0.0), (9.0, 0.0)), ("header", (4.0, 3.0)), ("frames", None)])
def test_a_blur_that_is_said_is_taken_as_it_is(make_model, blur, used):
    model, frames = make_model(kind="unet", modulated=True), run_of(dtype=np.float32)
    result = deblur(frames, model, DeblurSettings(blur=blur, **CPU), header_px=(4.0, 3.0))
    without_header = deblur(frames, model, DeblurSettings(**CPU)).blur_px
    assert result.blur_px == (used or without_header) and (result.blur_estimated_px is None) == bool(used)
    assert not result.notices


def test_a_network_that_is_not_told_needs_no_blur(make_model):
    model, frames = make_model(), run_of(dtype=np.float32)
    plain, blur_condition = (deblur(frames, model, DeblurSettings(blur=blur, **CPU)) for blur in ("auto", (3.0, 3.0)))
    assert plain.blur_px is blur_condition.blur_px is None
    np.testing.assert_array_equal(blur_condition.frames, plain.frames)


@pytest.mark.parametrize("numbers", [{}, {"kind": "unet", "modulated": True}])
def test_controls_act_on_the_networks_output_with_the_blur_of_the_run(make_model, numbers):
    model, frames = make_model(**numbers), run_of(dtype=np.float32)
    full = deblur(frames, model, DeblurSettings(blur=(3.0, 2.0), **CPU))
    chosen = DeblurSettings(device="cpu", precision="float32", sharpness=0.7, noise_reduction=0.4, blur=(3.0, 2.0))
    result = deblur(frames, model, chosen)
    assert result.blur_px == (3.0, 2.0)
    expected = [
        apply_controls(frame, output, chosen, result.blur_px, Aperture())
        for frame, output in zip(frames, full.frames, strict=True)
    ]
    np.testing.assert_allclose(result.frames, expected, atol=1e-5)


def test_equal_controls_blend_between_input_and_output(make_model):
    model, frames = make_model(), run_of(dtype=np.float32)
    full = deblur(frames, model, DeblurSettings(**CPU)).frames
    quarter = deblur(frames, model, replace(ALONE, sharpness=0.25, noise_reduction=0.25, device="cpu"))
    np.testing.assert_allclose(quarter.frames, 0.75 * frames + 0.25 * full, atol=1e-5)
    assert quarter.blur_px is None


@pytest.mark.slow
def test_a_network_without_an_estimator_takes_the_blur_that_the_default_model_estimates(make_model):
    frames = run_of((2, 64, 64), np.float32)
    # The precision is that of the networks; the estimator looks at the same frames in both.
    default = deblur(frames, load_model(DEFAULT_MODEL), DeblurSettings(**CPU))
    result = deblur(frames, make_model(), DeblurSettings(device="cpu"))
    assert result.blur_px == default.blur_px and result.blur_estimated_px == default.blur_estimated_px


def test_integers_stay_within_the_bits_stored(make_model):
    model = make_model()
    torch.nn.init.constant_(model.network.last.bias, 10)
    frames = run_of()
    result = deblur(frames, model, DeblurSettings(**CPU), bits_stored=12).frames
    assert result.dtype == np.uint16 and result.max() == 4095


def test_a_run_brings_its_relationship_and_bits(make_model):
    model, frames = make_model(), run_of()
    run = SimpleNamespace(frames=frames, relationship="LIN", bits_stored=11)
    expected = deblur(frames, model, DeblurSettings(**CPU), relationship="LIN", bits_stored=11).frames
    np.testing.assert_array_equal(deblur(run, model, DeblurSettings(**CPU)).frames, expected)
    assert (deblur(frames, model, DeblurSettings(**CPU)).frames != expected).any()


def test_chosen_frames_are_those_of_the_whole_run(make_model):
    model, frames = make_model(), run_of((5, 32, 32))
    whole = deblur(frames, model, DeblurSettings(**CPU))
    part = deblur(frames, model, DeblurSettings(frame_range=(2, 4), **CPU))
    assert part.frame_numbers == (2, 3, 4) and whole.frame_numbers == (1, 2, 3, 4, 5)
    np.testing.assert_array_equal(part.frames, whole.frames[1:4])


class Counted:
    """Frames that count how often each is read."""

    def __init__(self, frames):
        self.frames, self.shape, self.dtype = frames, frames.shape, frames.dtype
        self.reads = [0] * len(frames)

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        self.reads[index] += 1
        return self.frames[index]


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("radius", [0, 1, 2])
def test_a_network_sees_the_neighbours_of_each_frame(make_model, count, radius):
    model, frames = make_model(frames=2 * radius + 1), run_of((count, 32, 32), np.float32)
    scale = fit_normalisation(frames)
    padded = np.pad(frames, ((radius, radius), (0, 0), (0, 0)), mode="edge")
    windows = np.stack([padded[i : i + 2 * radius + 1] for i in range(count)])
    with torch.no_grad():
        expected = scale.invert(model.network(torch.from_numpy(scale.apply(windows)))[:, 0].numpy())
    source = Counted(frames)
    assert_same(deblur(source, model, DeblurSettings(**CPU)).frames, expected)
    fitted = Counted(frames)
    fit_normalisation(fitted)
    assert source.reads == [1 + fits for fits in fitted.reads]


def test_neighbours_outside_the_range_are_seen(make_model):
    model, frames = make_model(frames=3), run_of((6, 32, 32), np.float32)
    whole = deblur(frames, model, DeblurSettings(**CPU)).frames
    part = deblur(frames, model, DeblurSettings(frame_range=(3, 4), **CPU))
    assert part.frame_numbers == (3, 4)
    np.testing.assert_array_equal(part.frames, whole[2:4])


def test_reading_goes_on_while_the_network_runs(make_model):
    """The second frame is read before the first one is done, and the third is not."""
    frames, seen = run_of((4, 32, 32), np.float32), []
    begun = [threading.Event() for _ in frames]

    class Source(Counted):
        def __getitem__(self, index):
            if self.counting:
                begun[index].set()
            return super().__getitem__(index)

    class Watching(TorchEngine):
        def run(self, tile, blur_condition=None):
            if not seen:
                seen.extend([begun[1].wait(5), begun[2].wait(0.05)])
            return super().run(tile, blur_condition)

    def build(network, device, precision):
        source.counting = True  # the scale was fitted before
        return Watching(network, device, precision)

    source = Source(frames)
    source.counting = False
    result = deblur(source, make_model(), DeblurSettings(engine="torch", **CPU), engines=Engines(build=build))
    assert seen == [True, False]
    assert_same(result.frames, deblur(frames, make_model(), DeblurSettings(**CPU)).frames)


def test_a_failed_write_ends_the_run(make_model):
    class Full:
        shape, dtype = (4, 32, 32), np.uint16

        def __setitem__(self, index, frame):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        deblur(run_of((4, 32, 32)), make_model(), DeblurSettings(**CPU), out=Full())


def test_frames_are_not_overwritten_while_they_are_read(make_model):
    frames = run_of((2, 32, 32), np.float32)
    with pytest.raises(ValueError, match="must not be the frames themselves"):
        deblur(frames, make_model(), DeblurSettings(**CPU), out=frames)


def test_frames_are_read_from_and_written_to_files(make_model, tmp_path):
    model, frames = make_model(), run_of()
    np.save(tmp_path / "in.npy", frames)
    with FrameFile.open(tmp_path / "in.npy") as source:
        with FrameFile.create(tmp_path / "out.npy", frames.shape, np.uint16) as out:
            assert deblur(source, model, DeblurSettings(**CPU), out=out).frames is out
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), deblur(frames, model, DeblurSettings(**CPU)).frames)


def test_progress_counts_every_tile(make_model):
    steps = []
    result = deblur(
        run_of((2, 64, 64)),
        make_model(),
        DeblurSettings(tile=32, **CPU),
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(done, 8) for done in range(9)]
    assert result.tile == 32 and result.seconds > 0


@pytest.mark.parametrize("strength", [0, 1])
def test_cancelling_is_asked_before_every_tile(make_model, strength):
    answers = iter([False, False, True])
    steps = []
    with pytest.raises(DeblurCancelled):
        deblur(
            run_of((4, 64, 64)),
            make_model(),
            DeblurSettings(tile=64, sharpness=strength, noise_reduction=strength, device="cpu"),
            progress=lambda done, total: steps.append(done),
            is_cancelled=lambda: next(answers),
        )
    assert steps == [0, 1, 2]


def test_a_network_that_overflows_is_told_by_frame(make_model):
    model, frames = make_model(), run_of((3, 32, 32), np.float32)
    frames[1, 20, 20] = 1e37
    torch.nn.init.constant_(model.network.last.weight, 1e37)
    with pytest.raises(DeblurError, match=r"^Network produced invalid values in frame 2\.$"):
        deblur(frames, model, DeblurSettings(frame_range=(2, 3), **CPU))


def test_frames_that_are_not_finite_are_told_by_number(make_model):
    frames = run_of((3, 32, 32), np.float32)
    frames[1, 5, 5] = np.nan
    with pytest.raises(DeblurError, match="not finite"):
        deblur(frames, make_model(), DeblurSettings(**CPU))
    frames = run_of((3, 64, 64), np.float32)
    frames[2, 51, 51] = np.inf
    with pytest.raises(DeblurError, match="Frame 3 holds values that are not finite"):
        deblur(frames, make_model(), DeblurSettings(frame_range=(3, 3), **CPU))


@pytest.mark.parametrize(
    ("frames", "choices", "arguments", "words"),
    [
        (np.zeros((20, 20)), {}, {}, "shape"),
        (np.zeros((0, 20, 20)), {}, {}, "n at least 1"),
        (np.zeros((1, 15, 20)), {}, {}, "at least 16 rows and columns"),
        (np.zeros((1, 20, 20), complex), {}, {}, "whole or floating"),
        (np.zeros((2, 20, 20)), {"frame_range": (1, 3)}, {}, "the run has 2"),
        (np.zeros((2, 20, 20), np.uint8), {}, {"bits_stored": 12}, "Bits stored"),
        (np.zeros((2, 20, 20), np.uint16), {}, {"out": np.zeros((1, 20, 20), np.uint16)}, "must have shape"),
        (np.zeros((2, 20, 20), np.uint16), {}, {"out": np.zeros((2, 20, 20), np.uint8)}, "hold uint16"),
        (np.zeros((2, 20, 20), np.uint16), {}, {"relationship": "LINEAR"}, "must be LIN"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(make_model, frames, choices, arguments, words):
    with pytest.raises((ValueError, DeblurError), match=words):
        deblur(frames, make_model(), DeblurSettings(**choices), **arguments)


class SmallMemory:
    """An engine on a pretended device that holds tiles of at most so many pixels; it computes on the CPU."""

    name = "torch"

    def __init__(self, network, device, precision, limits):
        self.device, self.precision = device, precision
        self._limit = limits[device]
        self._engine = TorchEngine(network)

    def run(self, tile, blur_condition=None):
        if tile.size > self._limit:
            raise OutOfMemory("8 GiB asked for")
        return self._engine.run(tile, blur_condition)

    def memory_budget(self):
        return 2**40


def engines_with(**limits):
    return Engines(
        probe=lambda: "Some GPU",
        build=lambda network, device, precision: SmallMemory(network, device, precision, limits),
    )


def test_short_memory_halves_the_tile(make_model):
    model, frames = make_model(), run_of((2, 300, 300), np.float32)
    result = deblur(frames, model, ALONE, engines=engines_with(cuda=150 * 150, cpu=0))
    assert (result.device, result.precision, result.tile) == ("cuda", "float16", 75)
    assert [notice.split(";")[1] for notice in result.notices] == [
        " tiles of 150 pixels are used.",
        " tiles of 75 pixels are used.",
    ]
    assert_same(result.frames, deblur(frames, model, DeblurSettings(**CPU)).frames)


def test_no_gpu_memory_at_all_leaves_the_gpu_with_a_notice(make_model):
    model, frames = make_model(), run_of((2, 200, 200))
    result = deblur(frames, model, replace(ALONE, precision="float16"), engines=engines_with(cuda=0, cpu=10**9))
    assert result.device == "cpu" and result.precision in ("float32", "bfloat16") and result.tile is None
    assert result.notices[-1] == "The memory of the GPU was too small even for small tiles; the CPU is used."
    np.testing.assert_array_equal(result.frames, deblur(frames, model, DeblurSettings(**CPU)).frames)


def test_no_gpu_memory_for_the_weights_leaves_the_gpu_with_a_notice(make_model):
    def build(network, device, precision):
        if device == "cuda":
            raise OutOfMemory("8 GiB asked for")
        return TorchEngine(network, device, precision)

    model, frames = make_model(), run_of((2, 200, 200))
    result = deblur(frames, model, ALONE, engines=Engines(probe=lambda: "Some GPU", build=build))
    assert result.device == "cpu"
    assert result.notices == ("The memory of the GPU was too small even for small tiles; the CPU is used.",)
    np.testing.assert_array_equal(result.frames, deblur(frames, model, DeblurSettings(**CPU)).frames)


def test_no_memory_anywhere_is_one_sentence(make_model):
    with pytest.raises(DeblurError, match=r"^This computer has too little free memory \(8 GiB asked for\)"):
        deblur(run_of((1, 200, 200)), make_model(), engines=engines_with(cuda=0, cpu=0))


def test_a_cuda_error_of_memory_reaches_the_way_out(make_model):
    """The exception is PyTorch's own, raised inside the network."""

    class Greedy(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, x, blur_condition=None):
            if x.numel() > 110 * 110:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
            return self.network(x, blur_condition)

    model, frames = make_model(), run_of((1, 256, 256), np.float32)
    engines = Engines(probe=lambda: "Some GPU", build=lambda network, device, precision: TorchEngine(Greedy(network)))
    result = deblur(frames, model, ALONE, engines=engines)
    assert result.tile == 64 and len(result.notices) == 2
    assert_same(result.frames, deblur(frames, model, DeblurSettings(**CPU)).frames)


def test_half_precision_that_overflows_gives_way_to_float32(make_model):
    """The engine ends at 65504 as float16 does, and the second frame passes it."""

    class Half(TorchEngine):
        def __init__(self, network, device, precision):
            super().__init__(network)
            self.ends = precision == "float16"

        def run(self, tile, blur_condition=None):
            result = super().run(tile, blur_condition)
            return np.where(np.abs(result) > 65504, np.inf, result) if self.ends else result

    model, frames = make_model(), run_of((3, 48, 48), np.float32)
    frames[1, 20, 20] = 1e6
    result = deblur(frames, model, ALONE, engines=Engines(probe=lambda: "Some GPU", build=Half))
    assert result.notices == ("Half precision was not enough for frame 2; float32 is used from there on.",)
    assert result.precision == "float32"
    assert_same(result.frames, deblur(frames, model, DeblurSettings(**CPU)).frames)


def test_an_unusable_gpu_is_refused_or_reported(make_model):
    def broken():
        raise RuntimeError("the driver is too old")

    engines = Engines(probe=broken)
    for strength in (0, 1):
        with pytest.raises(EngineError, match="The GPU cannot be used, because the driver is too old"):
            insisting = DeblurSettings(device="cuda", sharpness=strength, noise_reduction=strength)
            deblur(run_of(), make_model(), insisting, engines=engines)
    result = deblur(run_of(), make_model(), ALONE, engines=engines)
    assert result.device == "cpu" and "the driver is too old" in result.device_reason and not result.notices
