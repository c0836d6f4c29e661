"""What several tests of the library share."""

import pytest


@pytest.fixture(scope="session")
def small_model(tmp_path_factory):
    """A model package of a small network whose output differs from its input."""
    import torch

    from DSADeblurLib.restoration.card import ModelCard
    from DSADeblurLib.restoration.network import Architecture, build_network
    from DSADeblurLib.restoration.package import load_model, save_model

    torch.manual_seed(3)
    network = build_network(Architecture(features=4, growth=4, blocks=1, layers=1))
    torch.nn.init.normal_(network.last.weight, std=0.05)
    card = ModelCard("small", {}, "For tests.", {}, {}, {}, "Apache-2.0", ("Research use only.",))
    folder = tmp_path_factory.mktemp("models") / "small"
    save_model(folder, network, card)
    return load_model(folder)
