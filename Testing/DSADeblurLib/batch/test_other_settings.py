"""A folder holds results of one setting: those of others are moved aside, and each manifest agrees with its folder."""

import json
from pathlib import Path

import pytest
from batchprocesses import manifest_of
from batchsteps import Backwards

from DSADeblurLib.batch import MANIFEST, Batch, run_batch
from DSADeblurLib.batch.outcome import SUFFIX


@pytest.fixture
def call(tmp_path):
    """Does one batch with the files of these texts in the folder `out`; gives outcomes and what was noticed."""

    def run(*texts, strength=1.0, pictures=False, **batch):
        paths = []
        for text in texts:
            paths.append(tmp_path / "in" / f"{text.split()[0]}.dcm")
            paths[-1].parent.mkdir(exist_ok=True)
            if not paths[-1].exists() or paths[-1].read_bytes() != text.encode():
                paths[-1].write_bytes(text.encode())
        noticed: list[str] = []
        step = (WithPicture if pictures else Backwards)(str(tmp_path / "log"), strength=strength)
        return run_batch(paths, tmp_path / "out", step, Batch(**batch), noticed=noticed.append), noticed

    return run


class WithPicture(Backwards):
    def __call__(self, files, output, progress=None, threads=None):
        output.with_suffix(".png").write_bytes(b"picture")
        return super().__call__(files, output, progress, threads)


def check_folder(folder: Path, strength: float, *keys: str, pictures: bool = False) -> None:
    """Manifest and results are of one setting, and agree."""
    runs = [run for run in manifest_of(folder)["runs"] if run["error"] is None]
    assert {run["request"]["strength"] for run in runs} == {strength}
    assert sorted(run["output"] for run in runs) == [str(folder / f"{key}{SUFFIX}") for key in sorted(keys)]
    names = {f"{key}_deblurred.{kind}" for key in keys for kind in ("dcm", "png")[: 1 + pictures]}
    assert {path.name for path in folder.iterdir() if path.is_file()} == names | {MANIFEST}


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("second", [("Ada",), ("Ada", "Bob fail"), ("Cyd",), ("Ada", "Bob")])
def test_results_of_other_settings_are_moved_aside(tmp_path, call, resume, second):
    """Whether their inputs are done again, fail now, or are not asked for."""
    out, aside = tmp_path / "out", tmp_path / "out" / "other-settings-1"
    call("Ada", "Bob", pictures=True)
    _, noticed = call(*second, strength=0.5, resume=resume)
    assert noticed == [f"Of 2 runs there were results of other settings; they are in {aside} now."]
    check_folder(out, 0.5, *(text for text in second if "fail" not in text))
    check_folder(aside, 1.0, "Ada", "Bob", pictures=True)
    assert manifest_of(out)["waiting"] == 0
    # Nothing more is to be moved, and an earlier folder of that name stays as it is.
    assert call(*second, strength=0.5, resume=True)[1] == []
    call("Cyd", strength=0.25)
    check_folder(out, 0.25, "Cyd")
    check_folder(aside, 1.0, "Ada", "Bob", pictures=True)
    assert (out / "other-settings-2" / MANIFEST).exists()


def test_folder_that_was_mixed(tmp_path, call):
    """By a version that did so: each setting gets a folder."""
    out = tmp_path / "out"
    call("Ada", "Bob", "Cyd")
    manifest = manifest_of(out)
    for run, strength in zip(manifest["runs"], (0.1, 0.2, 1.0), strict=True):
        run["request"]["strength"] = strength
    (out / MANIFEST).write_text(json.dumps(manifest))
    assert len(call("Cyd", resume=True)[1]) == 2
    check_folder(out, 1.0, "Cyd")
    check_folder(out / "other-settings-1", 0.1, "Ada")
    check_folder(out / "other-settings-2", 0.2, "Bob")


def test_failures_alone_are_forgotten(tmp_path, call):
    call("Ada fail")
    assert call("Bob", strength=0.5)[1] == [] and [path.name for path in (tmp_path / "out").iterdir()].count(MANIFEST)
    check_folder(tmp_path / "out", 0.5, "Bob")
    assert len(manifest_of(tmp_path / "out")["runs"]) == 1


def test_results_that_no_manifest_tells_of_are_named(tmp_path, call):
    """Nobody knows of what settings they are; but they may be somebody's."""
    out = tmp_path / "out"
    call("Ada", "Bob")
    (out / MANIFEST).unlink()
    _, noticed = call("Cyd", strength=0.5)
    sentence = "What 2 of the results here were made of and how is unknown, of Ada_deblurred.dcm for instance."
    assert noticed == [sentence] and len(list(out.glob(f"*{SUFFIX}"))) == 3


def test_stray_pictures(tmp_path, call):
    """Whose result was removed are listed, go with its settings, and are replaced with it."""
    out = tmp_path / "out"
    call("Ada", "Bob", pictures=True)
    for name in ("Ada", "Bob"):
        (out / f"{name}{SUFFIX}").unlink()
    (outcome,), _ = call("Ada")
    assert outcome.output == str(out / f"Ada{SUFFIX}") and not (out / "Ada_deblurred.png").exists()
    assert [(Path(run["input"]).stem, run["error"]) for run in manifest_of(out)["runs"] if run["error"]] == [
        ("Bob", "The result was removed, and its pictures were not; call again.")
    ]
    call("Cyd", strength=0.5)
    check_folder(out, 0.5, "Cyd")
    assert (out / "other-settings-1" / "Bob_deblurred.png").exists()
