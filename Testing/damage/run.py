"""Damage compressed frames in every syntax and print how many are refused, right, or wrong without a word.

    python Testing/damage/run.py --rounds 5

One line for each syntax and damage. A frame that a decoder cannot see to be damaged is wrong without a word: the last
column says how many of its pixels are. The same --rounds give the same damages.
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

from damaged_frames import DAMAGES, damaged, encoded_frames  # noqa: E402

from DSADeblurLib.xa import XAReadError  # noqa: E402


def main() -> None:
    arguments = _parser().parse_args()
    table, totals = defaultdict(list), defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        folder, pool = Path(scratch), _pool()
        for one in encoded_frames(folder, arguments.rows, arguments.columns, arguments.only):
            began = time.perf_counter()
            outcomes = []
            for damage in DAMAGES:
                for seed in range(arguments.rounds):
                    try:
                        outcome = pool.submit(_outcome, one, damage, seed, folder).result()
                    except BrokenProcessPool:
                        outcome, pool = "ended", _pool()
                    outcomes.append((damage, outcome))
            for damage, outcome in outcomes:
                table[one.name.rsplit(",", 1)[0], damage].append(outcome)
                totals[one.name.rsplit(",", 1)[0]].append(outcome)
            print(f"{one.name}: {len(one.data)} bytes, {time.perf_counter() - began:.1f} s", flush=True)
    print(f"\n{'syntax':26s} {'damage':34s} {'refused':>7s} {'right':>5s} {'wrong':>5s} {'ended':>5s}  wrong pixels")
    for (name, damage), outcomes in table.items():
        _print(name, damage, outcomes)
    for name, outcomes in totals.items():
        _print(name, "all", outcomes)


def _print(name: str, damage: str, outcomes: list) -> None:
    wrong = [one for one in outcomes if isinstance(one, float)]
    print(
        f"{name:26s} {damage:34s} {outcomes.count('refused'):7d} {outcomes.count('right'):5d} {len(wrong):5d} "
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
    parser.add_argument("--only", default="", help="only syntaxes whose name contains this")
    return parser


if __name__ == "__main__":
    main()
