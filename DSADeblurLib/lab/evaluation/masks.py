"""Pictures of one run subtracted with other masks: before and after remasking, and after automatic registration.

    python -m DSADeblurLib.lab.evaluation.masks RUN.dcm --output FOLDER

writes remasking.png (the header's mask, or the first frame where it has none, beside the mask found in the frames) and
registration.png (that mask as it is, moved by one shift, and deformed), some contrast frames and the peak opacification
each. The figure over a picture is what anatomy is left: see `xa.registration.residual`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from DSADeblurLib.lab.evaluation.real import check_real_output
from DSADeblurLib.lab.evaluation.sheet import Line, draw_lines
from DSADeblurLib.measurement.opacification import peak_opacification
from DSADeblurLib.request import REGISTRATIONS, UserFacts
from DSADeblurLib.xa import Run, SubtractionPlan, XAReadError, for_subtraction, plan_subtraction, read_run, subtract
from DSADeblurLib.xa.subtraction.registration import image_area, residual

MOST_PEAK_FRAMES = 8


def remasked(run: Run) -> dict[str, SubtractionPlan]:
    """The plans to compare, by name: with the first mask at hand, and with the mask found in the frames.

    Raises:
        XAReadError: one sentence, if the run cannot be subtracted or no mask is found.
    """
    bare = replace(run, mask=None)
    found = plan_subtraction(bare, "find", frames=run.frames)
    first = plan_subtraction(run, "auto", frames=run.frames)
    if first is None:
        first = replace(found, masks=tuple(replace(mask, frames=(1,)) for mask in found.masks))
    return {_name(first): first, _name(found): found}


def registered(plan: SubtractionPlan) -> dict[str, SubtractionPlan]:
    """The same plan with each registration, by name."""
    return {f"registration: {name}": replace(plan, registration=name) for name in REGISTRATIONS}


def _name(plan: SubtractionPlan) -> str:
    return f"mask {', '.join(map(str, plan.mask_frames[:8]))}"


def save_masks(run: Run, plans: dict[str, SubtractionPlan], path: Path, columns: int = 3) -> Path:
    """Draw contrast frames and the peak opacification of each plan, one row a plan, all in one window.

    Raises:
        ValueError: one sentence, if the folder lies in a git repository.
    """
    check_real_output(Path(path).parent)
    common = sorted(set.intersection(*(set(plan.contrast_frames) for plan in plans.values())))
    shown = [common[int(place)] for place in np.linspace(0, len(common) - 1, columns + 2)[1:-1]]
    peaks = [common[int(place)] for place in np.linspace(0, len(common) - 1, min(MOST_PEAK_FRAMES, len(common)))]
    lines, window = [], None
    for name, plan in plans.items():
        stored, relationship = for_subtraction(run, run.frames)
        frames = subtract(stored, plan, relationship)
        place = {number: index for index, number in enumerate(frames.frame_numbers)}
        pictures = {}
        for number in shown:
            difference, mask = frames[place[number]], frames.mask(place[number])
            if window is None:
                window = np.percentile(difference[image_area(mask, mask + difference)], (0.2, 99.8))
            down, left = frames.shift(place[number])
            title = (
                f"{name}, frame {number}\nleft {residual(mask, mask + difference):.4f}, shift {down:+.2f} down "
                f"{left:+.2f} left"
            )
            pictures[title] = difference
        peak = f"{name}\npeak opacification of {len(peaks)} frames"
        pictures[peak] = peak_opacification(frames[place[number]] for number in peaks)
        lines.append(Line(pictures, window))
    return draw_lines(path, lines, inches=4.2, dpi=80)


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the command."""
    parser = argparse.ArgumentParser(prog=f"python -m {__spec__.name}", description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path, help="an XA run")
    parser.add_argument("--output", type=Path, required=True, help="folder for the pictures, outside any repository")
    parser.add_argument("--relationship", choices=("LIN", "LOG", "DISP"), help="what the values mean, if unknown")
    options = parser.parse_args(arguments)
    try:
        check_real_output(options.output)
        run = read_run(options.file, UserFacts(relationship=options.relationship))
        plans = remasked(run)
        print(save_masks(run, plans, options.output / "remasking.png"))
        print(save_masks(run, registered(list(plans.values())[-1]), options.output / "registration.png"))
    except (XAReadError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
