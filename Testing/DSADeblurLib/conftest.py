"""What several tests of the library share."""

import pytest


@pytest.fixture(scope="session")
def small_model(tiny_model):
    """The tiny model, loaded."""
    from DSADeblurLib.restoration.package import load_model

    return load_model(tiny_model)


@pytest.fixture(scope="session")
def modulated_model(save_untrained):
    """A small untrained network that is told the blur, loaded."""
    from DSADeblurLib.restoration.architecture import UNetArchitecture
    from DSADeblurLib.restoration.package import load_model

    told = UNetArchitecture(features=4, growth=4, levels=1, attention_reduction=0, modulated=True)
    return load_model(save_untrained("modulated", told))
