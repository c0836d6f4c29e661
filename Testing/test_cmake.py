"""Every file is in a CMake list and every listed file exists: what is not listed is missing once installed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
INSTALLED = {
    "DSADeblur": {".py", ".ui", ".png", ".svg"},
    "DSADeblurLib": {".py"},
    "Resources": {".py", ".dcm", ".json", ".npy", ".safetensors", ".md", ".xml", ".bin"},
}
# Shown on web pages, or for developers, only.
NOT_INSTALLED = ("Resources/Screenshots/", "Resources/Docs/")


def listed(folder: str) -> list[str]:
    text = (ROOT / folder / "CMakeLists.txt").read_text(encoding="utf-8")
    blocks = re.findall(r"set\(MODULE_PYTHON_(?:SCRIPTS|RESOURCES)\s([^)]*)\)", text)
    assert len(blocks) == 2
    return [name for block in blocks for name in block.split()]


@pytest.mark.parametrize("folder", INSTALLED)
def test_lists_and_files_agree_both_ways(folder):
    on_disk = {
        path.relative_to(ROOT / folder).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.suffix in INSTALLED[folder] and "__pycache__" not in path.parts
    }
    if folder == "Resources":
        on_disk = {name for name in on_disk if not f"Resources/{name}".startswith(NOT_INSTALLED)}
    names = listed(folder)
    assert len(names) == len(set(names)), "a file is listed twice"
    assert set(names) == on_disk


def test_extension_says_what_slicer_needs():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert re.search(r"project\((\w+)\)", text).group(1) == "DSADeblur"
    assert 'set(EXTENSION_DEPENDS "PyTorch")' in text
    for name, file in (("LICENSE", "LICENSE.txt"), ("README", "README.md")):
        assert f'set(EXTENSION_{name}_FILE "${{CMAKE_CURRENT_SOURCE_DIR}}/{file}")' in text
        assert (ROOT / file).is_file()
    # The Extensions Index reads these with a pattern: one quoted string, closed at once.
    assert re.search(r'set\(EXTENSION_ICONURL "https?://[^"\s]+\.(png|jpe?g|gif)"\)', text)
    assert re.search(r'set\(EXTENSION_SCREENSHOTURLS "(https?://\S+\s*)+"\)', text)


# What Slicer's own package configuration would define, reduced to checking and installing files.
SLICER_CONFIG = """
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/Use.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/Nothing.cmake)
"""
USE = """
function(slicer_add_python_unittest)
endfunction()
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(M "WITH_SUBDIR;WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(M_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown arguments ${M_UNPARSED_ARGUMENTS}")
  endif()
  # Slicer hands these on to ctkMacroCompilePythonScript, which has the same rule.
  if(NOT M_NAME OR NOT M_SCRIPTS)
    message(FATAL_ERROR "NAME and SCRIPTS are mandatory")
  endif()
  set(destination "modules")
  if(M_WITH_SUBDIR)
    get_filename_component(name ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    set(destination "modules/${name}")
  endif()
  foreach(file ${M_SCRIPTS} ${M_RESOURCES})
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${file})
      message(FATAL_ERROR "${M_NAME}: ${file} does not exist")
    endif()
    get_filename_component(folder ${file} DIRECTORY)
    install(FILES ${file} DESTINATION ${destination}/${folder})
  endforeach()
endmacro()
"""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_installed_tree_finds_its_parts(tmp_path):
    slicer = tmp_path / "slicer"
    slicer.mkdir()
    (slicer / "SlicerConfig.cmake").write_text(SLICER_CONFIG)
    (slicer / "Use.cmake").write_text(USE)
    (slicer / "Nothing.cmake").write_text("")
    build, prefix = tmp_path / "build", tmp_path / "installed"
    configure = ["cmake", "-S", ROOT, "-B", build, f"-DSlicer_DIR={slicer}", f"-DCMAKE_INSTALL_PREFIX={prefix}"]
    done = subprocess.run([*configure, "-DBUILD_TESTING=ON", "-Wno-dev"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    subprocess.run(["cmake", "--install", build], check=True, capture_output=True)
    modules = prefix / "modules"
    assert (modules / "DSADeblur.py").is_file() and (modules / "Resources" / "UI" / "DSADeblur.ui").is_file()
    # The library of the installed tree, not the one beside this test, finds the models and the sample run.
    code = (
        "from DSADeblurLib import paths; from DSADeblurLib.restoration.card import list_models;"
        "print(paths.__file__); print([c.name for c in list_models()]); print(*paths.sample_data_folder().iterdir())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=modules, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    where, models, sample = done.stdout.splitlines()
    assert where.startswith(str(modules))
    assert "compact" in models
    assert "dsa_large_focal_spot.dcm" in sample
