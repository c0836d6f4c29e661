"""Runs to make pictures of, and how much is read of them at a time."""

import numpy as np
import pytest


class Counted:
    """Frames (n, rows, columns) that are made when asked for; slices of several frames are refused."""

    def __init__(self, count, rows=64, columns=96, offset=0):
        self._shape, self._offset, self.asked = (count, rows, columns), offset, []

    def __len__(self):
        return self._shape[0]

    def __getitem__(self, index):
        assert isinstance(index, int), "one frame at a time"
        self.asked.append(index)
        _, rows, columns = self._shape
        y, x = np.mgrid[:rows, :columns]
        return (1000 + 9 * x + 5 * y + 40 * index + self._offset).astype(np.uint16)


@pytest.fixture
def runs():
    """Return a factory: original and deblurred frames of one run."""

    def make(count=5, **size):
        return Counted(count, **size), Counted(count, offset=30, **size)

    return make
