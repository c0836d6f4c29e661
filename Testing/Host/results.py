"""Derived nodes for tests as a job makes them, with simple arithmetic in place of a network."""

from __future__ import annotations

import numpy as np

MODEL, SHA256 = "arithmetic", "0123456789abcdef" * 4


def deblurred(node, frames: tuple[int, int] | None = None, **options):
    """The node that DSADeblurScene.job.Job adds to the scene for a run; nothing of the worker is used.

    frames: first and last frame, counted from 1.
    options: further fields of DSADeblurScene.job.Options.
    """
    from DSADeblurLib.frame_file import FrameFile
    from DSADeblurLib.restoration.settings import DeblurSettings
    from DSADeblurLib.xa import SubtractionPlan, subtract
    from DSADeblurScene.job import Job, Options

    job = Job(node, Options(settings=DeblurSettings(sharpness=0.5, noise_reduction=0.5, frames=frames), **options))
    try:
        request = job.request()
        with FrameFile.open(request["frames"]) as file:
            stored = np.stack([file[i] for i in range(len(file))])
        numbers = list(range(1, len(stored) + 1))
        if request["subtraction"]:
            plan = SubtractionPlan.from_dict(request["subtraction"])
            numbers = list(plan.contrast_frames)
            result = subtract(stored, plan, request["relationship"])[:] * np.float32(1.25)
        else:
            result = stored // 2 + stored // 4
        first, last = frames or (numbers[0], numbers[-1])
        chosen = [index for index, number in enumerate(numbers) if first <= number <= last]
        result, numbers = result[chosen], [numbers[index] for index in chosen]
        with FrameFile.create(request["output"], result.shape, result.dtype) as file:
            for index, frame in enumerate(result):
                file[index] = frame
        return job.finish(
            {
                "output": request["output"],
                "frame_numbers": numbers,
                "model": MODEL,
                "model_sha256": SHA256,
                "device": "cpu",
                "precision": "float32",
                "blur_px": [2.0, 1.5],
                "notices": [],
                "seconds": 0.1,
            }
        )
    finally:
        job.discard()
