"""Packages that only some verbs need: whether they are there, before the work and not after it."""

import importlib.util

from DSADeblurLib.request import DeblurRequest, RequestError

# Of the extras in pyproject.toml: each module, and the package that brings it.
EXTRAS = {
    "cluster": {"distributed": "distributed", "cryptography": "cryptography"},
    "deidentify": {"dicomanonymizer": "dicom-anonymizer"},
    "film": {"imageio_ffmpeg": "imageio-ffmpeg"},
    "jpeg2000": {"pylibjpeg": "pylibjpeg", "openjpeg": "pylibjpeg-openjpeg"},
    "lab": {"pandas": "pandas"},
    "openvino": {"openvino": "openvino"},
    "report": {"highdicom": "highdicom"},
    "scene": {"slicer_core": "slicer-core"},
    "study": {"pandas": "pandas", "statsmodels": "statsmodels"},
    "torch": {"torch": "torch", "safetensors": "safetensors"},
    "train": {"nibabel": "nibabel", "pytorch_msssim": "pytorch-msssim"},
}


def is_installed(module: str) -> bool:
    """Whether a package is there as a whole; it is not imported for this."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # what another importer says of a module that it hides
        return False
    # An installation that broke off leaves a folder without contents, which Python takes for a package.
    return spec is not None and spec.origin is not None


def require(extra: str, what: str, *modules: str) -> None:
    """Check that the packages of an extra are installed, or those of its `modules` that are named.

    Raises:
        RequestError: one sentence that begins with `what` needs them and says how to install what is missing.
    """
    packages = {module: EXTRAS[extra][module] for module in modules or EXTRAS[extra]}
    missing = [package for module, package in packages.items() if not is_installed(module)]
    if missing:
        names = " ".join(missing)
        raise RequestError(f"{what} needs what is not installed, the extra {extra}: pip install {names}")


def require_for(request: DeblurRequest, several: bool) -> None:
    """Check that the packages are installed that a request needs, or `several` workers.

    Raises:
        RequestError: one sentence that says how to install what is missing.
    """
    engine = request.restoration.engine
    if engine != "auto":
        require(engine, f"--engine {engine}", engine)
    elif not any(map(is_installed, ("openvino", "torch"))):
        raise RequestError("Deblurring needs OpenVINO or PyTorch: pip install openvino")
    if request.restoration.device == "cuda":
        require("torch", "--device cuda", "torch")
    if "mp4" in request.result.pictures:
        require("film", "A film (--pictures mp4)")
    if request.result.compression == "jpeg-2000":
        require("jpeg2000", "--compression jpeg-2000")
    if several:
        require("cluster", "More than one worker")
