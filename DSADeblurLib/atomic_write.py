"""How a finished file appears under its name: in one step, and never over another file unless that is wanted."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path


def new_beside(path: str | os.PathLike, ending: str = "") -> Path:
    """Make an empty file in the folder of `path`, to be written and put in place later; gives its path.

    `ending` is for writers that go by it, such as ".mp4". Raises OSError.
    """
    # Nobody can plant a link at a name that cannot be guessed, and what is there is never opened ("x").
    aside = Path(path).with_name(f".{secrets.token_hex(8)}.part{ending}")
    with open(aside, "xb"):
        return aside


def put_in_place(finished: str | os.PathLike, path: str | os.PathLike, *, replace: bool) -> None:
    """Move a finished file to `path` on the same file system, in one step.

    `replace` says whether a file of that name may be replaced; a link of that name is replaced itself, never followed.

    Raises:
        FileExistsError: something has that name and `replace` is False.
        OSError: it cannot be moved. In both cases `finished` is where it was, and so is what has that name.
    """
    if replace:
        os.replace(finished, path)
    elif os.name == "nt":
        os.rename(finished, path)  # there it fails where something has that name; elsewhere it would replace it
    else:
        _link_or_reserve(finished, path)


def _link_or_reserve(finished: str | os.PathLike, path: str | os.PathLike) -> None:
    """POSIX has no rename that fails where the name is taken, but making a second name for a file does."""
    try:
        os.link(finished, path)
    except FileExistsError:
        # NFS may say so of its own success, when the first answer was lost and it asked again.
        if not os.path.samestat(os.lstat(finished), os.lstat(path)):
            raise
    except OSError:
        # FAT and some network folders know no second names. There the name is taken with an empty file, which fails
        # where it is taken already, and that file is replaced.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        try:
            os.replace(finished, path)
        except BaseException:
            os.unlink(path)
            raise
        return
    with contextlib.suppress(OSError):  # it is in place; whoever made it clears up what is left
        os.unlink(finished)


def is_plain_folder(path: str | os.PathLike, *, or_nothing: bool = False) -> bool:
    """Whether there is a folder of that name that is no link and no junction of Windows, `or_nothing` at all."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return or_nothing
    # As os.path.isjunction, which comes with Python 3.12. Python says of a junction that it is a folder and no link.
    tag = getattr(status, "st_reparse_tag", 0)
    return stat.S_ISDIR(status.st_mode) and tag != getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)


def is_plain_file(path: str | os.PathLike, *, or_nothing: bool = False, one_name: bool = False) -> bool:
    """Whether there is a file of that name that is no link, `or_nothing` at all; `one_name` excludes hard links too."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return or_nothing
    return stat.S_ISREG(status.st_mode) and (status.st_nlink <= 1 or not one_name)
