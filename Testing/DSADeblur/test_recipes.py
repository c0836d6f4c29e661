"""The recipes of the README for Slicer's Python console do what they say."""

from __future__ import annotations

import re
import sys
import types

import hostpaths
import numpy as np
import pytest
import samples
import slicer
import slicerapi
from scenes import load

pytestmark = pytest.mark.slow


def recipes() -> list[str]:
    text = (hostpaths.ROOT / "README.md").read_text(encoding="utf-8")
    section = text[text.index("### From Slicer's Python console") :]
    return re.findall(r"```python\n(.*?)```", section[: section.index("\n### ", 5)], flags=re.DOTALL)


def test_recipes_call_slicer_as_it_is(tmp_path):
    path = tmp_path / "recipes.py"
    path.write_text("import slicer\n\n" + "\n".join(recipes()), encoding="utf-8")
    assert slicerapi.checkCalls(path) == []


def test_recipes_in_their_order(gui, tmp_path, out, monkeypatch, tiny_model):
    import layouthost
    from PIL import Image

    from DSADeblurLib.xa import read_run

    capture = types.SimpleNamespace(ScreenCaptureLogic=layouthost.ScreenCaptureLogic)
    monkeypatch.setitem(sys.modules, "ScreenCapture", capture)
    gui.openModule()
    masked = {"mask_frames": (1, 2), "contrast_range": (3, 6)}
    runs, names = [], ("1: XA cerebral [1]", "2: XA cerebral [1]")
    for index, name in enumerate(names):
        node = load(tmp_path / f"{index}.dcm", samples.vessel_frames(seed=index), **masked)
        node.SetName(name)
        runs.append(node)
    variables: dict = {"slicer": slicer}
    assert len(recipes()) == 4
    for recipe in recipes():
        text = recipe.replace("/where/results/go", out.as_posix()).replace('"compact"', repr(tiny_model))
        exec(compile(text, "README.md", "exec"), variables)
    assert variables["logic"] is gui.widget.logic
    results = [variables["derived"], *variables["results"]]
    assert [one.GetAttribute("DSADeblur.SourceName") for one in results] == [names[0], *names]
    assert variables["logic"].runs() == runs
    with Image.open(out / "swipe.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    # The curtain's line and the label are in the picture.
    assert (pixels[..., 0] - pixels[..., 2] > 100).sum() > 200
    (written,) = out.glob("*.dcm")
    assert read_run(written).frames.shape[0] == 4


def test_there_is_no_such_view(gui, tmp_path, tiny_model):
    logic = gui.openModule().logic
    with pytest.raises(ValueError, match="choose one of pair, change, swipe, flicker"):
        logic.compare(None, "sideways")
    with pytest.raises(ValueError, match="Nothing to compare"):
        logic.compare(None)
