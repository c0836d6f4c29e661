"""Where a model will run on this computer and how long that takes, by what it took before; kept in the settings."""

from __future__ import annotations

import importlib.metadata
import math

import qt
from slicer.i18n import tr as _

from DSADeblurLib.request import DeblurSettings
from DSADeblurScene.derived import usedOf
from DSADeblurScene.in_words import duration
from DSADeblurScene.input import readInput

_MEGA = 1e6


def remember(result) -> None:
    """Take note of what a result took. A single frame bears the cost of the start: it counts where it says less."""
    used, frames = usedOf(result), readInput(result).frames
    settings, key = qt.QSettings(), _key(used.model, used.device)
    settings.setValue("DSADeblur/Device", used.device)
    took, known = used.seconds / (math.prod(frames.shape) / _MEGA), _number(settings.value(key))
    if len(frames) > 1 or known is None or took < known:
        settings.setValue(key, str(took))


def device(settings: DeblurSettings) -> str:
    """ "cpu", "cuda", or "" where only a trial can tell."""
    if settings.device != "auto":
        return settings.device
    if settings.engine == "openvino" or not _mayHaveGPU():
        return "cpu"
    return str(qt.QSettings().value("DSADeblur/Device") or "")


def seconds(model: str, settings: DeblurSettings, pixels: int) -> float | None:
    """How long a model will take for so many pixels; None where it has not run on this computer."""
    known = _number(qt.QSettings().value(_key(model, device(settings))))
    return None if known is None else known * pixels / _MEGA


def inWords(model: str, settings: DeblurSettings, shape: tuple[int, int, int] | None) -> str:
    """CPU, about 20 s.

    shape: (frames, rows, columns) of the run; None where it cannot be read.
    """
    if shape is None:
        return ""
    first, last = settings.frame_range or (1, shape[0])
    pixels = max(0, min(last, shape[0]) - first + 1) * shape[1] * shape[2]
    names = {"cpu": _("CPU"), "cuda": _("GPU"), "": _("GPU if it works, else CPU")}
    where, took = names[device(settings)], seconds(model, settings, pixels)
    if not pixels:  # Apply tells why
        return _("{where}.").format(where=where)
    if took is None:
        return _("{where}. The first frame tells how long it takes.").format(where=where)
    return _("{where}, about {time}.").format(where=where, time=duration(took))


def _number(value) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _key(model: str, where: str) -> str:
    return f"DSADeblur/SecondsPerMegapixel/{where}/{model}"


def _mayHaveGPU() -> bool:
    """Whether PyTorch is there, in a build for graphics cards; it is not imported for that."""
    try:
        return not importlib.metadata.version("torch").endswith("+cpu")
    except importlib.metadata.PackageNotFoundError:
        return False
