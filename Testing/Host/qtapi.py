"""What PythonQt shows of the widget classes this module uses, from the table qt_api.json beside this file.

The table lists, per class, the properties (type, writable), signals and methods that both Qt 5 and Qt 6 have. A class
shows what its base shows as well.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path


@cache
def _table() -> dict:
    return json.loads(Path(__file__).with_name("qt_api.json").read_text(encoding="utf-8"))


def classes() -> tuple[str, ...]:
    """The classes in the table."""
    return tuple(_table())


@cache
def properties(name: str) -> dict[str, tuple[str, bool]]:
    """Properties of a class: name to (C++ type, writable)."""
    entry = _table()[name]
    inherited = properties(entry["base"]) if entry["base"] else {}
    return {**inherited, **{key: tuple(value) for key, value in entry["properties"].items()}}


@cache
def signals(name: str) -> frozenset[str]:
    """Signatures of the signals of a class, such as clicked(bool)."""
    entry = _table()[name]
    return frozenset(entry["signals"]) | (signals(entry["base"]) if entry["base"] else frozenset())


@cache
def methods(name: str) -> frozenset[str]:
    """Names of methods and enumerators of a class."""
    entry = _table()[name]
    return frozenset(entry["methods"]) | (methods(entry["base"]) if entry["base"] else frozenset())


@cache
def members(name: str) -> frozenset[str]:
    """Every name that can follow a dot."""
    own = frozenset(signature.split("(")[0] for signature in signals(name))
    # `name` stands for objectName in Slicer's PythonQt.
    return own | methods(name) | frozenset(properties(name)) | {"name"}
