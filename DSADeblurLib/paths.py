"""Where the files that come with DSADeblur lie."""

from __future__ import annotations

from pathlib import Path


def resources_folder() -> Path:
    """The folder `Resources`: inside the package when pip installed it, else beside it (source tree, Slicer)."""
    package = Path(__file__).resolve().parent
    inside = package / "Resources"
    return inside if inside.is_dir() else package.parent / "Resources"


def models_folder() -> Path:
    """One folder per bundled model package."""
    return resources_folder() / "Models"


def sample_data_folder() -> Path:
    """The simulated sample run."""
    return resources_folder() / "SampleData"
