"""JSON that is always written the same, its hash, and files that hold it with that hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from DSADeblurLib.regular_file import read_regular
from DSADeblurLib.request import RequestError

_LARGEST = 2**28


def canonical(values: Any) -> bytes:
    """The JSON of values in one way only: keys in order, no blanks, UTF-8."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(values: Any) -> str:
    """The SHA-256 of `canonical`, as hexadecimal digits."""
    return hashlib.sha256(canonical(values)).hexdigest()


def with_digest(values: Mapping) -> str:
    """The text of a file: the values and, as `sha256`, the digest of them."""
    return json.dumps({**values, "sha256": digest(values)}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_with_digest(path: Path, kind: str, version: int) -> dict[str, Any]:
    """Read a file of `with_digest`, its `sha256` included.

    Raises:
        RequestError: one sentence; it cannot be read, is of another format, or was changed since it was written.
    """
    try:
        values = json.loads(read_regular(path, _LARGEST))
    except FileNotFoundError as error:
        raise RequestError(f"There is no {path}.") from error
    except (OSError, ValueError) as error:
        raise RequestError(f"{path} cannot be read: {error}.") from error
    if not isinstance(values, dict) or values.get("format") != kind:
        raise RequestError(f"{path} is not a {kind}.")
    if values.get("version") != version:
        raise RequestError(f"{path} is of version {values.get('version')}; this software reads version {version}.")
    if values.get("sha256") != digest({name: value for name, value in values.items() if name != "sha256"}):
        raise RequestError(f"{path} was changed after it was written; take the original file.")
    return values
