"""The tests of reader studies keep what they promise where nothing differs; the paper's does not."""

import numpy as np
import pytest

from DSADeblurLib.lab.evaluation.null_studies import coverages, main, type_one_errors


@pytest.mark.slow
def test_type_one_errors():
    found = type_one_errors(250)
    for name in ("signed rank, each", "sign, each", "signed rank, any of a study after Holm"):
        assert 0 < found[name].share <= 0.05, name
    # A sample of nothing but the middle level does not vary: the paper's test is too liberal.
    assert found["Mann-Whitney of the paper, each"].share > 0.06
    clustered = type_one_errors(100, runs_of_patient=2)
    assert clustered["signed rank, each"].share <= 0.05 < clustered["Mann-Whitney of the paper, each"].share


@pytest.mark.slow
def test_intervals_hold_the_truth():
    for name, rate in coverages(200, resamples=500).items():
        assert rate.share > 0.90, name


def test_the_tables_are_printed(capsys, monkeypatch):
    main(["--studies", "5"])
    said = capsys.readouterr().out
    assert said.count("SIMULATED") == 2 and "Mann-Whitney of the paper" in said
    assert np.isfinite([float(one.split("%")[0].split()[-1]) for one in said.splitlines() if " % (" in one]).all()
