"""Options of the command line that say something about runs, and how their texts are read."""

from __future__ import annotations

import argparse
from pathlib import Path

from DSADeblurLib.restoration.settings import DEFAULT_MODEL, DEVICES, ENGINES, PRECISIONS, DeblurSettings

BLURS = ("auto", "header", "frames")


class WrongUse(ValueError):
    """Options that contradict each other; the message is one sentence."""


def add_run_facts(parser: argparse.ArgumentParser) -> None:
    """What the user says of a run, see `xa.UserFacts`."""
    parser.add_argument("--focal-spot", type=float, default=None, metavar="MM", help="where the header has none")
    parser.add_argument("--magnification", type=float, default=None, metavar="M", help="where the header has none")
    parser.add_argument(
        "--detector-spacing", type=float, default=None, metavar="MM", help="pixel at the detector, where it has none"
    )
    parser.add_argument(
        "--relationship",
        default=None,
        choices=("LIN", "LOG", "DISP"),
        help="what pixel values mean (Pixel Intensity Relationship), where the header does not say",
    )
    parser.add_argument(
        "--polarity",
        default=None,
        choices=("keep", "invert"),
        help="of MONOCHROME1 and signed pixels: keep values that rise with the X-rays, invert those that fall",
    )
    parser.add_argument(
        "--frames-in-file", action="store_true", help="where the file holds another number of frames than it says"
    )


def run_facts(options: argparse.Namespace) -> dict:
    """The fields of `xa.UserFacts`."""
    return {
        "focal_spot_mm": options.focal_spot,
        "magnification": options.magnification,
        "detector_spacing_mm": options.detector_spacing,
        "relationship": options.relationship,
        "polarity": options.polarity,
        "frames_in_file": options.frames_in_file,
    }


def add_deblurring(parser: argparse.ArgumentParser) -> None:
    """The options of `deblur`, but for what is done with many files."""
    from DSADeblurLib.pipeline import ORDERS, PICTURES
    from DSADeblurLib.xa.derived.compression import COMPRESSIONS
    from DSADeblurLib.xa.subtraction.plan import REGISTRATIONS
    from DSADeblurLib.xa.subtraction.planning import MODES

    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="files or folders, searched recursively")
    parser.add_argument("--output", required=True, type=Path, help="folder for the results and manifest.json")
    network = parser.add_argument_group("network")
    network.add_argument("--model", default=DEFAULT_MODEL, help="name of a bundled model or folder of a model package")
    network.add_argument("--device", default="auto", choices=DEVICES)
    network.add_argument("--precision", default="auto", choices=PRECISIONS)
    network.add_argument("--engine", default="auto", choices=ENGINES, help="what runs the network")
    network.add_argument("--tile", default=None, type=_tile, help="side of the tiles in pixels, or auto")
    add_controls(network)
    network.add_argument("--strength", default=None, type=_share, help="both at once: 0 (input) to 1 (network)")
    network.add_argument("--frames", default=None, type=_frame_range, metavar="FIRST-LAST", help="for instance 1-20")
    network.add_argument(
        "--blur",
        default="auto",
        type=_blur,
        metavar="auto|header|frames|PX[,PX]",
        help="width of the blur in rows and columns: by the header, as the frames show it, or as given",
    )
    subtraction = parser.add_argument_group("subtraction")
    subtraction.add_argument(
        "--subtract",
        default="auto",
        choices=MODES,
        help="auto: as the header says; always: insist; find: look for a mask in frames without contrast agent",
    )
    subtraction.add_argument("--mask", default=None, type=_numbers, metavar="LIST", help="mask frames, such as 1,2,3")
    subtraction.add_argument(
        "--shift",
        default=None,
        type=_shift,
        metavar="ROWS,COLUMNS",
        help="of the mask in pixels instead of the header's; positive is down and to the left (--shift=-1.5,2)",
    )
    subtraction.add_argument("--flip-shift", action="store_true", help="take the header's shift with the other signs")
    subtraction.add_argument(
        "--registration", default="none", choices=REGISTRATIONS, help="move the mask onto each frame as the pixels show"
    )
    subtraction.add_argument("--order", default=ORDERS[0], choices=ORDERS)
    said = parser.add_argument_group("what the header lacks")
    add_run_facts(said)
    results = parser.add_argument_group("results")
    results.add_argument("--compression", default="none", choices=COMPRESSIONS, help="of the results, without loss")
    results.add_argument(
        "--pictures",
        default=(),
        type=_pictures,
        metavar="LIST",
        help=f"original and deblurred side by side: {', '.join(PICTURES)}",
    )


