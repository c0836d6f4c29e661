"""Memory is asked for before anything is decoded, from what the header says."""

import pytest

from DSADeblurLib.xa import XAReadError, read_header
from DSADeblurLib.xa.file import memory
from DSADeblurLib.xa.file.memory import needed_bytes


def test_too_little_memory_is_one_sentence(make_run, monkeypatch):
    path = make_run().path
    needed = needed_bytes(read_header(path).stored_pixels)
    assert needed == 48 * 64 * 64
    monkeypatch.setattr(memory, "available_bytes", lambda: needed - 1)
    with pytest.raises(XAReadError, match="^Not enough memory: frames of 48 x 64 pixels need about 0 MiB to work on"):
        read_header(path)
    for enough in (needed, None):
        monkeypatch.setattr(memory, "available_bytes", lambda enough=enough: enough)
        read_header(path)


def test_the_length_of_a_run_costs_nothing(make_run):
    few, many = (make_run(f"{count}.dcm", count=count).path for count in (3, 60))
    assert needed_bytes(read_header(few).stored_pixels) == needed_bytes(read_header(many).stored_pixels)
