"""Tables and progress of the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from DSADeblurLib.batch import Outcome
from DSADeblurLib.errors import printable_line
from DSADeblurLib.measurement.calibration import choices
from DSADeblurLib.used import Used
from DSADeblurLib.xa import Run

# Progress goes to stderr, so that stdout can be piped.
_progress_console = Console(stderr=True)
_MOST_LINES = 50


def print_info(run: Run, as_json: bool) -> None:
    """Header facts with their origin, what a millimetre is, and the warnings."""
    calibrations = choices(run.acquisition)
    if as_json:
        facts = {**run.as_dict(), "calibration": calibrations.as_dict()}
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    console = Console(markup=False, highlight=False)  # a header may hold what looks like markup
    frames = f"{len(run.frames)} frames of {run.frames.shape[1]} x {run.frames.shape[2]}, {run.bits_stored} bits"
    table = Table(title=Text(f"{printable_line(run.source.path.name)}: {frames}"), title_justify="left")
    for heading in ("", "value", "unit", "from", "note"):
        table.add_column(heading)
    relationship = run.relationship or "unknown"
    table.add_row("Pixel intensity relationship", relationship, "", "header" if run.relationship else "unknown", "")
    subtracted = "perhaps" if run.subtraction_guessed else "yes" if run.subtracted else "no"
    table.add_row("Already subtracted", subtracted, "", "", "")
    for row in run.acquisition.rows():
        table.add_row(*map(printable_line, row))
    console.print(table)
    sizes = Table(title=f"Lengths, best first: {calibrations.why}", title_justify="left")
    for heading in ("plane", "of one pixel", "note"):
        sizes.add_column(heading)
    for label, size, notes in calibrations.rows():
        sizes.add_row(*map(printable_line, (label, size, notes)))
    console.print(sizes)
    for warning in run.warnings:
        console.print(Text.assemble(("Warning: ", "yellow"), printable_line(warning)))


class BatchProgress:
    """One bar for the files and one for the tiles of the file in work; `left_out` are files of other kinds."""

    def __init__(self) -> None:
        words = TextColumn("{task.description}", markup=False)
        columns = (words, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=_progress_console, transient=True)
        self._files = self._progress.add_task("files", total=None)
        self._tiles: TaskID | None = None
        self.left_out: list[str] = []

    def __enter__(self) -> BatchProgress:
        self._progress.start()
        return self

    def __exit__(self, *exception) -> None:
        self._progress.stop()

    def found(self, count: int, left_out: list[str]) -> None:
        """For `batch.run_batch`: so many files there are to be done."""
        self._progress.update(self._files, completed=0, total=count)
        self.left_out = left_out

    def notice(self, sentence: str) -> None:
        """For `batch.run_batch`: the user should see this."""
        self._progress.console.print(Text(printable_line(sentence)), soft_wrap=True)

    def start(self, path: Path) -> Callable[[int, int], None]:
        """For `batch.run_batch`: a file begins; returns what takes its tiles."""
        self._end_tiles()
        tiles = self._tiles = self._progress.add_task(printable_line(path.name)[:40], total=None)
        return lambda done, total: self._progress.update(tiles, completed=done, total=total)

    def finish(self, outcome, done: int, count: int) -> None:
        """For `batch.run_batch`: a file is done, the one begun here or another."""
        self._end_tiles()
        self._progress.update(self._files, completed=done, total=count)

    def _end_tiles(self) -> None:
        if self._tiles is not None:
            self._progress.remove_task(self._tiles)
            self._tiles = None


def print_outcomes(outcomes: list[Outcome], left_out: list[str], notice: str) -> None:
    """What became of each run, one line each, and what was used for it; all of it is in the manifest too.

    On a terminal there are at most so many lines, failures first where there are more; elsewhere every line is there in
    full, its columns divided by tabs.
    """
    console = Console(highlight=False)
    rows = [outcome for outcome in outcomes if outcome.skipped is None]
    failed = sum(outcome.error is not None for outcome in rows)
    if not console.is_terminal:
        for outcome in rows:
            result, words = outcome.error or outcome.output or "", _used(outcome)
            print("\t".join(map(printable_line, (outcome.input, result, words, *outcome.warnings))))
    elif rows:
        table = Table("input", Column("used", ratio=1), "warnings", Column("result", ratio=1))
        shown = rows if len(rows) <= _MOST_LINES else sorted(rows, key=lambda one: one.error is None)[:_MOST_LINES]
        for outcome in shown:
            name, warnings = Path(outcome.input).name, str(len(outcome.warnings) or "")
            result = outcome.error or Path(outcome.output or "").name
            cells = (name, ""), (_used(outcome), ""), (warnings, "yellow"), (result, "red" if outcome.error else "")
            table.add_row(*(_cell(text, style) for text, style in cells))
        console.print(table)
        if len(rows) > len(shown):
            console.print(f"{len(rows) - len(shown)} more are in the manifest.")
    if left_out:
        names = ", ".join(printable_line(Path(path).name) for path in left_out[:3])
        more = ", ..." if len(left_out) > 3 else ""
        console.print(Text(f"{len(left_out)} left out as no X-ray angiography: {names}{more}"), soft_wrap=True)
    console.print(Text(f"{len(rows) - failed} deblurred, {failed} not. {notice}"), soft_wrap=True)


def _used(outcome: Outcome) -> str:
    """Files where there are several, frames, model, and where and how; these not where a manifest says them badly."""
    files = f"{len(outcome.files)} files" if outcome.files else ""
    try:
        used = Used.from_dict(outcome.used or {})
        numbers = used.frame_numbers
        frames = f"frames {numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else f"frame {numbers[0]}"
        words = f"{frames}, {used.model}, {used.summary()}, {used.seconds:.1f} s"
    except (KeyError, TypeError, ValueError, IndexError):
        words = ""
    return ", ".join(filter(None, (files, words)))


def _cell(text: str, style: str) -> Text:
    return Text(printable_line(text), style, no_wrap=True, overflow="ellipsis")
