"""Resources lie beside the package, in the source tree and as Slicer installs them."""

import shutil
import subprocess
import sys
from pathlib import Path

import DSADeblurLib
from DSADeblurLib import paths


def test_resources_lie_beside_the_package():
    root = Path(DSADeblurLib.__file__).resolve().parent.parent
    assert paths.resources_folder() == root / "Resources"
    assert paths.models_folder() == root / "Resources" / "Models"
    assert paths.sample_data_folder() == root / "Resources" / "SampleData"


def test_an_installed_package_finds_the_resources_installed_with_it(tmp_path):
    installed = tmp_path / "qt-scripted-modules" / "DSADeblurLib"
    installed.mkdir(parents=True)
    for name in ("__init__.py", "paths.py"):
        shutil.copy(Path(DSADeblurLib.__file__).parent / name, installed)
    code = "from DSADeblurLib import paths; print(paths.models_folder())"
    found = subprocess.check_output([sys.executable, "-c", code], cwd=installed.parent, text=True)
    assert Path(found.strip()) == (installed.parent / "Resources" / "Models").resolve()
