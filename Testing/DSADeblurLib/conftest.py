"""What several tests of the library share."""

import pytest


@pytest.fixture(scope="session")
def small_model(tiny_model):
    """The tiny model, loaded."""
    from DSADeblurLib.restoration.package import load_model

    return load_model(tiny_model)
