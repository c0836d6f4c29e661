"""The results of an analysis as files: report, JSON of everything, a CSV of each table and of the ratings."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from DSADeblurLib.atomic_write import atomic_folder
from DSADeblurLib.study.analysis import Analysis
from DSADeblurLib.study.methods_text import methods_paragraph, statistics_sentences
from DSADeblurLib.study.study_report import report_pages, study_facts

# A cell that begins so is a formula in a table.
_FORMULA = ("=", "+", "-", "@")


def save_results(analysis: Analysis, folder: Path) -> list[Path]:
    """Write all files into a new folder, which appears when it is complete.

    Returns:
        Their paths, the report first.

    Raises:
        OSError: it cannot be written.
    """
    from matplotlib.backends.backend_pdf import PdfPages

    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as unfinished:
        with PdfPages(unfinished / "report.pdf", metadata={"Title": analysis.definition.title}) as pdf:
            for figure in report_pages(analysis):
                pdf.savefig(figure)
        (unfinished / "results.json").write_text(json.dumps(as_json(analysis), indent=1, allow_nan=False))
        for name, table in analysis.tables.items():
            table.to_csv(unfinished / f"{name}.csv", index=False)
        ratings = analysis.ratings.table
        comments = ratings["comment"].map(lambda text: f"'{text}" if str(text).startswith(_FORMULA) else text)
        ratings.assign(comment=comments).to_csv(unfinished / "ratings.csv", index=False)
        names = sorted(path.name for path in unfinished.iterdir())
    return [folder / name for name in sorted(names, key=lambda name: name != "report.pdf")]


def as_json(analysis: Analysis) -> dict[str, Any]:
    """Everything, of JSON's types; null where a figure is not known."""
    return {
        "title": analysis.definition.title,
        "research_use_only": True,
        "facts": study_facts(analysis),
        "protocol": analysis.definition.protocol.as_dict(),
        "arms": [vars(arm) for arm in analysis.key.arms],
        "closed": analysis.closed,
        "resamples": analysis.resamples,
        "blinding": analysis.blinding.verdict,
        "warnings": list(analysis.warnings),
        "tables": {name: _records(table) for name, table in analysis.tables.items()},
        "ratings": _records(analysis.ratings.table),
        "methods": methods_paragraph(analysis),
        "statistics": statistics_sentences(analysis),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
