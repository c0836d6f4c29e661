"""How a finished file appears under its name: in one step, and never over another file unless that is wanted."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import itertools
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from DSADeblurLib.parent_process import is_there

_Returned = TypeVar("_Returned")


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike, *, replace: bool, folder: str | os.PathLike | None = None) -> Iterator[Path]:
    """Give a new empty file to be written, which gets the name `path` when the block ends well and goes otherwise.

    Args:
        path: of the finished file; the unfinished one has the same suffix, for writers that go by it.
        replace: see `put_in_place`.
        folder: where the unfinished file lies, on the same file system; by default beside `path`.

    Yields:
        The path of the unfinished file.

    Raises:
        FileExistsError: something has that name and `replace` is False.
        OSError: a file cannot be made there or moved. In both cases what has that name is as it was.
    """
    path = Path(path)
    # Nobody can plant a link at a name that cannot be guessed, and what is there is never opened ("x").
    unfinished = Path(folder or path.parent) / f".{secrets.token_hex(8)}.part{path.suffix}"
    open(unfinished, "xb").close()
    try:
        yield unfinished
        put_in_place(unfinished, path, replace=replace)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Give a new empty folder, which replaces the folder `path` when the block ends well and goes otherwise.

    A folder that was there is removed only after the new one has its name.

    Args:
        path: of the finished folder, whose parent exists.

    Yields:
        The path of the unfinished folder, beside `path`.

    Raises:
        OSError: a folder cannot be made there or moved; then the one that was there is as it was.
    """
    path = Path(path)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        unfinished.chmod(0o755)  # mkdtemp makes it private
        yield unfinished
        _replace_folder(unfinished, path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _replace_folder(finished: Path, path: Path) -> None:
    older = None
    if path.exists():
        older = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent))
        os.replace(path, older / path.name)
    try:
        os.replace(finished, path)
    except OSError:
        if older is not None:
            os.replace(older / path.name, path)
            older.rmdir()
        raise
    if older is not None:
        shutil.rmtree(older, ignore_errors=True)


def write_new(
    folder: str | os.PathLike, stem: str, suffix: str, write: Callable[[Path], _Returned], *, digits: int = 0
) -> tuple[Path, _Returned]:
    """Let `write` make a file, and put it into `folder` under a name that nothing has by then.

    Args:
        folder: an existing folder.
        stem: how the name begins.
        suffix: how it ends, such as ".dcm".
        write: makes the file at the path it is given, in a hidden folder that is gone afterwards.
        digits: without them names are `stem`, `stem 2`, ...; with 4 they are `stem-0001`, `stem-0002`, ...

    Returns:
        The path of the file, and what `write` returned.

    Raises:
        OSError: the file cannot be put there. Whatever is raised, by `write` too, nothing is left then.
    """

    def free_path() -> Path:
        numbers = itertools.count(1)
        counted = (f"-{number:0{digits}d}" if digits else f" {number}" if number > 1 else "" for number in numbers)
        paths = (Path(folder) / f"{stem}{one}{suffix}" for one in counted)
        return next(path for path in paths if not os.path.lexists(path))

    # In the folder itself, for only within one file system files appear in one step.
    with own_folder(folder) as hidden:
        finished = hidden / free_path().name
        returned = write(finished)
        while True:
            path = free_path()
            with contextlib.suppress(FileExistsError):
                put_in_place(finished, path, replace=False)
                return path, returned


@contextlib.contextmanager
def own_folder(parent: str | os.PathLike) -> Iterator[Path]:
    """Give a new hidden folder that is gone afterwards, see `make_own_folder`."""
    folder = make_own_folder(parent, ".dsadeblur-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_own_folder(parent: str | os.PathLike, prefix: str) -> Path:
    """Make a folder that is named after this process, and remove those that processes which are gone left beside it.

    Args:
        parent: an existing folder.
        prefix: how the name begins.

    Raises:
        OSError: it cannot be made.
    """
    # Processes of another computer may be at work in a shared folder; nobody knows here whether they live.
    prefix += hashlib.sha256(platform.node().encode(errors="replace")).hexdigest()[:8]
    for path in Path(parent).glob(f"{glob.escape(prefix)}-*"):
        owner = re.fullmatch(rf"{re.escape(prefix)}-(\d{{1,9}})-\w+", path.name)
        if owner is not None and is_plain_folder(path) and not is_there(int(owner[1])):
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-", dir=parent))


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
