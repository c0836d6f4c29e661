"""SIGTERM is an interrupt while a command runs, on the main thread, and what it was before afterwards."""

import os
import signal
import threading

import pytest

from DSADeblurLib.termination import terminated_like_interrupted

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows ends a process at once")


def test_sigterm_interrupts():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminated_like_interrupted():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_on_other_threads_nothing_changes():
    found = []

    def look():
        with terminated_like_interrupted():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]
