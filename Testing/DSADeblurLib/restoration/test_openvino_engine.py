"""OpenVINO gives what PyTorch gives, for every network, shape and number of frames."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from DSADeblurLib.restoration.conversion import export_network
from DSADeblurLib.restoration.engine import EngineError, OutOfMemory
from DSADeblurLib.restoration.export import Export
from DSADeblurLib.restoration.openvino_engine import OpenVINOEngine, openvino_estimator
from DSADeblurLib.restoration.package import load_model, vessels_on_a_slope
from DSADeblurLib.restoration.torch_engine import TorchEngine, torch_estimator

pytestmark = pytest.mark.slow

NETWORKS = {
    "rdn": {"factor": 2},
    "rdn, 3 frames, full size": {"factor": 1, "frames": 3},
    "rdn without skip": {"global_skip": False},
    "unet": {"kind": "unet", "levels": 2},
    "unet, 3 frames": {"kind": "unet", "levels": 1, "frames": 3, "factor": 4},
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request, make_network):
    return make_network(**NETWORKS[request.param])


@pytest.fixture(scope="module")
def engines(network):
    export = export_network(network)
    return {
        precision: (OpenVINOEngine(export, network.architecture, precision), TorchEngine(network, "cpu", precision))
        for precision in ("float32", "bfloat16")
    }


@pytest.fixture(scope="module")
def plain(make_network):
    network = make_network()
    return export_network(network), network.architecture


@settings(max_examples=6)
@given(rows=st.integers(1, 5), cols=st.integers(1, 5), seed=st.integers(0, 99))
def test_float32_agrees_with_pytorch(network, engines, rows, cols, seed):
    a = network.architecture
    shape = (a.frames, *(side * a.multiple + 16 + -16 % a.multiple for side in (rows, cols)))
    tile = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    openvino, pytorch = (engine.run(tile) for engine in engines["float32"])
    assert openvino.dtype == np.float32 and openvino.shape == shape[1:]
    assert np.abs(openvino - pytorch).max() <= 1e-5 * np.ptp(pytorch)


def test_bfloat16_rounds_no_more_than_pytorch_does(network, engines):
    a = network.architecture
    tile = np.random.default_rng(5).normal(size=(a.frames, 64, 64)).astype(np.float32)
    exact = engines["float32"][1].run(tile)
    openvino, pytorch = (np.abs(engine.run(tile) - exact).max() for engine in engines["bfloat16"])
    assert openvino <= 1.5 * pytorch
    assert openvino < 0.03 * np.ptp(exact)


def test_a_large_offset_survives_bfloat16(make_network):
    """Both the skip and the first convolution are in float32: 100 times the range costs no digits of the rest."""
    network = make_network()
    tile = np.random.default_rng(6).normal(size=(64, 64)).astype(np.float32)
    engine = OpenVINOEngine(export_network(network), network.architecture, "bfloat16")
    np.testing.assert_allclose(engine.run(tile + 100) - 100, engine.run(tile), atol=2e-2)
    np.testing.assert_allclose(engine.run(tile + 100) - 100, TorchEngine(network).run(tile), atol=4e-2)


def test_a_modulated_network_takes_the_blur_condition(make_network):
    """The export takes it as a second input, and without it says what is missing."""
    network = make_network(kind="unet", modulated=True)
    engine, pytorch = OpenVINOEngine(export_network(network), network.architecture), TorchEngine(network)
    tile = np.random.default_rng(7).normal(size=(64, 48)).astype(np.float32)
    results = []
    for blur_condition in ((0.5, 6.0, 0.2), (6.0, 0.5, 0.2)):
        results.append(engine.run(tile, np.array(blur_condition)))
        np.testing.assert_allclose(results[-1], pytorch.run(tile, np.array(blur_condition)), atol=1e-4)
    assert np.abs(results[0] - results[1]).max() > 1e-2
    with pytest.raises(ValueError, match="needs to be told"):
        engine.run(tile)


@pytest.mark.parametrize("name", ["compact", "quality", "sequence"])
def test_bundled_exports_take_the_blur_condition_whatever_their_input_is_called(name):
    model = load_model(name)
    architecture = model.architecture
    engine, pytorch = OpenVINOEngine(model.export, architecture), TorchEngine(model.network)
    tile = np.random.default_rng(8).normal(size=(architecture.frames, 64, 64)).astype(np.float32)
    narrow, wide = (np.array((width, width, 0.2), np.float32) for width in (1.0, 6.0))
    expected = pytorch.run(tile, wide)
    np.testing.assert_allclose(engine.run(tile, wide), expected, atol=1e-4)
    assert np.abs(engine.run(tile, narrow) - expected).max() > 1e-2


@pytest.mark.parametrize("name", ["compact", "quality", "sequence"])
@pytest.mark.parametrize("sides", [(16, 16), (64, 96), (256, 240)])
def test_the_bundled_estimators_agree_with_pytorch(name, sides):
    """Whatever the size, to a thousandth of the width."""
    model = load_model(name)
    frame = vessels_on_a_slope((1, *sides), depth=0.6, noise=0.03, seed=3)[0]
    found = openvino_estimator(*model.export.estimator)(frame)
    np.testing.assert_allclose(found, torch_estimator(model.network)(frame), rtol=1e-3, atol=1e-3)
    assert found.shape == (3,) and found.dtype == np.float32


def test_an_estimator_that_does_not_parse_is_one_sentence():
    with pytest.raises(EngineError, match=r"^OpenVINO cannot be used, because .*; choose the engine torch\.$"):
        openvino_estimator(b"<net", b"")


def test_results_are_the_callers_own(make_network):
    for skip in (True, False):
        network = make_network(global_skip=skip)
        engine = OpenVINOEngine(export_network(network), network.architecture)
        first = engine.run(np.ones((32, 32), np.float32))
        before = first.copy()
        engine.run(np.zeros((32, 32), np.float32))
        np.testing.assert_array_equal(first, before)


def test_every_shape_in_turn_gives_its_values(plain, make_network):
    """Beyond the first shapes one graph with free sides serves all."""
    engine, pytorch = OpenVINOEngine(*plain), TorchEngine(make_network())
    for rows, cols in ((32, 32), (32, 48), (48, 32), (16, 64), (32, 32), (48, 32)):
        tile = np.random.default_rng(rows * cols).normal(size=(rows, cols)).astype(np.float32)
        np.testing.assert_allclose(engine.run(tile), pytorch.run(tile), atol=1e-5)
    assert len(engine._requests) == 3


def test_another_run_compiles_its_own_shapes_and_keeps_what_is_needed_again(plain):
    engine, compiled = OpenVINOEngine(*plain), []
    compile_graph = engine._compile
    engine._compile = lambda graph: compiled.append(1) or compile_graph(graph)
    for sides, count in ((16, 1), (32, 2), (32, 2), (48, 3), (48, 3), (32, 4)):
        engine.begin_run()
        engine.run(np.ones((sides, sides), np.float32))
        engine.run(np.ones((sides, sides), np.float32))
        assert (len(compiled), list(engine._requests)[-1]) == (count, (1, sides, sides))
    assert len(engine._requests) == 2


EMPTY = b'<?xml version="1.0"?><net name="Model0" version="11"><layers></layers><edges></edges><rt_info/></net>'


@pytest.mark.parametrize("graph", [b"", b"<net></net>", EMPTY])
def test_empty_graphs_are_refused(plain, graph):
    """Whoever made them may have written their hash into the card."""
    export, architecture = plain
    with pytest.raises(EngineError, match="^OpenVINO cannot be used, because .*; choose the engine torch.$"):
        OpenVINOEngine(Export(graph, export.weights), architecture)
    with pytest.raises(EngineError, match="^OpenVINO cannot be used, because .*; choose the engine torch.$"):
        OpenVINOEngine(Export(export.graph, b""), architecture)


def test_unusable_tiles_and_precisions_are_refused(plain):
    with pytest.raises(ValueError, match="multiples of 2"):
        OpenVINOEngine(*plain).run(np.zeros((17, 20), np.float32))
    with pytest.raises(ValueError, match="1 x h x w"):
        OpenVINOEngine(*plain).run(np.zeros((3, 20, 20), np.float32))
    with pytest.raises(EngineError, match="not float16"):
        OpenVINOEngine(*plain, "float16")


def test_an_export_that_does_not_parse_is_one_sentence(plain):
    with pytest.raises(EngineError, match=r"^OpenVINO cannot be used, because .*; choose the engine torch\.$"):
        OpenVINOEngine(Export(b"<net", b""), plain[1])


class Failing:
    """An inference request that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def infer(self, *_, **__):
        raise self.error


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("Check failed:\nFailed to allocate 8 bytes of memory")])
def test_a_lack_of_memory_has_its_name_and_the_engine_goes_on(plain, error):
    engine, tile = OpenVINOEngine(*plain), np.ones((32, 32), np.float32)
    expected = engine.run(tile)
    engine._requests[1, 32, 32] = Failing(error)
    with pytest.raises(OutOfMemory):
        engine.run(tile)
    np.testing.assert_array_equal(engine.run(tile), expected)


def test_other_errors_pass_through(plain):
    engine = OpenVINOEngine(*plain)
    engine._requests[1, 32, 32] = Failing(RuntimeError("broken"))
    with pytest.raises(RuntimeError, match="broken") as error:
        engine.run(np.zeros((32, 32), np.float32))
    assert not isinstance(error.value, OutOfMemory)
