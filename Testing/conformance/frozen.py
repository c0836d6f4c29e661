"""Freeze what comes out, to show that a change of the code leaves it as it was: pixels as hashes, attributes in words.

    python Testing/conformance/frozen.py freeze before.json
    python Testing/conformance/frozen.py compare before.json after.json

Covers every variant of `make conformance`, and small runs of both kinds through shell and panel with every bundled
model. The engine is PyTorch in float32, so that nothing is left to a stopwatch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pydicom

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT), str(HERE.parent / "Host")]
# Attributes that differ from call to call: instants, and identifiers made anew.
_OF_THE_CALL = {
    "InstanceCreationDate",
    "InstanceCreationTime",
    "ContentDate",
    "ContentTime",
    "SeriesDate",
    "SeriesTime",
    "InstanceCreatorUID",
}
SAME = {"device": "cpu", "engine": "torch", "precision": "float32"}
MODELS = ("compact", "paper-small", "quality", "sequence")
RUNS = {
    "native": {},
    "masked": {"mask_frames": (1, 2), "contrast_range": (3, 6)},
    "log": {"relationship": "LOG", "mask_frames": (1,), "contrast_range": (2, 6), "mask_shift": (0.5, -1.0)},
    "bare": {"geometry": False, "spacing": None, "relationship": None},
}
# Options of the shell for one run; the same as arguments of the module's `process` where the panel has them.
CALLS: tuple[tuple[str, str, list[str], dict | None], ...] = (
    *((model, run, ["--model", model], {"model": model}) for model in MODELS for run in ("native", "masked")),
    ("defaults", "log", [], {}),
    ("bare", "bare", [], {}),
    ("never", "masked", ["--subtract", "never"], {"subtract": "never"}),
    ("frames", "native", ["--frames", "2-4"], {"frame_range": (2, 4)}),
    ("frames subtracted", "masked", ["--frames", "4-5"], {"frame_range": (4, 5)}),
    (
        "controls",
        "native",
        ["--sharpness", "0.7", "--noise-reduction", "0.2"],
        {"sharpness": 0.7, "noise_reduction": 0.2},
    ),
    ("strength 0", "native", ["--strength", "0"], {"strength": 0.0}),
    ("strength 1", "masked", ["--strength", "1"], {"strength": 1.0}),
    ("tile", "native", ["--tile", "32"], {"tile": 32}),
    (
        "mask and shift",
        "native",
        ["--mask", "1,2", "--shift=1.5,-2"],
        {"mask_frames": (1, 2), "mask_shift": (1.5, -2.0)},
    ),
    ("flip", "log", ["--flip-shift"], {"flip_shift": True}),
    ("find", "native", ["--subtract", "find"], {"subtract": "find"}),
    ("always", "masked", ["--subtract", "always"], {"subtract": "always"}),
    ("registered", "masked", ["--registration", "deformation"], {"registration": "deformation"}),
    ("deblur first", "masked", ["--order", "deblur-first"], {"order": "deblur-first"}),
    (
        "geometry",
        "bare",
        [
            "--focal-spot",
            "1",
            "--magnification",
            "1.4",
            "--detector-spacing",
            "0.2",
            "--relationship",
            "LIN",
            "--model",
            "quality",
        ],
        {
            "model": "quality",
            "focal_spot_mm": 1.0,
            "magnification": 1.4,
            "detector_spacing_mm": 0.2,
            "relationship": "LIN",
        },
    ),
    ("blur by frames", "native", ["--blur", "frames", "--model", "quality"], None),
    ("blur given", "masked", ["--blur", "3.5,4", "--model", "quality"], None),
    ("compressed", "masked", ["--compression", "jpeg-ls", "--pictures", "png"], None),
)


def frozen(path: str | os.PathLike) -> dict:
    """The hash of the decoded pixels of a DICOM file, and its attributes in words."""
    dataset = pydicom.dcmread(path)
    pixels = dataset.pixel_array
    words = {}
    for element in dataset.iterall():
        if element.keyword in _OF_THE_CALL or element.tag == 0x7FE00010 or element.VR in ("SQ", "UI"):
            continue
        words.setdefault(f"{element.keyword or element.tag}", []).append(str(element.value))
    words["classes"] = [dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID]
    return {"pixels": _hash(pixels), "attributes": words}


def _hash(pixels) -> str:
    return hashlib.sha256(repr((pixels.shape, pixels.dtype.str)).encode() + pixels.tobytes()).hexdigest()


def freeze_variants(folder: Path) -> dict:
    """Every kind of derived object; what cannot be made here is named with the reason."""
    from variants import VARIANTS, make

    found = {}
    for number, variant in enumerate(VARIANTS):
        try:
            result = frozen(make(variant, folder / str(number)).path)
            if variant.anonymous:
                # Names and dates are drawn anew in each copy.
                result["attributes"] = sorted(result["attributes"])
            found[f"variant {variant.name}"] = result
        except Exception as error:
            found[f"variant {variant.name}"] = {"error": str(error)}
    return found


def freeze_shell(folder: Path) -> dict:
    """Every call of the shell: its result, or what it says."""
    found = {}
    for number, (name, run, arguments, _) in enumerate(CALLS):
        output = folder / str(number)
        call = [
            sys.executable,
            "-m",
            "DSADeblurLib",
            "deblur",
            folder / f"{run}.dcm",
            "--output",
            output,
            "--device",
            "cpu",
            "--engine",
            "torch",
            "--precision",
            "float32",
            *arguments,
        ]
        done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT)
        results = sorted(output.glob("*.dcm"))
        found[f"shell {name}, {run}"] = frozen(results[0]) if results else {"error": done.stdout + done.stderr}
        manifest = json.loads((output / "manifest.json").read_text())["runs"][0] if results else {}
        found[f"shell {name}, {run}"] |= {
            "frames": (manifest.get("used") or {}).get("frame_numbers"),
            "warnings": manifest.get("warnings"),
        }
    return found


def freeze_panel(folder: Path) -> dict:
    """Every call of the module's logic on the stand-in for the application, and what it exports."""
    import hostpaths

    hostpaths.prepare()
    from guihost import GuiHost

    host = GuiHost()
    try:
        return _freeze_panel(folder)
    finally:
        host.close()


