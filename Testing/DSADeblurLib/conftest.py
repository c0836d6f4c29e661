"""What several tests of the library share."""

import os
import shutil

import pytest


def _with_other_pixels(path):
    return path.read_bytes()[:-1000] + bytes(1000)


def _overwrite(path):
    """As a copy over the file does, in a second when the clock of the file system has gone on."""
    later = path.stat().st_mtime + 1
    with open(path, "r+b") as file:
        file.write(_with_other_pixels(path))
    os.utime(path, (later, later))


def _append(path):
    with open(path, "ab") as file:
        file.write(bytes(1000))


def _truncate(path):
    os.truncate(path, path.stat().st_size - 1000)


def _replace(path):
    """Another file of the same name, size and time, as tools make that keep the time."""
    other = path.with_name("other")
    other.write_bytes(_with_other_pixels(path))
    shutil.copystat(path, other)
    os.replace(other, path)


def _remove(path):
    path.unlink(missing_ok=True)


@pytest.fixture(params=[_overwrite, _append, _truncate, _replace, _remove], ids=lambda one: one.__name__[1:])
def change(request):
    """What happens to a file while it is read, a function of its path. Its UIDs and its header stay the same."""
    if os.name == "nt" and request.param in (_replace, _remove):
        pytest.skip("Windows keeps an open file in its place")
    return request.param


@pytest.fixture(scope="session")
def small_model(tiny_model):
    """The tiny model, loaded."""
    from DSADeblurLib.restoration.package import load_model

    return load_model(tiny_model)


@pytest.fixture(scope="session")
def modulated_model(save_untrained):
    """A small untrained network that is told the blur, loaded."""
    from DSADeblurLib.restoration.architecture import UNetArchitecture
    from DSADeblurLib.restoration.package import load_model

    told = UNetArchitecture(features=4, growth=4, levels=1, attention_reduction=0, modulated=True)
    return load_model(save_untrained("modulated", told))
