"""The table of measured vessels: its values, its summary and its picture, and that right methods come out right."""

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from DSADeblurLib.lab.evaluation import vessel_measuring
from DSADeblurLib.lab.evaluation.vessel_measuring import (
    Case,
    cases,
    draw,
    measure_case,
    print_summary,
    print_targets,
    summary,
)


def test_every_kind_of_frame_is_measured_and_wrong_headers_once_a_noise():
    found = cases((0.0, 0.5))
    assert len(set(found)) == len(found) == 3 * 2 * 2 + 3 * 2
    assert {case.header for case in found} == {1.0, 0.5, 2.0}


def test_summaries_worked_by_hand():
    values = pd.DataFrame(
        {"method": "m", "truth": 1.0, "value": [1.1, 0.9, 1.3, np.nan], "low": [1.0, 0.8, 1.2, np.nan], "high": 2.0}
    )
    row = summary(values, ["method"]).iloc[0]
    assert row["bias"] == pytest.approx(0.1) and row["sd"] == pytest.approx(0.2)
    assert (row["missing"], row["covered"], row["n"]) == (0.25, pytest.approx(2 / 3), 4)


@pytest.mark.slow
def test_a_frame_is_measured_and_drawn(monkeypatch, tmp_path, tiny_model):
    monkeypatch.setattr(vessel_measuring, "LINES_MM", np.array([-12.0]))
    monkeypatch.setattr(vessel_measuring, "NARROWED_MM", (2.0,))
    monkeypatch.setattr(vessel_measuring, "NOISE_REDUCTIONS", (0.0,))
    values = pd.DataFrame(measure_case(Case("quiet", 0.5, False, 1.0), tiny_model))
    original = values[(values["image"] == "original") & (values["method"] == "model fit")]
    wide = original[(original["measure"] == "diameter") & (original["diameter"] >= 1)]
    assert (wide["value"] - wide["truth"]).abs().max() < 0.05
    (percent,) = original[original["measure"] == "stenosis"]["value"]
    assert percent == pytest.approx(50, abs=3)
    draw(values, tmp_path / "plot.png")
    console = Console(width=150, record=True)
    print_summary(values, console)
    print_targets(values, console)
    text = console.export_text()
    assert (
        "densitometric %" in text
        and "met: " in text
        and "90-99 %" in text
        and (tmp_path / "plot.png").stat().st_size > 10_000
    )