def _freeze_panel(folder: Path) -> dict:
    import dicomhost
    from scenes import allFrames

    from DSADeblur import DSADeblurLogic

    found = {}
    for number, (name, run, _, options) in enumerate(CALLS):
        if options is None:
            continue
        label = f"panel {name}, {run}"
        try:
            derived = DSADeblurLogic().process(dicomhost.loadLikeSlicer(folder / f"{run}.dcm"), **SAME, **options)
            pixels = allFrames(derived)
            found[label] = {"node": _hash(pixels), "frames": derived.GetAttribute("DSADeblur.FrameNumbers")}
            output = folder / f"panel-{number}"
            output.mkdir()
            found[label] |= frozen(DSADeblurLogic().export(derived, str(output)).path)
        except (ValueError, RuntimeError) as error:
            found.setdefault(label, {})["error"] = str(error)
    return found


def freeze(path: Path) -> None:
    """Write everything into a JSON file."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        import samples

        for name, options in RUNS.items():
            samples.write_run(folder / f"{name}.dcm", samples.vessel_frames(), **options)
        found = {**freeze_variants(folder / "variants"), **freeze_shell(folder), **freeze_panel(folder)}
        text = json.dumps(found, indent=1, ensure_ascii=False).replace(str(folder), "FOLDER")
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{len(found)} results frozen in {path}.")


def compare(before: Path, after: Path) -> int:
    """Print what differs; returns how many results do."""
    first, second = (json.loads(path.read_text(encoding="utf-8")) for path in (before, after))
    differing = 0
    for name in dict.fromkeys((*first, *second)):
        one, two = first.get(name, {}), second.get(name, {})
        if one == two:
            continue
        differing += 1
        print(name)
        words = [x if isinstance(x := result.get("attributes"), dict) else {} for result in (one, two)]
        for key in dict.fromkeys((*one, *two, *words[0], *words[1])):
            was, now = (
                (words[0].get(key), words[1].get(key))
                if key in words[0] or key in words[1]
                else (one.get(key), two.get(key))
            )
            if was != now and key != "attributes":
                print(f"  {key}\n    before: {was}\n    after:  {now}")
    print(f"{len(first)} results before, {len(second)} after, {differing} differ.")
    return differing


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    one = verbs.add_parser("freeze")
    one.add_argument("path", type=Path)
    one.set_defaults(run=lambda options: freeze(options.path) or 0)
    two = verbs.add_parser("compare")
    two.add_argument("before", type=Path)
    two.add_argument("after", type=Path)
    two.set_defaults(run=lambda options: min(compare(options.before, options.after), 1))
    options = parser.parse_args()
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
