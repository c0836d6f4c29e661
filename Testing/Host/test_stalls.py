"""The meter finds what keeps the event loop waiting, and the line of ours; slices keep it turning."""

from __future__ import annotations

import time

import pytest


@pytest.fixture
def host():
    pytest.importorskip("qtemu", reason="PySide6 or slicer-core is not installed")
    from guihost import GuiHost

    application = GuiHost()
    yield application
    application.close()


def work(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_stall_and_its_line_are_found(host):
    import stalls

    host.openModule()
    from DSADeblurScene import slot

    # A function of ours that does somebody's work.
    meter = stalls.measure(host, slot.slot(lambda: work(0.2)), lambda: True)
    assert meter.longest.cpu >= 0.2 and meter.longest.line.startswith("slot.py:")


def test_slices_let_the_event_loop_turn_and_end_when_told(host):
    host.openModule()
    from DSADeblurScene.slices import Slices

    slices, done, turns = Slices(), [], []

    def steps(count: int):
        try:
            for i in range(count):
                work(0.03)
                yield i
            done.append("whole")
        finally:
            done.append("left")

    from qt import QTimer

    def turn() -> None:
        turns.append(slices.isBusy)
        if slices.isBusy:
            QTimer.singleShot(0, turn)

    slices.run(steps(4))
    turn()
    assert host.processEvents(lambda: not slices.isBusy)
    assert done == ["whole", "left"] and turns.count(True) >= 4
    slices.run(steps(1000))
    host.turnEventLoop()
    slices.stop()
    host.turnEventLoop()
    assert done == ["whole", "left", "left"] and not slices.isBusy
