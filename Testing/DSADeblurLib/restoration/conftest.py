"""A small network with arbitrary weights, as itself and as a verified model."""

import pytest
import torch

from DSADeblurLib.restoration.architecture import ARCHITECTURES
from DSADeblurLib.restoration.build_network import build_network
from DSADeblurLib.restoration.card import ModelCard
from DSADeblurLib.restoration.network import RestorationNetwork
from DSADeblurLib.restoration.package import Model

_SMALL = {
    "rdn": {"features": 8, "growth": 4, "blocks": 2, "layers": 2, "factor": 2},
    "unet": {"features": 8, "growth": 4, "blocks": 1, "levels": 1, "factor": 2},
}


def make_network(seed: int = 0, kind: str = "rdn", **numbers) -> RestorationNetwork:
    """A network whose last layer and modulations are not zero, so that the blur condition changes its output."""
    torch.manual_seed(seed)
    network = build_network(ARCHITECTURES[kind](**{**_SMALL[kind], **numbers})).eval()
    for layer in (network, *getattr(network, "modulations", ())):
        torch.nn.init.normal_(layer.last.weight, std=0.3)
    return network


def make_card(**facts) -> ModelCard:
    """A card with the facts that a training run gives."""
    defaults = {
        "name": "tiny",
        "architecture": {},
        "description": "A network for tests.",
        "training": {"data": "none"},
        "physics_range": {"focal_spot_mm": [0.3, 1.0]},
        "metrics": {},
        "licence": "Apache-2.0",
        "limits": ("Not for anything.",),
    }
    return ModelCard(**{**defaults, **facts})


@pytest.fixture(name="make_network", scope="session")
def _make_network():
    return make_network


@pytest.fixture(name="make_card", scope="session")
def _make_card():
    return make_card


@pytest.fixture(scope="session")
def make_model():
    """Builds a model around a network."""

    def build(network: RestorationNetwork | None = None, **numbers) -> Model:
        network = network or make_network(**numbers)
        return Model(make_card(), network.architecture, "0" * 64, lambda: network)

    return build
