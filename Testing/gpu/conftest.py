"""The device that the checks of the CUDA path run on: a GPU, or the processor that stands for one in a rehearsal."""

import contextlib
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch

from DSADeblurLib.restoration.card import list_models
from DSADeblurLib.restoration.package import load_model
from DSADeblurLib.restoration.selection import Engines
from DSADeblurLib.restoration.torch_engine import TorchEngine, probe_cuda

DEVICE = "DSADEBLUR_DEVICE"


class Rehearsed(TorchEngine):
    """An engine on the processor that runs out of the memory of a GPU when it is told to."""

    most = float("inf")

    def _forward(self, batch, blur_condition):
        if batch.numel() > self.most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return super()._forward(batch, blur_condition)


@dataclass(frozen=True)
class Gpu:
    """A GPU; in a rehearsal the processor, which the library is told is one.

    Attributes:
        device: 'cuda' or 'cpu', where tensors lie.
        name: of the device, as the probe tells it.
        side: of the frames in pixels.
    """

    device: str
    name: str
    side: int

    @property
    def is_real(self) -> bool:
        return self.device == "cuda"

    def engine(self, network, precision: str) -> TorchEngine:
        return (TorchEngine if self.is_real else Rehearsed)(network, self.device, precision)

    def engines(self, build=None) -> Engines:
        """What `deblur` finds when it is told to use the GPU; `build` takes a network and a precision."""
        build = build or self.engine

        def engine(network, device: str, precision: str) -> TorchEngine:
            return build(network, precision) if device == "cuda" else TorchEngine(network, device, precision)

        return Engines(probe=probe_cuda if self.is_real else lambda: self.name, build=engine)

    def held(self) -> tuple[int, ...]:
        """Bytes of the tensors alive, and of what PyTorch keeps of the GPU."""
        gc.collect()
        if self.is_real:
            return torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
        return (sum(one.nbytes for one in gc.get_objects() if type(one) in (torch.Tensor, torch.nn.Parameter)),)

    def peak_of(self, engine: TorchEngine, tile, blur_condition) -> int:
        """Bytes that PyTorch has to have from the GPU for this tile, pixels in a rehearsal."""
        if not self.is_real:
            return tile.size
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        engine.run(tile, blur_condition)
        return torch.cuda.max_memory_reserved()

    @contextlib.contextmanager
    def limited(self, most: int) -> Iterator[None]:
        """PyTorch gets no more than so many bytes of the GPU; in a rehearsal it says so for larger tiles."""
        if not self.is_real:
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(Rehearsed, "most", most)
                yield
            return
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(most / torch.cuda.get_device_properties(0).total_memory)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.fixture(scope="session")
def gpu() -> Gpu:
    """What the variable says, by default a GPU where there is one that PyTorch was built for."""
    device = os.environ.get(DEVICE) or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda":
        return Gpu(device, torch.cuda.get_device_name(), 512)
    return Gpu(device, "A processor in place of a GPU", 64)


@pytest.fixture(scope="session", params=[card.name for card in list_models()])
def model(request):
    """Every model that comes with DSADeblur."""
    return load_model(request.param)


@pytest.fixture(scope="session")
def compact():
    return load_model("compact")