def add_controls(parser) -> None:
    """The two controls, see `restoration.controls`."""
    parser.add_argument(
        "--sharpness",
        default=None,
        type=_share,
        metavar="S",
        help=f"0 to 1: how much of the sharpening is taken; default {DeblurSettings.sharpness:g}",
    )
    parser.add_argument(
        "--noise-reduction",
        default=None,
        type=_share,
        metavar="N",
        help="0 to 1: how much goes of what the network could not explain, noise and what is as faint as it; "
        f"default {DeblurSettings.noise_reduction:g}",
    )


def controls_of(options: argparse.Namespace) -> dict:
    """What was said of the controls, as names and values of `DeblurSettings.from_dict`. Raises WrongUse."""
    said = {name: getattr(options, name, None) for name in ("sharpness", "noise_reduction", "strength")}
    said = {name: value for name, value in said.items() if value is not None}
    try:
        DeblurSettings.from_dict(said)
    except ValueError as error:
        raise WrongUse(str(error)) from error
    return said


def settings_of(options: argparse.Namespace) -> DeblurSettings:
    """The settings of the restoration."""
    blur_px = None if options.blur in BLURS else options.blur
    return DeblurSettings.from_dict(
        {
            "device": options.device,
            "precision": options.precision,
            "tile": options.tile,
            "frames": options.frames,
            "engine": options.engine,
            "blur_px": blur_px,
            **controls_of(options),
        }
    )


def run_options_of(options: argparse.Namespace):
    """The `pipeline.RunOptions`."""
    from DSADeblurLib.pipeline import RunOptions

    return RunOptions(
        subtract=options.subtract,
        mask_frames=options.mask,
        blur=options.blur if options.blur in BLURS else "auto",
        mask_shift=options.shift,
        flip_shift=options.flip_shift,
        registration=options.registration,
        order=options.order,
        compression=options.compression,
        pictures=options.pictures,
        **run_facts(options),
    )


def count(text: str) -> int:
    """A number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of at least 1.")
    return int(text)


def _tile(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        return DeblurSettings(tile=int(text)).tile
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _share(text: str) -> float:
    try:
        return DeblurSettings(sharpness=float(text)).sharpness
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 1.") from None


def _blur(text: str) -> tuple[float, float] | str:
    if text in BLURS:
        return text
    try:
        rows, _, columns = text.partition(",")
        return DeblurSettings(blur_px=(float(rows), float(columns or rows))).blur_px
    except ValueError:
        words = ", ".join(BLURS)
        raise argparse.ArgumentTypeError(f"'{text}' is neither of {words} nor pixels such as 3.5,4.") from None


def _shift(text: str) -> tuple[float, float]:
    try:
        rows, columns = (float(part) for part in text.split(","))
        return rows, columns
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a shift such as 1.5,-2.") from None


def _frame_range(text: str) -> tuple[int, int]:
    try:
        first, _, last = text.partition("-")
        return DeblurSettings(frames=(int(first), int(last or first))).frames
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a range of frames such as 1-20.") from None


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of frame numbers such as 1,2,3.")
    return numbers


def _pictures(text: str) -> tuple[str, ...]:
    from DSADeblurLib.pipeline import PICTURES

    kinds = tuple(dict.fromkeys(text.split(",")))
    if not set(kinds) <= set(PICTURES):
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of {', '.join(PICTURES)}.")
    return kinds
