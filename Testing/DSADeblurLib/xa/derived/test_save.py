"""Files appear complete or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement

from DSADeblurLib.xa import XAWriteError, read_run
from DSADeblurLib.xa.derived.compression import fragment_encoder, transfer_syntax_of
from DSADeblurLib.xa.derived.save import attach_compressed_pixels, attach_native_pixels, write_dicom

ROOT = Path(__file__).resolve().parents[4]


def test_each_frame_is_asked_for_once(make_run, tmp_path):
    asked = []

    def frame(index):
        asked.append(index)
        return np.full((48, 64), index, np.uint16)

    dataset = pydicom.dcmread(make_run().path)
    attach_native_pixels(dataset, frame, 6, 48 * 64 * 2, 16)
    write_dicom(dataset, tmp_path / "out.dcm")
    assert asked == [0, 1, 2, 3, 4, 5]
    assert np.asarray(read_run(tmp_path / "out.dcm").frames)[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("failure", [ValueError("broken frame"), KeyboardInterrupt()])
def test_failure_leaves_an_existing_file_alone(make_run, tmp_path, failure):
    def frame(index):
        if index == 3:
            raise failure
        return np.zeros((48, 64), np.uint16)

    target = tmp_path / "kept.dcm"
    target.write_bytes(b"precious")
    dataset = pydicom.dcmread(make_run().path)
    attach_native_pixels(dataset, frame, 6, 48 * 64 * 2, 16)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(type(failure)) as caught:
        write_dicom(dataset, target)
    assert str(caught.value) == str(failure)
    assert target.read_bytes() == b"precious" and sorted(tmp_path.iterdir()) == before


def test_file_that_appears_meanwhile_is_replaced(make_run, tmp_path):
    target = tmp_path / "out.dcm"

    def frame(index):
        target.write_bytes(b"precious")
        return np.zeros((48, 64), np.uint16)

    dataset = pydicom.dcmread(make_run().path)
    attach_native_pixels(dataset, frame, 6, 48 * 64 * 2, 16)
    write_dicom(dataset, target)
    assert target.read_bytes() != b"precious"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_planted_links_are_not_followed(make_run, tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    for name in ("out.dcm", f".out.dcm.{os.getpid()}.part", ".out.dcm.part"):
        (tmp_path / name).symlink_to(tmp_path / "precious")
    dataset = pydicom.dcmread(make_run().path)
    attach_native_pixels(dataset, lambda index: np.zeros((48, 64), np.uint16), 6, 48 * 64 * 2, 16)
    write_dicom(dataset, tmp_path / "out.dcm")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "out.dcm").is_symlink() and read_run(tmp_path / "out.dcm").bits_stored


def test_frame_of_wrong_size(make_run, tmp_path):
    dataset = pydicom.dcmread(make_run().path)
    attach_native_pixels(dataset, lambda index: np.zeros((48, 60), np.uint16), 6, 48 * 64 * 2, 16)
    with pytest.raises(XAWriteError, match="Frame 1 has 5760 bytes, expected 6144."):
        write_dicom(dataset, tmp_path / "out.dcm")


def test_folder_that_does_not_exist(make_run, tmp_path):
    dataset = pydicom.dcmread(make_run().path)
    with pytest.raises(XAWriteError, match="Cannot write out.dcm: No such file or directory."):
        write_dicom(dataset, tmp_path / "none" / "out.dcm")


def test_value_that_dicom_cannot_store(make_run, tmp_path):
    dataset = pydicom.dcmread(make_run().path)
    attach_native_pixels(dataset, lambda index: np.zeros((48, 64), np.uint16), 6, 48 * 64 * 2, 16)
    dataset.add(DataElement(0x00280301, "US", "seven", validation_mode=0))
    with pytest.raises(
        XAWriteError,
        match="Cannot write out.dcm: a value copied from the source cannot be stored in "
        r"DICOM \(.*\); repair the source file.",
    ):
        write_dicom(dataset, tmp_path / "out.dcm")
    assert not (tmp_path / "out.dcm").exists()


def test_memory_that_is_short_is_no_fault_of_the_source(make_run, tmp_path, monkeypatch):
    def short(*arguments, **options):
        raise MemoryError

    dataset = pydicom.dcmread(make_run().path)
    monkeypatch.setattr(pydicom.Dataset, "save_as", short)
    with pytest.raises(XAWriteError, match="^Cannot write out.dcm: there is not enough memory.$"):
        write_dicom(dataset, tmp_path / "out.dcm")


def test_four_gigabytes_are_the_limit():
    with pytest.raises(XAWriteError, match="The frames exceed 4 GiB"):
        attach_native_pixels(pydicom.Dataset(), lambda index: None, 3000, 2 * 1024**2, 16)


def test_file_format_is_complete(make_run, tool, tmp_path):
    assert tool("dcmftest", make_run().path).returncode == 0
    assert make_run().path.read_bytes()[:132] == b"\0" * 128 + b"DICM"


def _attached(make_run, compression):
    dataset = pydicom.dcmread(make_run().path)
    # Noise, which no compression makes smaller.
    noise = np.random.default_rng(1).integers(0, 65536, (6, 256, 256), np.uint16)
    dataset.Rows = dataset.Columns = 256
    syntax = transfer_syntax_of(compression)
    if compression == "none":
        attach_native_pixels(dataset, noise.__getitem__, 6, 256 * 256 * 2, 16)
    else:
        attach_compressed_pixels(dataset, fragment_encoder(syntax, noise.__getitem__, 16), 6)
    return dataset, syntax


_FULL = "Cannot write out.dcm: the disk is full or a limit of its size is reached; free some space"


@pytest.mark.parametrize("compression", ["none", "jpeg-ls", "rle"])
def test_full_disk(make_run, tmp_path, compression):
    """A file size limit stands in for the disk: the operating system refuses to write on, in the middle."""
    resource = pytest.importorskip("resource", reason="file size limits are a matter of Unix")
    dataset, syntax = _attached(make_run, compression)
    (tmp_path / "out.dcm").write_bytes(b"precious")
    before = sorted(tmp_path.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(XAWriteError, match=_FULL):
            write_dicom(dataset, tmp_path / "out.dcm", syntax)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "out.dcm").read_bytes() == b"precious"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_disk_that_is_full_only_when_flushed(make_run, tmp_path, monkeypatch, number):
    def full(descriptor):
        raise OSError(number, os.strerror(number))

    dataset, syntax = _attached(make_run, "none")
    monkeypatch.setattr(os, "fsync", full)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(XAWriteError, match=_FULL):
        write_dicom(dataset, tmp_path / "out.dcm", syntax)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_really_full_file_system(make_run, tmp_path):
    """A file system of 1 MiB in memory, where one may be mounted without being the administrator."""
    script = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from DSADeblurLib.xa import Provenance, XAWriteError, read_run, write_derived
run = read_run({str(make_run(count=40, rows=256, columns=256).path)!r})
try:
    write_derived("small/out.dcm", run, run.frames, frame_numbers=range(1, 41), provenance=Provenance("m", "", "1"))
except XAWriteError as error:
    import os
    print(error, os.listdir("small"))
"""
    (tmp_path / "small").mkdir()
    mount = 'mount -t tmpfs -o size=1M tmpfs small && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    try:
        allowed = subprocess.run([*command, "true"], cwd=tmp_path, capture_output=True).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("no file system may be mounted here")
    done = subprocess.run([*command, sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith(_FULL) and done.stdout.rstrip().endswith("[]"), done.stdout + done.stderr
