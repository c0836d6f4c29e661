"""A GPU is taken only after it computed rightly, and every choice of device and precision has a reason."""

import pytest

from DSADeblurLib.restoration.device_choice import choose_device, choose_precision
from DSADeblurLib.restoration.engine import EngineError
from DSADeblurLib.restoration.torch_engine import cpu_has_fast_bfloat16


def no_gpu():
    raise RuntimeError("CUDA error: no kernel image is available\nCompile with ...")


def test_auto_takes_a_gpu_that_passed_the_probe():
    choice = choose_device("auto", probe=lambda: "Some GPU")
    assert choice.value == "cuda" and "Some GPU" in choice.reason


def test_auto_falls_back_to_the_cpu_and_says_why():
    choice = choose_device("auto", probe=no_gpu)
    assert choice.value == "cpu"
    assert choice.reason == "The CPU is used, because CUDA error: no kernel image is available."


def test_an_error_without_words_is_told_by_its_class():
    def silent():
        raise MemoryError

    assert "MemoryError" in choose_device("auto", probe=silent).reason


def test_an_unusable_gpu_that_was_asked_for_is_one_sentence():
    with pytest.raises(EngineError, match=r"^The GPU cannot be used, because .*; choose the CPU\.$"):
        choose_device("cuda", probe=no_gpu)


def test_the_cpu_is_not_probed():
    assert choose_device("cpu", probe=no_gpu).value == "cpu"


@pytest.mark.parametrize(
    ("request_", "device", "fast", "expected"),
    [
        ("auto", "cpu", True, "bfloat16"),
        ("auto", "cpu", False, "float32"),
        ("auto", "cuda", False, "float16"),
        ("bfloat16", "cpu", False, "bfloat16"),
        ("float32", "cuda", True, "float32"),
    ],
)
def test_precision_follows_the_request_and_the_hardware(request_, device, fast, expected):
    choice = choose_precision(request_, device, fast_bfloat16=lambda: fast)
    assert choice.value == expected and choice.reason.endswith(".")


def test_unusable_precisions_are_refused():
    with pytest.raises(EngineError, match="float16 needs the GPU"):
        choose_precision("float16", "cpu")
    with pytest.raises(EngineError, match="must be auto"):
        choose_precision("int8", "cpu")
    assert isinstance(cpu_has_fast_bfloat16(), bool)
