"""The engine is the fastest of those that are there and give the right values, and a sentence says so."""

import numpy as np
import pytest

from DSADeblurLib.restoration.engine import EngineError, OutOfMemory
from DSADeblurLib.restoration.selection import Engines, trial_tile
from DSADeblurLib.restoration.torch_engine import TorchEngine


class Clock:
    """Time that passes only when an engine runs."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Fake:
    """An engine that takes a given time and is wrong in some pixels by a given part of the range."""

    device = "cpu"
    wrong = slice(None, None, 2), slice(None)

    def __init__(self, clock, name, network, precision, seconds, error):
        self.name, self._clock, self._seconds, self._error = name, clock, seconds, error
        self._engine, self.precision = TorchEngine(network), precision
        self.runs = self.runs_begun = 0

    def run(self, tile, blur_condition=None):
        self.runs += 1
        self._clock.now += self._seconds
        values = self._engine.run(tile, blur_condition)
        values[self.wrong] += self._error * np.ptp(values)
        return values

    def begin_run(self):
        self.runs_begun += 1

    def memory_budget(self):
        return 2**30


@pytest.fixture
def bench(make_model):
    """Engines with seconds and errors by (engine, precision); returns what was chosen and how often each ran."""

    def make(seconds, errors=None, openvino=True, torch=True, fast_bfloat16=True):
        clock, built = Clock(), []

        def fake(engine, network, precision):
            key = engine, precision
            built.append(
                (key, Fake(clock, engine, network, precision, seconds.get(key, 1e-3), (errors or {}).get(key, 0)))
            )
            return built[-1][1]

        def build_openvino(model, precision):
            if not openvino:
                raise EngineError("OpenVINO is not installed; choose the engine torch or auto.")
            return fake("openvino", model.network, precision)

        def build_torch(network, device, precision):
            if not torch:
                raise EngineError("PyTorch is not installed; choose the engine openvino or auto.")
            return fake("torch", network, precision)

        engines = Engines(
            build=build_torch,
            build_openvino=build_openvino,
            fast_bfloat16=lambda: fast_bfloat16,
            clock=clock,
        )
        return engines, clock, built

    return make


SECONDS = {
    ("torch", "float32"): 0.08,
    ("torch", "bfloat16"): 0.062,
    ("openvino", "float32"): 0.04,
    ("openvino", "bfloat16"): 0.018,
}


def test_the_fastest_is_taken_and_the_reason_names_all(bench, make_model):
    engines, _, built = bench(SECONDS)
    engine, selection = engines.start(make_model(), "cpu", "auto", "auto")
    assert (selection.engine.value, selection.precision.value) == ("openvino", "bfloat16")
    assert engine is dict(built)["openvino", "bfloat16"]
    assert selection.engine.reason == (
        "OpenVINO bfloat16: 18 ms, against OpenVINO float32: 40 ms, PyTorch bfloat16: 62 ms, PyTorch float32: 80 ms "
        "on a trial tile."
    )
    assert selection.notices == ()


@pytest.mark.parametrize("winner", SECONDS)
def test_whatever_is_fastest_wins(bench, make_model, winner):
    engines, *_ = bench({**SECONDS, winner: 0.001})
    selection = engines.start(make_model(), "cpu", "auto", "auto")[1]
    assert (selection.engine.value, selection.precision.value) == winner


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_equally_fast_is_not_left_to_chance(bench, make_model, order):
    """Within a fifth, float32 is taken before bfloat16 and PyTorch before OpenVINO."""
    times = dict(zip(list(SECONDS)[::order], (0.050, 0.052, 0.055, 0.059), strict=True))
    selection = bench(times)[0].start(make_model(), "cpu", "auto", "auto")[1]
    assert (selection.engine.value, selection.precision.value) == ("torch", "float32")
    selection = bench({**times, ("torch", "float32"): 0.07})[0].start(make_model(), "cpu", "auto", "auto")[1]
    assert (selection.engine.value, selection.precision.value) == ("openvino", "float32")


def test_a_second_run_needs_neither_a_trial_nor_a_compilation(bench, make_model):
    """Of the same network and precision; another precision has its own."""
    engines, _, built = bench(SECONDS)
    model = make_model()
    first, selection = engines.start(model, "cpu", "auto", "auto")
    count, runs = len(built), first.runs
    assert engines.start(model, "cpu", "auto", "auto") == (first, selection)
    assert (len(built), first.runs, first.runs_begun) == (count, runs, 1)
    assert engines.start(model, "cpu", "openvino", "float32")[0] is not first


def test_what_does_not_run_is_not_taken_and_told(bench, make_model):
    engines, _, _ = bench({("openvino", "float32"): 0.001}, {("openvino", "float32"): np.inf})
    failing = Fake.run

    def run(self, tile, blur_condition=None):
        if self.name == "openvino":
            raise RuntimeError("Shapes do not fit.")
        return failing(self, tile, blur_condition)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Fake, "run", run)
        selection = engines.start(make_model(), "cpu", "auto", "float32")[1]
    assert selection.engine.value == "torch" and "OpenVINO in float32 differs" in selection.notices[0]


def test_what_differs_from_pytorch_is_not_taken_and_told(bench, make_model):
    engines, *_ = bench(SECONDS, {("openvino", "bfloat16"): 2e-3, ("openvino", "float32"): 2e-5})
    selection = engines.start(make_model(), "cpu", "auto", "auto")[1]
    assert (selection.engine.value, selection.precision.value) == ("torch", "bfloat16")
    assert selection.notices == (
        "OpenVINO in bfloat16 differs from PyTorch by 0.002 of the range; it is not used.",
        "OpenVINO in float32 differs from PyTorch by 2e-05 of the range; it is not used.",
    )


@pytest.mark.parametrize(("error", "engine"), [(2e-3, "openvino"), (4e-3, "torch")])
def test_one_pixel_may_differ_by_three_times_as_much(bench, make_model, monkeypatch, error, engine):
    monkeypatch.setattr(Fake, "wrong", (0, 0))
    engines, *_ = bench(SECONDS, {("openvino", "bfloat16"): error, ("openvino", "float32"): error})
    assert engines.start(make_model(), "cpu", "auto", "bfloat16")[1].engine.value == engine


def test_values_that_are_not_finite_are_not_right(bench, make_model):
    engines, *_ = bench(SECONDS, {("openvino", "bfloat16"): np.nan, ("openvino", "float32"): np.inf})
    assert engines.start(make_model(), "cpu", "auto", "auto")[1].engine.value == "torch"


def test_bfloat16_that_is_too_coarse_gives_way_to_float32_unless_asked_for(bench, make_model):
    errors = {("openvino", "bfloat16"): 5e-3, ("torch", "bfloat16"): 5e-3}
    engines, *_ = bench(SECONDS, errors)
    assert engines.start(make_model(), "cpu", "auto", "auto")[1].precision.value == "float32"
    assert engines.start(make_model(), "cpu", "torch", "bfloat16")[1].precision.value == "bfloat16"
    selection = engines.start(make_model(), "cpu", "auto", "bfloat16")[1]
    assert (selection.engine.value, selection.precision.value) == ("torch", "bfloat16")


@pytest.mark.parametrize("precision", ["auto", "float32", "bfloat16"])
@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_what_was_asked_for_is_taken(bench, make_model, engine, precision):
    other = {"torch": "openvino", "openvino": "torch"}[engine]
    engines, _, built = bench({**SECONDS, (other, "float32"): 1e-6, (other, "bfloat16"): 1e-6})
    selection = engines.start(make_model(), "cpu", engine, precision)[1]
    assert selection.engine.value == engine
    assert precision in ("auto", selection.precision.value)


def test_openvino_that_is_wrong_is_refused_where_it_was_asked_for(bench, make_model):
    engines, *_ = bench(SECONDS, {("openvino", "float32"): 1e-3})
    with pytest.raises(EngineError, match=r"^OpenVINO in float32 differs .* range; choose the engine torch\.$"):
        engines.start(make_model(), "cpu", "openvino", "float32")


def test_without_openvino_pytorch_is_used_and_it_is_said_why(bench, make_model):
    engines, *_ = bench(SECONDS, openvino=False)
    selection = engines.start(make_model(), "cpu", "auto", "auto")[1]
    assert selection.engine == (
        "torch",
        "PyTorch bfloat16: 62 ms, against PyTorch float32: 80 ms on a trial tile. OpenVINO is not installed.",
    )
    assert engines.start(make_model(), "cpu", "auto", "float32")[1].engine == ("torch", "OpenVINO is not installed.")
    with pytest.raises(EngineError, match="OpenVINO is not installed; choose the engine torch or auto"):
        engines.start(make_model(), "cpu", "openvino", "auto")


def test_without_pytorch_openvino_is_used_and_compared_with_its_own_float32(bench, make_model):
    engines, *_ = bench(SECONDS, torch=False)
    selection = engines.start(make_model(), "cpu", "auto", "auto")[1]
    assert selection.engine == (
        "openvino",
        "OpenVINO bfloat16: 18 ms, against OpenVINO float32: 40 ms on a trial tile. PyTorch is not installed.",
    )
    engines, *_ = bench(SECONDS, {("openvino", "bfloat16"): 2e-3}, torch=False)
    selection = engines.start(make_model(), "cpu", "auto", "auto")[1]
    assert selection.precision.value == "float32"
    assert selection.notices == ("OpenVINO in bfloat16 differs from float32 by 0.002 of the range; it is not used.",)
    with pytest.raises(EngineError, match="^PyTorch is not installed"):
        engines.start(make_model(), "cpu", "torch", "auto")


def test_without_both_one_sentence_names_both(bench, make_model):
    engines, *_ = bench(SECONDS, openvino=False, torch=False)
    with pytest.raises(EngineError, match="^OpenVINO is not installed, and PyTorch is not installed; install one"):
        engines.start(make_model(), "cpu", "auto", "auto")


def test_without_pytorch_and_memory_for_a_trial_openvino_is_used(bench, make_model, monkeypatch):
    def run(self, tile, blur_condition=None):
        raise OutOfMemory("8 GiB asked for")

    monkeypatch.setattr(Fake, "run", run)
    engine, selection = bench(SECONDS, torch=False)[0].start(make_model(), "cpu", "auto", "auto")
    assert engine.name == "openvino"
    assert selection.engine == ("openvino", "There was too little memory for a trial.")


def test_one_candidate_needs_no_trial(bench, make_model):
    engines, clock, built = bench(SECONDS, openvino=False, fast_bfloat16=False)
    engines.start(make_model(), "cpu", "auto", "auto")
    engines.start(make_model(), "cpu", "torch", "float32")
    assert clock.now == 0 and len(built) == 2


@pytest.mark.parametrize("scale", [1e-4, 1, 3])
def test_a_trial_stays_within_about_a_second(bench, make_model, scale):
    """As long as each engine needs no more than a fifth of it for a tile."""
    engines, clock, built = bench({key: scale * seconds for key, seconds in SECONDS.items()})
    engines.start(make_model(), "cpu", "auto", "auto")
    warm_up = scale * (sum(SECONDS.values()) + SECONDS["torch", "float32"])
    assert clock.now <= warm_up + 0.25 + scale * sum(SECONDS.values())
    assert all(engine.runs >= 2 for _, engine in built)


def test_a_network_is_tried_once(bench, make_model):
    engines, clock, _ = bench(SECONDS)
    model = make_model()
    first = engines.start(model, "cpu", "auto", "auto")[1]
    before = clock.now
    assert engines.start(model, "cpu", "auto", "auto")[1] == first and clock.now == before
    engines.start(make_model(seed=1), "cpu", "auto", "auto")
    assert clock.now > before


def test_a_gpu_is_for_pytorch(bench, make_model):
    engines, clock, built = bench(SECONDS)
    selection = engines.start(make_model(), "cuda", "auto", "auto")[1]
    assert (selection.engine.value, selection.precision.value) == ("torch", "float16") and clock.now == 0
    with pytest.raises(EngineError, match="OpenVINO runs on the CPU only"):
        engines.start(make_model(), "cuda", "openvino", "auto")


def test_without_memory_for_a_trial_pytorch_is_used(make_model):
    class Small(TorchEngine):
        def run(self, tile, blur_condition=None):
            raise OutOfMemory("8 GiB asked for")

    engines = Engines(build=Small, fast_bfloat16=lambda: True)
    selection = engines.start(make_model(), "cpu", "auto", "auto")[1]
    assert selection.engine == ("torch", "There was too little memory for a trial.")


@pytest.mark.parametrize("numbers", [{}, {"kind": "unet", "levels": 3, "factor": 4}, {"features": 64}, {"frames": 3}])
def test_the_trial_tile_fits_the_network(make_network, numbers):
    network = make_network(**numbers)
    tile = trial_tile(network.architecture)
    assert tile.dtype == np.float32 and tile.shape[0] == network.architecture.frames
    assert tile.shape[1] == tile.shape[2] and 64 <= tile.shape[1] <= 256
    assert tile.shape[1] % network.multiple == 0
    np.testing.assert_array_equal(tile, trial_tile(network.architecture))
