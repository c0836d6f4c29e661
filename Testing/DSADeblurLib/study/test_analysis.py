"""A whole study of simulated readers: answered, killed, merged, closed, analysed; the truth comes out; the report."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("pandas", reason="pandas is not installed")
pytest.importorskip("statsmodels", reason="statsmodels is not installed")

from DSADeblurLib.lab.evaluation import simulated_study
from DSADeblurLib.lab.evaluation.simulated_study import GROUPS, TRUTH, answer_by_session, make_simulated_study
from DSADeblurLib.request import UserFacts
from DSADeblurLib.study import Session
from DSADeblurLib.study.analysis import ALL, analyse
from DSADeblurLib.study.definition import Mark, read_definition
from DSADeblurLib.study.merge_copies import merge_copies
from DSADeblurLib.study.originals import find_runs
from DSADeblurLib.study.protocol import Protocol
from DSADeblurLib.study.results import as_json, save_results
from DSADeblurLib.study.seal import close_study
from DSADeblurLib.study.study_key import read_key
from DSADeblurLib.study.study_report import report_pages


@pytest.fixture(scope="module")
def whole_study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    study = make_simulated_study(folder / "study", seed=3)
    copies = [shutil.copytree(study.folder, folder / f"copy{number}") for number in range(2)]
    answer_by_session(study, 0, copies[0], until=30)
    answer_by_session(study, 0, copies[0])
    answer_by_session(study, 1, copies[1], sees_through=0.0)
    merge_copies(study.folder, copies)
    close_study(study.folder, study.key_path)
    return study


@pytest.fixture(scope="module")
def analysis(whole_study):
    study = whole_study
    return analyse(study.folder, study.definition, study.key, study.key_path, 300)


def test_levels_are_those_that_readers_had_in_mind(whole_study, analysis):
    """Whatever side they were on, levels come back relative to the deblurred."""
    cases = [case.name for case in whole_study.key.cases]
    counted = analysis.ratings.counted
    assert len(counted) > 150 and counted["left_is_tested"].nunique() == 2
    for _, row in counted.iterrows():
        reader = int(row["reader"][1:]) - 1
        assert row["level"] == whole_study.levels[reader, cases.index(row["case"])]


def test_the_truth_that_was_put_in_comes_out(analysis):
    levels = analysis.tables["levels"]
    for reader, name in enumerate(("R1", "R2")):
        truth = TRUTH.level_shares(reader)
        row = levels[(levels["reader"] == name) & (levels["group"] == ALL)].iloc[0]
        for column, wanted in (("4_5", truth[3:].sum()), ("5", truth[4]), ("1_2", truth[:2].sum())):
            assert row[f"share_{column}_low"] <= wanted <= row[f"share_{column}_high"]
    tables = analysis.tables["agreement"]
    quadratic = tables[(tables["of"] == "readers") & (tables["weights"] == "quadratic")].iloc[0]
    joint = TRUTH.joint_shares(0, 1)
    places = np.arange(5)
    weights = 1 - ((places[:, None] - places) / 4) ** 2
    expected = (np.outer(joint.sum(axis=1), joint.sum(axis=0)) * weights).sum()
    assert quadratic["kappa_low"] <= ((joint * weights).sum() - expected) / (1 - expected) <= quadratic["kappa_high"]


def test_counts_agree_with_each_other(analysis):
    levels, flow = analysis.tables["levels"], analysis.tables["flow"]
    assert set(levels["group"]) == {*GROUPS, ALL}
    assert (levels[[f"level_{level}" for level in range(1, 6)]].sum(axis=1) == levels["runs"]).all()
    whole = levels[levels["group"] == ALL].set_index("reader")["runs"]
    for _, row in flow.iterrows():
        assert row["answered"] == row["items"] == 88 and row["missing"] == 0 and row["shown_again"] == 8
    assert (whole <= 80).all() and analysis.closed and not [one for one in analysis.warnings if "closed" in one]
    assert set(analysis.tables["harm"]["reader"]) == {"R1", "R2", ALL}


def test_holms_families_are_readers_and_groups(analysis):
    tests = analysis.tables["tests"]
    parts = tests[tests["group"] != ALL]
    smallest = parts.sort_values("p_signed_rank").iloc[0]
    assert smallest["p_signed_rank_holm"] == pytest.approx(min(1, 8 * smallest["p_signed_rank"]))


@pytest.mark.slow
def test_several_runs_of_a_patient_are_clustered(tmp_path):
    study = make_simulated_study(tmp_path / "study", runs_of_patient=4, repeats=0.0)
    answer_by_session(study, 0, study.folder)
    found = analyse(study.folder, study.definition, study.key, study.key_path, 300)
    row = found.tables["levels"].query("group == 'all'").iloc[0]
    assert row["patients"] <= 20 < row["runs"]
    assert found.tables["tests"].query("group == 'all'").iloc[0]["patients"] == row["patients"]
    assert (found.tables["levels"]["share_1_2_high"] > found.tables["levels"]["share_1_2"]).all()
    assert any("not closed" in one for one in found.warnings)


@pytest.mark.slow
def test_readers_who_see_through_are_told(tmp_path):
    study = make_simulated_study(tmp_path / "study")
    for until in range(10, 89, 10):
        answer_by_session(study, 0, study.folder, until=until, sees_through=1.0)
    found = analyse(study.folder, study.definition, study.key, study.key_path, 100)
    assert found.blinding.right > 30 and "NOT BLIND" in found.blinding.verdict
    assert found.blinding.verdict in found.warnings


@pytest.fixture(scope="module")
def results(analysis, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "new"
    return save_results(analysis, folder)


def test_report_csv_and_json_say_the_same(analysis, results):
    names = {path.name for path in results}
    assert results[0].name == "report.pdf" and names >= {"results.json", "ratings.csv", "levels.csv", "harm.csv"}
    everything = json.loads((results[0].parent / "results.json").read_text())
    with open(results[0].parent / "levels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(everything["tables"]["levels"]) == len(analysis.tables["levels"])
    for row, other in zip(rows, everything["tables"]["levels"], strict=True):
        assert float(row["p_mann_whitney"]) == pytest.approx(other["p_mann_whitney"], rel=1e-12)
    assert everything["facts"]["definition sha256"] == analysis.definition.sha256
    assert "rejects a true null hypothesis more often" in " ".join(everything["statistics"])
    assert len(everything["ratings"]) == len(analysis.ratings.table)


def test_the_report_is_a_pdf_of_some_pages_that_nothing_leaves(analysis):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figures = report_pages(analysis)
    assert 3 <= len(figures) <= 8
    words = []
    for figure in figures:
        renderer = FigureCanvasAgg(figure).get_renderer()
        width, height = figure.bbox.width, figure.bbox.height
        for text in figure.texts:
            box = text.get_window_extent(renderer)
            assert 0 <= box.x0 <= box.x1 <= width and 0 <= box.y0 <= box.y1 <= height, text.get_text()
        words += [text.get_text() for text in figure.texts]
    for word in ("RESEARCH USE ONLY", "Flow of cases", "Gwet's AC2", "Methods, to be adapted", "Harm:", "Blinding:"):
        assert any(word in one for one in words), word


def test_names_of_groups_are_drawn_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(simulated_study, "GROUPS", ("$\\frac$", "A" * 60, "Größe_^2", "-"))
    study = make_simulated_study(tmp_path / "study", cases=16)
    answer_by_session(study, 0, study.folder)
    found = analyse(study.folder, study.definition, study.key, study.key_path, 20)
    save_results(found, tmp_path / "r")
    words = [text.get_text() for figure in report_pages(found) for text in figure.texts]
    assert "$\\frac$" in words


def test_comments_are_no_formulas(whole_study, analysis, tmp_path):
    table = analysis.ratings.table.assign(comment="=HYPERLINK()")
    harmful = replace(analysis, ratings=replace(analysis.ratings, table=table))
    save_results(harmful, tmp_path / "r")
    with open(tmp_path / "r" / "ratings.csv", newline="") as file:
        assert {row["comment"] for row in csv.DictReader(file)} == {"'=HYPERLINK()"}


def test_definition_and_key_come_back_as_they_were(whole_study):
    definition = read_definition(whole_study.folder)
    assert definition == whole_study.definition
    assert read_key(whole_study.key_path, definition) == whole_study.key


def answer_by_arm(study, reader, values_of):
    """Answer each item by a function of the arms that are left and right."""
    with Session(study.folder, reader) as session:
        while not session.is_complete:
            shown = session.shown
            images = study.key.case(shown.item.case).images
            session.answer(values_of(images[shown.left], images.get(shown.right)))
        for shown in session.asked_at_the_end():
            session.believe(shown, "unsure")


def analysed(study):
    found = analyse(study.folder, study.definition, study.key, study.key_path, 100)
    report_pages(found)
    json.dumps(as_json(found), allow_nan=False)
    return found.tables


@pytest.mark.slow
def test_a_forced_choice_of_three_arms(make_study):
    study = make_study(["mild: sharpness=0.5", "strong: noise_reduction=1"], protocol=Protocol("2afc"), repeats=0.2)
    order = ["original", "strong", "mild"]

    def better(left, right):
        return {"preference": 1 if order.index(left) > order.index(right) else 2}

    for reader in ("R1", "R2"):
        answer_by_arm(study, reader, better)
    tables = analysed(study)
    preferred = tables["preferred"].query("reader == 'R1' and group == 'all'").set_index(["arm", "against"])
    assert preferred["preferred"].to_dict() == {
        ("mild", "original"): 6,
        ("strong", "original"): 6,
        ("strong", "mild"): 0,
    }
    worth = tables["bradley_terry"].set_index("arm")["log_worth"]
    assert worth["mild"] > worth["strong"] > 0
    agreement = tables["agreement"]
    assert (agreement["same"] == 1).all() and set(agreement["of"]) == {"readers", "itself"}


@pytest.mark.slow
def test_a_grading_by_two_criteria(make_study):
    study = make_study(protocol=Protocol("grading", ("Edges sharp", "Noise low")), repeats=0.2)

    def grades(arm, _):
        return {"Edges sharp": 4 if arm == "deblurred" else 2, "Noise low": 3}

    for reader in ("R1", "R2", "R3"):
        answer_by_arm(study, reader, grades)
    tables = analysed(study)
    areas = tables["vgc"].query("reader == 'all' and group == 'all'").set_index("question")["area"]
    assert areas.to_dict() == {"Edges sharp": 1.0, "Noise low": 0.5}
    tests = tables["tests"].query("reader == 'R1' and group == 'all'").set_index("question")
    # Five patients, all better: 2 of 32 signs.
    assert tests.loc["Edges sharp", "p_signed_rank"] == pytest.approx(2 / 32)
    assert tests.loc["Edges sharp", "hodges_lehmann"] == 2 and tests.loc["Noise low", "p_sign"] == 1
    assert "R1 and R2" in set(tables["agreement"]["who"]) and "all" in set(tables["agreement"]["who"])


def test_the_visibility_of_a_vessel(make_study, run_folder):
    runs = [replace(one, mark=Mark(2, 5.0, 5.0)) for one in find_runs(run_folder / "runs.csv", UserFacts())]
    study = make_study(runs=runs, protocol=Protocol("visibility"), repeats=0.0)
    answer_by_arm(study, "R1", lambda arm, _: {"visibility": 3})
    tables = analysed(study)
    assert tables["vgc"].iloc[-1]["area"] == 0.5 and tables["blinding"].iloc[-1]["unsure"] == 5


def test_several_arms_of_a_paired_study(make_study):
    study = make_study(["mild: sharpness=0.5", "strong: noise_reduction=1"], repeats=0.0)
    answer_by_arm(study, "R1", lambda left, right: {"comparison": 2 if left == "mild" else 4 if right == "mild" else 3})
    tables = analysed(study)
    levels = tables["levels"].query("group == 'all'").set_index("arm")
    assert levels.loc["mild", "level_4"] == levels.loc["strong", "level_3"] == 6
    worth = tables["bradley_terry"].set_index("arm")["log_worth"]
    assert worth["mild"] > 0 and worth["strong"] == pytest.approx(0, abs=1e-6)
