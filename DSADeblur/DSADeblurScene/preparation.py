"""Loads the libraries that reading a run's header needs, one by one between other events: together they take long."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Generator

from DSADeblurScene.slices import Slices

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
    "PIL.TiffTags",
    "PIL.ExifTags",
    "PIL.Image",
    "PIL.ImageCms",
    "openjpeg",
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


class Preparation:
    """Loads them once somebody asks.

    Args:
        onDone: called at the end.
        showError: told when what is needed cannot be loaded; see `slot`.
    """

    def __init__(self, onDone: Callable[[], None], showError: Callable[[str, str], None]) -> None:
        self._onDone = onDone
        self._slices = Slices(showError)

    @property
    def isBusy(self) -> bool:
        """Whether it is under way."""
        return self._slices.isBusy

    def isDone(self) -> bool:
        """Whether a header can be read without loading libraries first; if not, that is begun."""
        done = all(name in sys.modules for name in _NEEDED)
        if not done and not self.isBusy:
            self._slices.run(self._inSteps())
        return done

    def stop(self) -> None:
        """Nothing follows any more."""
        self._slices.stop()

    def _inSteps(self) -> Generator[None, None, None]:
        for name in _MODULES:
            if name not in sys.modules:
                try:
                    importlib.import_module(name)
                except ImportError:
                    if name in _NEEDED:
                        raise
                yield
        self._onDone()
