"""Only regular files are opened, none is waited for, and none larger than expected is read."""

import hashlib
import os

import pytest

from DSADeblurLib.regular_file import open_regular, read_regular, sha256_of


def test_regular_files_are_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc" * 10**6)
    (tmp_path / "link").symlink_to(path)
    assert read_regular(tmp_path / "link", 2**22) == path.read_bytes()
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(OSError, match="larger than 1 MiB"):
        read_regular(path, 2**20)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_others_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="pipe or a device"):
            open_regular(path)
        assert sha256_of(path) is None
    for path in (tmp_path / "nothing", tmp_path, "a\0b"):
        assert sha256_of(path) is None
