"""Loads the libraries that reading a run's header needs, one by one between other events: together they take long."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator
from contextlib import suppress

# What others import comes first, so that no step takes long. Names that a version does not have are passed over.
_MODULES = (
    "email.parser",
    "ssl",
    "http.client",
    "urllib.request",
    "importlib.metadata",
    "tqdm",
    "gdcm",
    "pylibjpeg",
    "pydicom",
    "pydicom.sr._concepts_dict",
    "pydicom.sr",
    "unittest",
    "numpy.ma",
    "numpy.f2py.crackfortran",
    "numpy.testing",
    "scipy._lib._util",
    "scipy._lib.array_api_compat.numpy",
    "scipy._lib._array_api",
    "scipy.special",
    "scipy.fft",
    "scipy.ndimage",
    "psutil",
    "DSADeblurLib.xa",
    "DSADeblurLib.xa.loaded_frames",
    "DSADeblurLib.measurement.calibration",
)
_NEEDED = _MODULES[-2:]


def isPrepared() -> bool:
    """Whether a header can be read without loading libraries first."""
    return all(name in sys.modules for name in _NEEDED)


def prepareInSteps() -> Generator[None, None, None]:
    """Load them, one in each step."""
    for name in _MODULES:
        if name not in sys.modules:
            # What is missing is told when it is used.
            with suppress(ImportError):
                importlib.import_module(name)
            yield
