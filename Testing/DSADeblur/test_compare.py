"""What a result is compared with: its source, or the source subtracted alike."""

from __future__ import annotations

import json

import numpy as np
import samples
from scenes import derive, load


def test_native_run_is_compared_with_the_frames_of_its_source(host, tmp_path):
    from DSADeblurScene.compare import isSubtracted, originalFrames

    frames = samples.vessel_frames(rows=64, cols=64)
    derived = derive(load(tmp_path / "a.dcm", frames), frames[2:4] // 2, (3, 4))
    assert not isSubtracted(derived) and np.array_equal(originalFrames(derived)[:], frames[2:4])


def test_subtracted_run_is_compared_with_the_subtracted_source(host, tmp_path):
    from DSADeblurLib.xa import plan_subtraction, read_run, subtract
    from DSADeblurScene.compare import isSubtracted, originalFrames

    extra = {"RescaleSlope": "2", "RescaleIntercept": "-100", "RescaleType": "US"}
    source = load(tmp_path / "a.dcm", mask_frames=(1, 2), contrast_range=(3, 6), extra=extra)
    run = read_run(tmp_path / "a.dcm")
    plan = plan_subtraction(run)
    truth = subtract(run.frames, plan, run.relationship)[1:3]
    texts = {"Subtraction": json.dumps(plan.as_dict()), "Relationship": "LIN"}
    derived = derive(source, truth * np.float32(1.5), (4, 5), True, **texts)
    assert isSubtracted(derived) and np.array_equal(originalFrames(derived)[:], truth)
