"""Where and how precisely a network is run: the GPU if it computes rightly, and a half precision that is fast."""

from __future__ import annotations

from collections.abc import Callable

from DSADeblurLib.restoration.engine import Choice, EngineError
from DSADeblurLib.restoration.installed import import_openvino, problem_of

PRECISIONS = "float32", "bfloat16", "float16"


def probe_gpu() -> str:
    """The name of the GPU, after a kernel has run on it and gave the right values.

    Raises:
        EngineError: why the GPU cannot be used, as a clause without a full stop.
    """
    if problem := problem_of("torch"):
        raise EngineError(problem)
    from DSADeblurLib.restoration.torch_engine import probe_cuda

    return probe_cuda()


def has_fast_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware, as PyTorch says it, or without that OpenVINO."""
    if not problem_of("torch"):
        from DSADeblurLib.restoration.torch_engine import cpu_has_fast_bfloat16

        return cpu_has_fast_bfloat16()
    if not problem_of("openvino"):
        return "BF16" in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return False


def choose_device(request: str = "auto", probe: Callable[[], str] = probe_gpu) -> Choice:
    """The device to run on.

    Args:
        request: 'auto', 'cpu' or 'cuda'.
        probe: returns the GPU's name or raises with the cause; tests hand in their own.

    Raises:
        EngineError: one sentence, if 'cuda' was asked for and cannot be used.
    """
    if request == "cpu":
        return Choice("cpu", "The CPU was asked for.")
    if request not in ("auto", "cuda"):
        raise EngineError(f"Device must be auto, cpu or cuda, not {request!r}.")
    try:
        name = probe()
    except Exception as error:  # drivers fail in many ways; each of them means: not this device
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(". ")
        if request == "cuda":
            raise EngineError(f"The GPU cannot be used, because {cause}; choose the CPU.") from error
        return Choice("cpu", f"The CPU is used, because {cause}.")
    return Choice("cuda", f"{name} passed a test convolution.")


def choose_precision(request: str, device: str, fast_bfloat16: Callable[[], bool] = has_fast_bfloat16) -> Choice:
    """The precision of the convolutions.

    Args:
        request: 'auto', 'float32', 'bfloat16' or 'float16'.
        device: 'cpu' or 'cuda'.
        fast_bfloat16: whether the CPU has it in hardware; tests hand in their own.

    Raises:
        EngineError: one sentence, if the device cannot do what was asked for.
    """
    if request == "float16" and device == "cpu":
        raise EngineError("float16 needs the GPU; choose float32, bfloat16 or auto.")
    if request in PRECISIONS:
        return Choice(request, f"{request} was asked for.")
    if request != "auto":
        raise EngineError(f"Precision must be auto, float32, bfloat16 or float16, not {request!r}.")
    if device == "cuda":
        return Choice("float16", "GPUs run float16 fastest.")
    if fast_bfloat16():
        return Choice("bfloat16", "This processor has fast bfloat16.")
    return Choice("float32", "This processor has no fast bfloat16.")
