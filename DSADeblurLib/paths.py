"""Where the files that come with DSADeblur lie."""

from __future__ import annotations

from pathlib import Path


def resources_folder() -> Path:
    """The folder `Resources` beside the package: at the top of the source tree, and where Slicer installs it."""
    return Path(__file__).resolve().parent.parent / "Resources"


def models_folder() -> Path:
    """One folder per bundled model package."""
    return resources_folder() / "Models"


def sample_data_folder() -> Path:
    """The simulated sample run."""
    return resources_folder() / "SampleData"
