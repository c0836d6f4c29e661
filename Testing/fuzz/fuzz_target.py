"""What every damaged file goes through: read, subtract, write. Only the package's own errors may come out."""

import re
from pathlib import Path

from DSADeblurLib.request import UserFacts
from DSADeblurLib.xa import (
    Provenance,
    XAReadError,
    XASkipped,
    XAWriteError,
    check_derived,
    plan_subtraction,
    read_run,
    subtract,
    write_derived,
)

_PROVENANCE = Provenance("fuzz", "0" * 64, "1")
# Real files are long; the first, the middle and the last frames of a run go the same way as all others.
_FRAMES = 6
_NO_MEMORY = "Not enough memory to read this file."


class Broken(AssertionError):
    """The library did what it never may."""


def use(path: Path, output: Path) -> str:
    """Put one file through everything and return how far it came: 'written', or how it was refused.

    Raises Broken, or whatever else the library lets out.
    """
    stage = "read"
    try:
        run = read_run(path, UserFacts(polarity="keep", frames_in_file=True, new_uids=True))
        stage = "decode"
        run.as_dict(), run.acquisition.rows(), run.exposed()
        if not all(isinstance(one, str) and one and "\n" not in one for one in run.warnings):
            raise Broken(f"warnings of a run: {run.warnings!r}")
        count = len(run.frames)
        for index in sorted({0, 1 % count, count // 2, count - 1}):
            frame = run.frames[index]
            if frame.shape != run.frames.shape[1:] or int(frame.max()) > run.stored_pixels.top:
                raise Broken(f"frame {index} of shape {frame.shape}")
        stage = "subtract"
        plan = _plan(run)
        numbers = tuple(range(1, min(count, _FRAMES) + 1))
        frames = run.frames[[one - 1 for one in numbers]]
        if plan is not None:
            frames = subtract(run.frames, plan, run.relationship)
            numbers = frames.frame_numbers
        stage = "check"
        check_derived(run, numbers, plan=plan)
        stage = "write"
        write_derived(output, run, frames, frame_numbers=numbers, provenance=_PROVENANCE, plan=plan)
        stage = "read again"
        again = read_run(output)
        again.frames[len(again.frames) - 1]
        return "written, subtracted" if plan is not None else "written, native"
    except (XAReadError, XAWriteError) as error:
        message = str(error)
        if not message or "\n" in message or len(message) > 400 or not message.isprintable():
            raise Broken(f"message {message!r}") from error
        if message == _NO_MEMORY or (stage == "read again" and not message.startswith("Image too large")):
            raise Broken(f"{stage}: {message}") from error
        if stage in ("decode", "subtract") and isinstance(error, XAWriteError):
            raise Broken(f"{stage}: {message}") from error
        if stage == "write" and "decoded" not in message:
            # What cannot be written is found before frames are computed.
            raise Broken(f"{stage}: {message}") from error
        kind = "skipped" if isinstance(error, XASkipped) else f"refused ({stage})"
        # What the file put into the sentence is left out, so that equal sentences are counted together.
        message = re.sub(r"(transfer syntax|SOP class|mask operation) .*", r"\1 ...", message)
        return f"{kind}: {re.sub(r'-?[0-9][0-9.e+]*', 'N', message)[:72]}"
    finally:
        output.unlink(missing_ok=True)


def _plan(run):
    from dataclasses import replace

    plan = plan_subtraction(run, frames=run.frames)
    if plan is None:
        return None
    plan = plan.between(plan.contrast_frames[0], plan.contrast_frames[:_FRAMES][-1])
    return replace(plan, masks=tuple(replace(mask, frames=mask.frames[:3]) for mask in plan.masks))
