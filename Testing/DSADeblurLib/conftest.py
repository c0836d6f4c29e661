"""What several tests of the library share."""

import pytest


@pytest.fixture(scope="session")
def small_model(tiny_model):
    """The tiny model, loaded."""
    from DSADeblurLib.restoration.package import load_model

    return load_model(tiny_model)


@pytest.fixture(scope="session")
def modulated_model(tmp_path_factory):
    """A small untrained network that is told the blur, as a package saved and loaded."""
    torch = pytest.importorskip("torch", reason="torch is not installed")

    from DSADeblurLib.restoration.architecture import UNetArchitecture
    from DSADeblurLib.restoration.card import ModelCard
    from DSADeblurLib.restoration.network import build_network
    from DSADeblurLib.restoration.package import load_model, save_model

    torch.manual_seed(1)
    network = build_network(
        UNetArchitecture(features=4, growth=4, levels=1, attention_reduction=0, modulated=True)
    )
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.05)
    folder = tmp_path_factory.mktemp("models") / "modulated"
    facts = dict(architecture={}, training={}, physics_range={}, metrics={}, licence="Apache-2.0")
    save_model(folder, network, ModelCard(name="modulated", description="For tests.", limits=("None.",), **facts))
    return load_model(folder)
