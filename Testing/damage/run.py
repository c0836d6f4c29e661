"""Damage compressed frames in every syntax and print how many are refused, right, or wrong without a word.

    python Testing/damage/run.py --rounds 5

A table of all syntaxes by kind of damage, ready for the README: how many of those tried are wrong without a word. With
--every one line for each damage, whose last column says how many pixels are wrong. The same --rounds give the same
damages. The exit code is 1 where a process ended or damage that can be seen was not: see `SEEN`.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from damaged_frames import DAMAGES, SEEN, damaged, encoded_frames  # noqa: E402

from DSADeblurLib.xa import XAReadError  # noqa: E402


def main() -> int:
    arguments = _parser().parse_args()
    table = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        folder, pool = Path(scratch), _pool()
        for one in encoded_frames(folder, arguments.rows, arguments.columns, arguments.only):
            began = time.perf_counter()
            # Run-length frames have no markers.
            without = "markers" if one.name.startswith("RLE") else "nothing"
            for damage in (name for name in DAMAGES if not name.startswith(without)):
                for seed in range(arguments.rounds):
                    try:
                        outcome = pool.submit(_outcome, one, damage, seed, folder).result()
                    except BrokenProcessPool:
                        outcome, pool = "ended", _pool()
                    table[one.name.rsplit(",", 1)[0], damage].append(outcome)
            print(f"{one.name}: {len(one.data)} bytes, {time.perf_counter() - began:.1f} s", flush=True)
    if arguments.every:
        print(
            f"\n{'syntax':26s} {'damage':40s} {'refused':>7s} {'right':>5s} {'wrong':>5s} {'ended':>5s}  wrong pixels"
        )
        for (name, damage), outcomes in table.items():
            _print(name, damage, outcomes)
    kinds = defaultdict(list)
    for (name, damage), outcomes in table.items():
        # The encoder does not matter, the syntax does.
        kinds[name.split(",")[0], damage.split(":")[0]] += outcomes
    _print_kinds(kinds)
    unseen = [key for key, outcomes in kinds.items() if key[1] in SEEN and _wrong(outcomes)]
    ended = [key for key, outcomes in table.items() if "ended" in outcomes]
    for name, damage in (*unseen, *ended):
        print(f"FAILED {name}: {damage}")
    return 1 if unseen or ended else 0


def _print_kinds(kinds: dict) -> None:
    syntaxes, columns = (list(dict.fromkeys(key[place] for key in kinds)) for place in (0, 1))
    print("\n| wrong of tried |", " | ".join(columns), "|\n|---|", "---|" * len(columns), sep="")
    for name in syntaxes:
        tried = [kinds.get((name, one), []) for one in columns]
        cells = [f"{len(_wrong(one))} of {len(one)}" if one else "-" for one in tried]
        print(f"| {name} |", " | ".join(cells), "|")
    outcomes = [one for several in kinds.values() for one in several]
    refused, right = outcomes.count("refused"), outcomes.count("right")
    print(f"\n{len(outcomes)} tried: {refused} refused, {right} right, {len(_wrong(outcomes))} wrong without a word")


def _wrong(outcomes: list) -> list[float]:
    return [one for one in outcomes if isinstance(one, float)]


def _print(name: str, damage: str, outcomes: list) -> None:
    wrong = _wrong(outcomes)
    print(
        f"{name:26s} {damage:40s} {outcomes.count('refused'):7d} {outcomes.count('right'):5d} {len(wrong):5d} "
        f"{outcomes.count('ended'):5d}  {f'{100 * np.mean(wrong):.0f} %' if wrong else ''}"
    )


def _outcome(one, damage: str, seed: int, folder: Path):
    """Return "refused", "right", or the share of pixels that are wrong."""
    data = damaged(one.data, damage, seed)
    if data == one.data:
        return "right"
    try:
        pixels = one.decode(data, folder)
    except XAReadError:
        return "refused"
    return float(np.mean(pixels != one.pixels)) or "right"


def _pool() -> ProcessPoolExecutor:
    # In a process of its own, since GDCM ends the process on some damages; what it prints is not of interest.
    return ProcessPoolExecutor(1, initializer=_quiet)


def _quiet() -> None:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how many times each damage is done (5)")
    parser.add_argument("--rows", type=int, default=96, help="rows of the frame (96)")
    parser.add_argument("--columns", type=int, default=112, help="columns of the frame (112)")
    parser.add_argument("--every", action="store_true", help="a line for each syntax and damage as well")
    parser.add_argument("--only", default="", help="only syntaxes whose name contains this")
    return parser


if __name__ == "__main__":
    sys.exit(main())
