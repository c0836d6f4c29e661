"""One small evaluation for all tests of what is made of it."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture(scope="package")
def small_plan():
    """As little as can be measured."""
    from DSADeblurLib.lab.evaluation.extent import Plan
    from DSADeblurLib.lab.evaluation.grid import BLURS

    blurs = (BLURS[1], BLURS[-1])
    # At noise reduction 1 an untrained network gives its input back; with less, the rest is no noise but its detail.
    plan = replace(Plan.quick(), noise_reduction=1.0, uniform_noise_reduction=True)
    return replace(plan, frames=1, size=64, blurs=blurs, still_takes=3, phantom_size=192)


@pytest.fixture(scope="package")
def untrained(tmp_path_factory) -> str:
    """Folder of a package whose network gives its input back."""
    from DSADeblurLib.restoration.architecture import RDNArchitecture
    from DSADeblurLib.restoration.build_network import build_network
    from DSADeblurLib.restoration.card import ModelCard
    from DSADeblurLib.restoration.save_package import save_model

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "untrained"
    facts = dict(architecture={}, training={}, physics_range={}, metrics={}, licence="Apache-2.0")
    card = ModelCard(name="untrained", description="Untrained, for tests.", limits=("Not for images.",), **facts)
    save_model(folder, build_network(RDNArchitecture(features=4, growth=4, blocks=1, layers=1)), card)
    return str(folder)


@pytest.fixture(scope="package")
def evaluation(small_plan, untrained, tiny_model):
    """An untrained network that changes nothing, and one that changes its input."""
    from DSADeblurLib.lab.evaluation.evaluate import evaluate

    return evaluate([untrained, tiny_model], small_plan)
