"""Packages that only some verbs need: whether they are there, before the work and not after it."""

import importlib.util

from DSADeblurLib.request import RequestError

# Of the extras in pyproject.toml: each module, and the package that brings it.
EXTRAS = {
    "cluster": {"distributed": "distributed", "cryptography": "cryptography"},
    "deidentify": {"dicomanonymizer": "dicom-anonymizer"},
    "film": {"imageio_ffmpeg": "imageio-ffmpeg"},
    "jpeg2000": {"pylibjpeg": "pylibjpeg", "openjpeg": "pylibjpeg-openjpeg"},
    "lab": {"pandas": "pandas"},
    "openvino": {"openvino": "openvino"},
    "scene": {"slicer_core": "slicer-core"},
    "train": {"nibabel": "nibabel", "pytorch_msssim": "pytorch-msssim"},
}


def require(extra: str, what: str, *modules: str) -> None:
    """Check that the packages of an extra are installed, or those of its `modules` that are named.

    Raises:
        RequestError: one sentence that begins with `what` needs them and says how to install what is missing.
    """
    packages = {module: EXTRAS[extra][module] for module in modules or EXTRAS[extra]}
    missing = [package for module, package in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        names = " ".join(missing)
        raise RequestError(f"{what} needs what is not installed, the extra {extra}: pip install {names}")
