"""Reading ahead and writing behind: the neighbouring frames are read and written while the network runs on one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from typing import TypeVar

Item = TypeVar("Item")


class _End(Enum):
    """What comes behind the last item; an enumeration, so that it has a type of its own."""

    END = 0


def read_ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The items in order, the next one being made in a thread of its own while the caller works on one.

    At most one item is made ahead, and all in the same thread. What making one raises is raised where its turn comes.
    Close the iterator (`contextlib.closing`) to stop before the end.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, "read") as pool:
        ahead = pool.submit(next, iterator, _End.END)
        while (item := ahead.result()) is not _End.END:
            ahead = pool.submit(next, iterator, _End.END)
            yield item


class WriteBehind:
    """Calls functions in order in a thread of its own; use as a context manager.

    At most one call waits behind the one in work, then `submit` waits as well, so that memory stays bounded. What a
    call raises is raised by a later `submit` or at the end; the calls behind it are still made.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "write")
        self._pending: deque[Future] = deque()

    def submit(self, function: Callable, *arguments) -> None:
        """Call `function(*arguments)` after all that was submitted before."""
        self._pending.append(self._pool.submit(function, *arguments))
        while len(self._pending) > 2:
            self._pending.popleft().result()

    def __enter__(self) -> WriteBehind:
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            for future in self._pending:
                future.result()
