"""README's part on measuring a stenosis, on the sample run as a new user would: what is told holds the truth."""

import pytest

from DSADeblurLib import paths
from DSADeblurLib.lab.simulation.runs import read_facts

measured_sample = pytest.importorskip("measured_sample", exc_type=ImportError)
pytestmark = pytest.mark.slow


def test_the_stenosis_of_the_sample_run_and_its_picture(tmp_path, capsys, monkeypatch):
    rows, measure = [], measured_sample.measureSample
    monkeypatch.setattr(measured_sample, "measureSample", lambda host, show: rows.extend(measure(host, show)))
    measured_sample.main(tmp_path)
    truth = read_facts(paths.sample_data_folder()).stenosis
    right = {
        "stenosis, NASCET": truth.percent,
        "least lumen": truth.least_mm * truth.magnified,
        "diameter": truth.normal_mm * truth.magnified,
    }
    for measure, value in right.items():
        (row,) = (one for one in rows if one["measure"] == measure)
        for image in ("original", "deblurred", "noise reduction 0"):
            assert float(row[f"{image} low"]) <= value <= float(row[f"{image} high"]), (measure, image)
            error = 3.0 if row["unit"] == "%" else 0.05
            assert float(row["deblurred" if image == "deblurred" else image]) == pytest.approx(value, abs=error)
    assert "NASCET" in capsys.readouterr().out and (tmp_path / measured_sample.NAME).stat().st_size > 50_000
