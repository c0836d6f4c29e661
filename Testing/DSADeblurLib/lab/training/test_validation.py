"""Validation figures: none for a network that changes nothing, and the right sign otherwise."""

import pytest
import torch

from DSADeblurLib.lab.training.validation import HeldOut
from DSADeblurLib.restoration.architecture import UNetArchitecture
from DSADeblurLib.restoration.build_network import build_network


@pytest.fixture(scope="module")
def held_out():
    return HeldOut(1, 128, 3)


def test_an_untrained_network_gains_nothing(held_out):
    gains = held_out.gains(build_network(UNetArchitecture(features=4, frames=3)), torch.device("cpu"))
    assert gains.keys() >= {"native quiet", "subtracted clinical edge"}
    assert all(value == pytest.approx(0, abs=0.01) for value in gains.values())


def test_an_offset_loses(held_out):
    network = build_network(UNetArchitecture(features=4, frames=3))
    torch.nn.init.constant_(network.last.bias, 0.5)
    assert all(value < 0 for value in held_out.gains(network, torch.device("cpu")).values())


def test_a_network_of_fewer_frames_sees_the_middle(held_out):
    """The same gains as on frames that hold no other moments."""
    network = build_network(UNetArchitecture(features=4))
    torch.nn.init.constant_(network.last.bias, 0.1)
    alone = HeldOut(1, 128, 1).gains(network, torch.device("cpu"))
    assert held_out.gains(network, torch.device("cpu")) == pytest.approx(alone, abs=1e-3)


def test_what_is_left_of_lines(held_out):
    """All but what the blur takes of them for a network that changes nothing, at any contrast; none for one that
    gives nothing."""
    network = build_network(UNetArchitecture(features=4, frames=3))
    kept = held_out.lines_kept(network, torch.device("cpu"))
    shares = [kept[f"clinical {times} sigma"] for times in (1, 2, 3, 8)]
    assert 0.2 < shares[0] < 1 and shares == pytest.approx([shares[0]] * 4, abs=0.01)
    assert 0.9 < kept["clinical noise"] < 1.5
    silent = build_network(UNetArchitecture(features=4, frames=3, global_skip=False))
    assert all(abs(v) < 0.01 for name, v in held_out.lines_kept(silent, torch.device("cpu")).items() if "sigma" in name)
