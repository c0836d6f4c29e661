"""What tests of the library and of the module share."""

import signal
import sys

import pytest
from hypothesis import settings

# The suite draws the same examples every time and asks nothing of a machine's speed; `make fuzz` draws new ones.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.register_profile("fuzz", deadline=None, print_blob=True)
settings.load_profile("suite")

# Tests that import OpenVINO themselves send nothing over the network either.
sys.modules["openvino_telemetry"] = None

# A shell's background job ignores interrupts, and so would the programs that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def save_untrained(tmp_path_factory):
    """Saves the package of an untrained network that does change its input, and gives its folder."""
    torch = pytest.importorskip("torch", reason="torch is not installed")

    from DSADeblurLib.restoration.build_network import build_network
    from DSADeblurLib.restoration.card import ModelCard
    from DSADeblurLib.restoration.save_package import save_model

    def save(name: str, architecture) -> str:
        torch.set_num_threads(1)
        torch.manual_seed(1)
        network = build_network(architecture)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, 0, 0.05)
        folder = tmp_path_factory.mktemp("models") / name
        facts = dict(architecture={}, training={}, physics_range={}, metrics={}, licence="Apache-2.0")
        card = ModelCard(name=name, description="Untrained, for tests.", limits=("Not for images.",), **facts)
        save_model(folder, network, card)
        return str(folder)

    return save


@pytest.fixture(scope="session")
def tiny_model(save_untrained) -> str:
    """Folder of a model package with a small network."""
    from DSADeblurLib.restoration.architecture import RDNArchitecture

    return save_untrained("tiny", RDNArchitecture(features=4, growth=4, blocks=1, layers=1))


@pytest.fixture(scope="session")
def slow_model(save_untrained) -> str:
    """Folder of a model package whose network needs about half a second for a frame of 128 x 128 on one core."""
    from DSADeblurLib.restoration.architecture import RDNArchitecture

    return save_untrained("slow", RDNArchitecture(features=64, growth=32, blocks=6, layers=6, factor=1))
