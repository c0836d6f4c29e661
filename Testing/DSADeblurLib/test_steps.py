"""Work in steps, done at once."""

import pytest

from DSADeblurLib.steps import finished


def test_finished_gives_what_is_returned_and_raises_what_is_raised():
    def work(error=None):
        yield
        yield
        if error is not None:
            raise error
        return 7

    assert finished(work()) == 7
    with pytest.raises(OSError, match="full"):
        finished(work(OSError("full")))
