"""Processes share a batch evenly or not at all."""

import numpy as np
import pytest
import torch

from DSADeblurLib.lab.training.data_parallel import Process, this_process


@pytest.mark.parametrize("world", [1, 2, 4])
def test_shares_cover_the_batch_once(world):
    places = np.concatenate([np.arange(8)[Process(rank, world).share(8)] for rank in range(world)])
    assert places.tolist() == list(range(8))


def test_an_uneven_share_is_refused():
    with pytest.raises(ValueError, match="batch of 8 cannot be shared by 3"):
        Process(0, 3).share(8)


def test_alone_there_is_nothing_to_agree_on(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with this_process("cpu") as process:
        assert process == Process(device=torch.device("cpu")) and process.leads
        network = torch.nn.Conv2d(1, 1, 1)
        assert process.distributed(network) is network
        assert process.agreed(True) and not process.agreed(False)
