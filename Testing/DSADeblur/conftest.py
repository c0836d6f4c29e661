"""Fixtures for tests of the Slicer module on the stand-in for the application."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Host"))
import hostpaths  # noqa: E402

hostpaths.prepare()

_MISSING = [name for name in ("slicer_core", "PySide6", "torch") if importlib.util.find_spec(name) is None]


def pytest_collection_modifyitems(items) -> None:
    if _MISSING:
        skip = pytest.mark.skip(reason=f"not installed: {', '.join(_MISSING)}")
        here = str(Path(__file__).parent)
        for item in items:
            if str(item.path).startswith(here):
                item.add_marker(skip)


@pytest.fixture
def out(tmp_path) -> Path:
    """The folder that files go to."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def keep_modules():
    """The module forgets its own packages when it is reloaded; other tests must not notice."""
    own = ("DSADeblur", "DSADeblurLib", "DSADeblurScene", "DSADeblurPanel")
    before = {name: module for name, module in sys.modules.items() if name.split(".")[0] in own}
    for name in before:
        if not name.startswith("DSADeblurLib"):
            del sys.modules[name]
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in own]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def host():
    """A scene; an error that VTK reports fails the test."""
    from mrmlhost import MRMLHost

    application = MRMLHost()
    yield application
    errors = list(application.errors.texts)
    application.close()
    assert errors == []


@pytest.fixture
def gui(keep_modules):
    """An application with a window; an error in VTK or in a slot fails the test."""
    import qtemu
    from guihost import GuiHost

    application = GuiHost()
    yield application
    errors = [*application.errors.texts, *qtemu.slotErrors]
    application.close()
    assert [*errors, *qtemu.slotErrors] == []


@pytest.fixture
def views(gui):
    """Compare views of the module, without its panel."""
    gui.loadModule()
    from DSADeblurScene.compare_views import CompareViews

    comparison = CompareViews()
    yield comparison
    comparison.close()


@pytest.fixture
def run_file(tmp_path) -> Path:
    """An XA run of 6 frames with two mask frames."""
    import samples

    path = tmp_path / "run.dcm"
    samples.write_run(path, samples.vessel_frames(), mask_frames=(1, 2), contrast_range=(3, 6))
    return path
