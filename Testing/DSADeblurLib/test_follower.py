"""Who looks on sees the frame asked for first, then those next to it, each as it will be in the result."""

from __future__ import annotations

import numpy as np
import pytest

from DSADeblurLib.follower import Follower
from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.pipeline import deblur_loaded
from DSADeblurLib.request import DeblurRequest, UserFacts
from DSADeblurLib.restoration.architecture import RDNArchitecture
from DSADeblurLib.restoration.package import load_model
from DSADeblurLib.xa.loaded_frames import loaded_run

FAST = {"device": "cpu", "engine": "torch", "precision": "float32", "relationship": "LIN"}


@pytest.mark.parametrize(
    ("choices", "number", "order"),
    [
        ({}, 2, [2, 3, 1, 4, 5]),
        ({}, 0, [3, 4, 2, 5, 1]),
        ({}, None, [1, 2, 3, 4, 5]),
        ({"mask_frames": (1,)}, 4, [4, 5, 3, 2, 1]),
        ({"frame_range": (2, 4)}, 5, [3, 4, 2]),
        ({"mask_frames": (1,), "order": "deblur-first"}, 4, []),
    ],
)
@pytest.mark.parametrize("frames_at_once", [1, 3])
def test_order_and_content(save_untrained, tmp_path, choices, number, order, frames_at_once):
    run = np.random.default_rng(1).integers(500, 3000, (5, 24, 32)).astype(np.uint16)
    np.save(tmp_path / "in.npy", run)
    architecture = RDNArchitecture(frames=frames_at_once, features=4, growth=4, blocks=1, layers=1)
    model, request = load_model(save_untrained("small", architecture)), DeblurRequest.of(**FAST, **choices)
    told, stages, originals, path = [], [], {}, tmp_path / "out.npy"

    def frame(index, which, original) -> None:
        with FrameFile.open(path) as out:
            told.append((which, index, out[index]))
        if original is not None:
            with FrameFile.open(original) as out:
                originals[index] = out[index]

    with FrameFile.open(tmp_path / "in.npy") as frames:
        loaded = loaded_run(frames, [], UserFacts(relationship="LIN"), "")
        deblur_loaded(
            frames, loaded, model, path, request, keep=tmp_path / "kept",
            follower=Follower(number, lambda *stage: stages.append(stage), frame),
        )  # fmt: skip
        alone = deblur_loaded(frames, loaded, model, tmp_path / "alone.npy", request)
    assert [which for which, _index, _pixels in told] == order
    result = np.load(path)
    assert np.array_equal(result, np.load(tmp_path / "alone.npy"))
    for which, index, pixels in told:
        assert alone.used.frame_numbers[index] == which and np.array_equal(pixels, result[index])
    assert len(originals) == (len(order) if "mask_frames" in choices else 0)
    for index, pixels in originals.items():
        assert np.array_equal(pixels, np.load(tmp_path / "kept" / "frame.npy")[index])
    assert [name for name, _count in stages] == ["planning", "engines", "frames"]
    if order:
        assert stages[-1][1] == len(order)
