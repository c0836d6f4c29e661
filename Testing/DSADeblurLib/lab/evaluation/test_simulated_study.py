"""The simulated study goes from its making to its report in one call."""

import json

import pytest

pytest.importorskip("statsmodels", reason="statsmodels is not installed")

from DSADeblurLib.lab.evaluation.simulated_study import main


@pytest.mark.slow
def test_from_the_making_to_the_report(tmp_path, capsys):
    main([str(tmp_path / "all"), "--cases", "24"])
    assert "true shares" in capsys.readouterr().out
    results = json.loads((tmp_path / "all" / "results" / "results.json").read_text())
    assert results["closed"] and results["warnings"] == []
    assert {row["answered"] for row in results["tables"]["flow"]} == {26}
