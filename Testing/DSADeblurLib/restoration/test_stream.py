"""Items are made one ahead and written one behind, in order, and errors come where their turn is."""

import contextlib
import itertools
import threading

import pytest

from DSADeblurLib.restoration.stream import WriteBehind, read_ahead


def test_items_come_in_order_from_one_other_thread():
    threads = set()

    def items():
        for number in range(20):
            threads.add(threading.get_ident())
            yield number

    assert list(read_ahead(items())) == list(range(20))
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_the_next_item_is_made_while_one_is_worked_on_and_no_more():
    made = threading.Semaphore(0)
    count = itertools.count()

    def items():
        for _ in range(10):
            yield next(count)
            made.release()  # the generator was asked for the item after

    with contextlib.closing(read_ahead(items())) as source:
        for number in source:
            if number == 3:
                # Five were asked for: four came, and the fifth is ready or on its way.
                assert all(made.acquire(timeout=600) for _ in range(4))
                assert not made.acquire(timeout=0.05)
                break
    assert next(count) <= 5


def test_what_making_an_item_raises_comes_in_its_turn():
    def items():
        yield 1
        yield 2
        raise OSError("disk gone")

    source, seen = read_ahead(items()), []
    with pytest.raises(OSError, match="disk gone"):
        for item in source:
            seen.append(item)
    assert seen == [1, 2]


def test_writes_are_made_in_order_and_all_before_the_end():
    written = []
    with WriteBehind() as writer:
        for number in range(50):
            writer.submit(written.append, number)
    assert written == list(range(50))


def test_few_writes_wait():
    begun, gate, written = threading.Event(), threading.Event(), []

    def slow(number):
        begun.set()
        gate.wait(600)
        written.append(number)

    def producer():
        with WriteBehind() as writer:
            for number in range(6):
                writer.submit(slow, number)
                submitted.append(number)

    submitted: list[int] = []
    thread = threading.Thread(target=producer)
    thread.start()
    assert begun.wait(600)
    thread.join(0.1)
    assert len(submitted) <= 3 and not written
    gate.set()
    thread.join(600)
    assert written == list(range(6))


def full():
    raise OSError("disk full")


def test_a_failed_write_is_raised():
    with pytest.raises(OSError, match="disk full"), WriteBehind() as writer:
        writer.submit(full)


def test_the_callers_own_error_is_not_hidden_by_one_of_writing():
    with pytest.raises(KeyError, match="mine"), WriteBehind() as writer:
        writer.submit(full)
        raise KeyError("mine")
