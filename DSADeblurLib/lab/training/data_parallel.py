"""One training on several processes or GPUs: who am I, and the mean of gradients."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Process:
    """One of `world` processes, started by torchrun; alone it is number 0 of 1."""

    rank: int = 0
    world: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def leads(self) -> bool:
        """Whether this one validates, logs and saves."""
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """This process's part of a batch.

        Raises:
            ValueError: the batch cannot be shared evenly, so that the mean of gradients would not be that of one
                process.
        """
        if batch % self.world:
            raise ValueError(f"A batch of {batch} cannot be shared by {self.world} processes; change their number.")
        size = batch // self.world
        return slice(self.rank * size, (self.rank + 1) * size)

    def distributed(self, network: nn.Module) -> nn.Module:
        """The network, its gradients averaged over all processes after each backward pass."""
        if self.world == 1:
            return network
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=ids)

    def together(self) -> None:
        """Wait for the others."""
        if self.world > 1:
            torch.distributed.barrier()

    def agreed(self, yes: bool) -> bool:
        """Whether the leading process says yes; the others follow it."""
        if self.world == 1:
            return yes
        said = torch.tensor(float(yes), device=self.device)
        torch.distributed.broadcast(said, src=0)
        return bool(said)


@contextlib.contextmanager
def this_process(device: torch.device | str) -> Iterator[Process]:
    """Join the processes that torchrun has started, NCCL between GPUs and Gloo between CPUs; or be alone."""
    device, world = torch.device(device), int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Process(device=device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Process(torch.distributed.get_rank(), world, device)
    finally:
        torch.distributed.destroy_process_group()
