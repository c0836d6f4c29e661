"""Manifest, plan and records may come from anywhere: what is not of their form is no more than not there."""

import json
from pathlib import Path

import pytest
from batchprocesses import manifest_of
from batchsteps import Backwards

from DSADeblurLib.batch import HIDDEN, MANIFEST, Batch, run_batch

ENTRIES = [1, None, [], {"input": 3}, {"input": "/x", "output": ["a"]}, {"input": "/x", "warnings": "abc"}]
TEXTS = (
    b"",
    b"\xff\xfe",
    b"[1]",
    b'{"runs": 5}',
    b"[" * 200_000,
    b'{"runs":' + b"[" * 200_000,
    json.dumps({"runs": ENTRIES}).encode(),
    b'{"runs": [{"input": "a\\u0000b", "output": "\\ud800_deblurred.dcm"}]}',
    b'{"runs": [{"input": "/x", "request": {"a": NaN}, "input_bytes": 1e400}]}',
    b'{"runs": [{"input": "/x", "output": "/y/.._deblurred.dcm", "used": {"frame_numbers": 3}}]}',
    b'{"fingerprint": {}, "runs": {"a": 3}}',
    b'{"fingerprint": {}, "runs": {"a": "b"}, "earlier": 5}',
    b'{"fingerprint": {}, "runs": {"a": "b"}, "earlier": [[1], {"input": 2}]}',
)


@pytest.mark.parametrize("place", [MANIFEST, f"{HIDDEN}/plan.json", f"{HIDDEN}/runs/run.json"])
def test_what_is_of_another_form_stops_nothing(tmp_path, place):
    source = tmp_path / "in" / "run.dcm"
    source.parent.mkdir()
    source.write_bytes(b"0123" * 10)
    for number, text in enumerate(TEXTS):
        out = tmp_path / str(number)
        (out / place).parent.mkdir(parents=True)
        (out / place).write_bytes(text)
        (outcome,) = run_batch([source], out, Backwards(str(tmp_path / "log")), Batch(resume=True))
        assert outcome.error is None and Path(outcome.output).read_bytes() == source.read_bytes()[::-1]
        runs = manifest_of(out)["runs"]
        assert str(source) in [run["input"] for run in runs] and not (out / HIDDEN).exists()
