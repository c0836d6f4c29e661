"""`dsadeblur agree`: tables as people have them, what is printed, and the picture."""

import json

import numpy as np
import pytest
from PIL import Image

from DSADeblurLib.agree import read_pairs
from DSADeblurLib.cli import FINE, SOME_FAILED, WRONG_USE, main

TABLE = """vessel,method,original,deblurred
a,model fit,1.20,1.10
b,model fit,2.20,2.10
c,model fit,3.20,3.35
d,half maximum,0.50,
e,half maximum,0.70,0.72
f,half maximum,0.90,0.95
g,half maximum,1.90,1.94
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return path


def test_a_table_is_parted_by_a_column_and_missing_values_stay(table):
    pairs = read_pairs(table, "original", "deblurred", "method")
    assert list(pairs) == ["model fit", "half maximum"]
    np.testing.assert_array_equal(pairs["half maximum"], [[0.5, 0.7, 0.9, 1.9], [np.nan, 0.72, 0.95, 1.94]])


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_tables_of_spreadsheets_with_decimal_commas_are_read(table, delimiter):
    table.write_text(TABLE.replace(",", delimiter).replace(".", ","), encoding="utf-8-sig")
    np.testing.assert_array_equal(read_pairs(table, "original", "deblurred")[""][0][:3], [1.2, 2.2, 3.2])


def test_figures_are_printed_for_each_part(table, capsys):
    assert main(["agree", str(table), "--by", "method", "--json"]) == FINE
    found = json.loads(capsys.readouterr().out)
    assert found["model fit"]["count"] == 3 and found["half maximum"]["left_out"] == 1
    assert found["model fit"]["bias"][0] == pytest.approx(-0.05 / 3)
    assert main(["agree", str(table), "--by", "method"]) == FINE
    shown = capsys.readouterr().out
    assert "lower limit of agreement" in shown and "3 (1 left out)" in shown


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_a_plot_is_drawn(table, tmp_path, ending):
    path = tmp_path / f"plot.{ending}"
    assert main(["agree", str(table), "--by", "method", "--plot", str(path)]) == FINE
    if ending == "pdf":
        assert path.read_bytes().startswith(b"%PDF")
    else:
        with Image.open(path) as picture:
            assert picture.width > picture.height > 300


def test_a_missing_column_is_wrong_use_that_names_those_there_are(table, capsys):
    assert main(["agree", str(table), "--second", "restored"]) == WRONG_USE
    assert "no column 'restored'; it has vessel, method, original, deblurred" in capsys.readouterr().err


def test_too_few_pairs_are_said(tmp_path, capsys):
    path = tmp_path / "short.csv"
    path.write_text("original,deblurred\n1,2\n2,3\n")
    assert main(["agree", str(path)]) == SOME_FAILED
    assert "at least 3 pairs" in capsys.readouterr().err
