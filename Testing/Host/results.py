"""Derived nodes for tests as a job makes them, with simple arithmetic in place of a network."""

from __future__ import annotations

import numpy as np

MODEL, SHA256 = "arithmetic", "0123456789abcdef" * 4


def deblurred(node, place=None, **choices):
    """The node that DSADeblurScene.job.Job adds to the scene for a run; nothing of the worker is used.

    place: of the result, a DSADeblurScene.job.Place; None for a new node.
    choices: of DSADeblurLib.request.DeblurRequest by name.
    """
    from DSADeblurLib.frame_file import FrameFile
    from DSADeblurLib.pipeline import prepare
    from DSADeblurLib.request import DeblurRequest
    from DSADeblurLib.used import Used
    from DSADeblurLib.xa import for_subtraction
    from DSADeblurLib.xa.loaded_frames import loaded_run
    from DSADeblurScene.job import NEW_NODE, Job

    request = DeblurRequest.of(**{"sharpness": 0.5, "noise_reduction": 0.5, **choices})
    job = Job(node, request, place=place or NEW_NODE)
    try:
        message = job.message()
        about = message["run"]
        with FrameFile.open(about["frames"]) as file:
            loaded = loaded_run(file, about["files"], request.facts, about["note"])
            ready = prepare(loaded.run, request.with_choices(order="subtract-first"))
            subtracted = ready.plan is not None
            first, last = ready.settings.frame_range or (1, len(ready.frames))
            frames = np.stack([np.asarray(ready.frames[i]) for i in range(first - 1, last)])
            result = frames * np.float32(1.25) if subtracted else frames // 2 + frames // 4
            if loaded.rule is not None and not subtracted:
                result = np.stack([loaded.rule.shown(frame, file.dtype) for frame in result])
            relationship = for_subtraction(loaded.run, file)[1] if subtracted else loaded.run.relationship
        with FrameFile.create(message["output"], result.shape, result.dtype) as out:
            for index, frame in enumerate(result):
                out[index] = frame
        numbers = ready.frame_numbers[first - 1 : last]
        used = Used("0.1.0", MODEL, SHA256, "cpu", "torch", "float32", None, (2.0, 1.5), "geometry", (), numbers, 0.1)
        return job.finish(
            {
                "output": message["output"],
                "used": used.as_dict(),
                "relationship": relationship,
                "subtraction": ready.plan.as_dict() if subtracted else None,
                "notices": [],
            }
        )
    finally:
        job.discard()
