"""What tests of batches share: files to be done, and steps and processes that other processes can load too."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def inputs(tmp_path):
    """Makes so many files of a few thousand bytes, each different, in as many folders; gives the folder of them."""

    def make(count: int, size: int = 3000) -> Path:
        folder = tmp_path / "in"
        for number in range(count):
            path = folder / f"{number:04d}" / "run.dcm"
            path.parent.mkdir(parents=True)
            path.write_bytes(f"{number:04d}".encode() * (size // 4))
        return folder

    return make
