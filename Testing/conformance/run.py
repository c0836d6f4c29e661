"""Judge every kind of derived object by every judge that is installed, and print one table.

Exit code 1 when a judge found anything wrong or a variant could not be written.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

HERE = Path(__file__).resolve().parent
for folder in (HERE, HERE.parents[1]):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from judges import JUDGES, NotApplicable  # noqa: E402
from variants import VARIANTS, make  # noqa: E402

COLOURS = {"ok": "green", "not installed": "yellow", "-": "dim", "failed": "red"}


def judged(variant, folder: Path) -> list[str]:
    """Write one variant and return each judge's verdict, see `verdict`."""
    try:
        specimen = make(variant, folder)
    except Exception as error:
        reason = " ".join(str(error).split())
        # An encoder or a library that is missing is no fault of the file.
        missing = "not installed" in reason or "pip install" in reason
        return ["not installed" if missing else f"not written: {reason}"] * len(JUDGES)
    return [verdict(judge, specimen) for judge in JUDGES]


def verdict(judge, specimen) -> str:
    """Return 'ok', 'not installed', '- reason' where there is nothing to be judged, or what is wrong."""
    if judge.missing:
        return "not installed"
    try:
        return judge.check(specimen) or "ok"
    except NotApplicable as reason:
        return f"- {reason}"
    except Exception as error:  # a reader that fails on the file is a finding about the file
        return f"{type(error).__name__}: {' '.join(str(error).split())[:110]}"


def kind_of(said: str) -> str:
    """Return which of four kinds a verdict is: ok, not installed, - (nothing to be judged), failed."""
    return said if said in ("ok", "not installed") else "-" if said.startswith("- ") else "failed"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="judge the variants whose name has this in it")
    parser.add_argument("--keep", type=Path, help="keep the files in this folder")
    chosen = parser.parse_args(arguments)
    table = Table("variant", *(judge.name for judge in JUDGES), title="Derived objects, judged by others")
    counts: Counter[str] = Counter()
    reasons = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, variant in enumerate(one for one in VARIANTS if chosen.only in one.name):
            said = judged(variant, (chosen.keep or Path(scratch)) / f"{number:02d}")
            kinds = [kind_of(one) for one in said]
            counts.update(kinds)
            reasons += [
                f"{variant.name}, {judge.name}: {one}"
                for judge, one, kind in zip(JUDGES, said, kinds, strict=True)
                if kind == "failed"
            ]
            cells = (
                Text(kind if kind == "failed" else one, COLOURS[kind]) for one, kind in zip(said, kinds, strict=True)
            )
            table.add_row(variant.name, *cells)
    console = Console(width=None if sys.stdout.isatty() else 170)
    console.print(table)
    for reason in reasons:
        console.print(f"failed: {reason}", style="red", markup=False)
    console.print(
        f"{table.row_count} variants: {counts['ok']} ok, {counts['failed']} failed, "
        f"{counts['not installed']} not installed, {counts['-']} not for that judge"
    )
    return 1 if reasons else 0


if __name__ == "__main__":
    sys.exit(main())
