"""Tables and progress of the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from DSADeblurLib.batch import Outcome
from DSADeblurLib.measurement.calibration import choices
from DSADeblurLib.used import Used
from DSADeblurLib.xa import Run

# Progress goes to stderr, so that stdout can be piped.
_progress_console = Console(stderr=True)


def print_info(run: Run, as_json: bool) -> None:
    """Header facts with their origin, what a millimetre is, and the warnings."""
    calibrations = choices(run.acquisition)
    if as_json:
        facts = {**run.as_dict(), "calibration": calibrations.as_dict()}
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    console = Console()
    frames = f"{len(run.frames)} frames of {run.frames.shape[1]} x {run.frames.shape[2]}, {run.bits_stored} bits"
    table = Table(title=f"{run.source.path.name}: {frames}", title_justify="left")
    for heading in ("", "value", "unit", "from", "note"):
        table.add_column(heading)
    relationship = run.relationship or "unknown"
    table.add_row("Pixel intensity relationship", relationship, "", "header" if run.relationship else "unknown", "")
    subtracted = "perhaps" if run.subtraction_guessed else "yes" if run.subtracted else "no"
    table.add_row("Already subtracted", subtracted, "", "", "")
    for row in run.acquisition.rows():
        table.add_row(*row)
    console.print(table)
    sizes = Table(title=f"Lengths, best first: {calibrations.why}", title_justify="left")
    for heading in ("plane", "of one pixel", "note"):
        sizes.add_column(heading)
    for label, size, notes in calibrations.rows():
        sizes.add_row(label, size, notes)
    console.print(sizes)
    for warning in run.warnings:
        console.print(f"[yellow]Warning:[/] {warning}", highlight=False)


class BatchProgress:
    """One bar for the files and one for the tiles of the file in work."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=_progress_console, transient=True)
        self._files = self._progress.add_task("files", total=None)
        self._tiles: TaskID | None = None

    def __enter__(self) -> BatchProgress:
        self._progress.start()
        return self

    def __exit__(self, *exception) -> None:
        self._progress.stop()

    def start(self, path: Path) -> Callable[[int, int], None]:
        """For `batch.run_batch`: a file begins; returns what takes its tiles."""
        self._end_tiles()
        tiles = self._tiles = self._progress.add_task(path.name[:40], total=None)
        return lambda done, total: self._progress.update(tiles, completed=done, total=total)

    def finish(self, outcome, done: int, count: int) -> None:
        """For `batch.run_batch`: a file is done, the one begun here or another."""
        self._end_tiles()
        self._progress.update(self._files, completed=done, total=count)

    def _end_tiles(self) -> None:
        if self._tiles is not None:
            self._progress.remove_task(self._tiles)
            self._tiles = None


def print_outcomes(outcomes: list[Outcome], notice: str) -> None:
    """What became of each file, and what was used for it; all of it is in the manifest too."""
    console = Console()
    table = Table()
    for heading in ("input", "frames", "seconds", "used", "result"):
        table.add_column(heading, overflow="fold")
    for outcome in outcomes:
        frames = seconds = words = ""
        if outcome.used is not None:
            used = Used.from_dict(outcome.used)
            frames, seconds, words = str(len(used.frame_numbers)), f"{used.seconds:.1f}", used.summary()
        result = Text(outcome.error or outcome.output or f"left out: {outcome.skipped}", "red" if outcome.error else "")
        table.add_row(Text(Path(outcome.input).name), frames, seconds, words, result)
    console.print(table)
    failed, skipped = (sum(getattr(one, why) is not None for one in outcomes) for why in ("error", "skipped"))
    left_out = f", {skipped} left out" if skipped else ""
    done = len(outcomes) - failed - skipped
    console.print(f"{done} deblurred, {failed} not{left_out}. {notice}", highlight=False)
