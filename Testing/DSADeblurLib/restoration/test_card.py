"""Cards are read without torch, and a malformed one is refused in one sentence."""

import json
import logging
import subprocess
import sys

import pytest

from DSADeblurLib.restoration.card import ModelError, find_model, list_models, read_card


@pytest.fixture
def write_card(make_card, tmp_path):
    def write(folder="tiny", remove=(), **facts):
        values = {**make_card(sha256="a" * 64, parameters=5).as_dict(), **facts}
        path = tmp_path / folder / "card.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({k: v for k, v in values.items() if k not in remove}), encoding="utf-8")
        return path.parent

    return write


def test_a_card_comes_back_as_written(write_card, make_card):
    folder = write_card(description="Größe")
    card = read_card(folder)
    assert card == make_card(sha256="a" * 64, parameters=5, description="Größe")
    assert card.folder == folder


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"remove": ["licence"]}, "lacks 'licence'"),
        ({"remove": ["sha256"]}, "lacks 'sha256'"),
        ({"colour": 1}, "unknown entry 'colour'"),
        ({"metrics": [1]}, "'metrics' as a table"),
        ({"parameters": True}, "'parameters' as a whole number"),
        ({"limits": [1]}, "'limits' as a list of sentences"),
        ({"sha256": "xyz"}, "64 hexadecimal digits"),
        ({"name": " "}, "gives no name"),
        ({"self_test_tolerance": 5}, "at most 0.01"),
        ({"self_test_tolerance": float("nan")}, "is damaged"),
        ({"format_version": 2}, "has format 2"),
    ],
)
def test_malformed_cards_are_refused(write_card, facts, words):
    with pytest.raises(ModelError, match=words) as error:
        read_card(write_card(**facts))
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe{}", b"[" * 100_000])
def test_what_is_not_json_is_refused(tmp_path, content):
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(ModelError, match="is damaged"):
        read_card(tmp_path)


def test_a_folder_without_card_is_refused(tmp_path):
    with pytest.raises(ModelError, match="card.json is missing"):
        read_card(tmp_path)


def test_models_are_listed_by_name_and_a_damaged_one_hides_none(write_card, tmp_path, caplog):
    write_card("one", name="zebra")
    write_card("two", name="aardvark")
    write_card("three", sha256="x")
    with caplog.at_level(logging.WARNING):
        assert [card.name for card in list_models(tmp_path)] == ["aardvark", "zebra"]
    assert "64 hexadecimal digits" in caplog.text


def test_models_are_found_by_name_and_folder(write_card, tmp_path):
    folder = write_card("one", name="zebra")
    assert find_model("zebra", tmp_path) == find_model("one", tmp_path) == find_model(folder, tmp_path) == folder
    with pytest.raises(ModelError, match="no model 'lion'; known models: zebra"):
        find_model("lion", tmp_path)


def test_a_missing_models_folder_lists_nothing(tmp_path):
    assert list_models(tmp_path / "none") == []


def test_the_package_and_the_card_need_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import DSADeblurLib.restoration\n"
        "from DSADeblurLib.restoration import card, normalisation, tiles\n"
        "from DSADeblurLib.lab.evaluation import classical\n"
        "from DSADeblurLib import frame_file, options, paths, request, xa"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
