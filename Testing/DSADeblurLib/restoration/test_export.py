"""An export is used only if it is that of its card and made of its weights; PyTorch runs the model all the same."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from DSADeblurLib.request import DeblurSettings
from DSADeblurLib.restoration import export_packages, save_package
from DSADeblurLib.restoration.card import ESTIMATOR_FILES, EXPORT_FILES, ModelError, list_models, read_card
from DSADeblurLib.restoration.conversion import export_network
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.restoration.engine import EngineError
from DSADeblurLib.restoration.package import load_model
from DSADeblurLib.restoration.save_package import save_model
from DSADeblurLib.restoration.selection import Engines

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def package_as_saved(tmp_path_factory, make_network, make_card):
    folder = tmp_path_factory.mktemp("saved") / "tiny"
    save_model(folder, make_network(), make_card())
    return folder


@pytest.fixture
def folder(package_as_saved, tmp_path):
    return Path(shutil.copytree(package_as_saved, tmp_path / "tiny"))


def change_card(folder, **facts):
    path = folder / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


def test_a_package_brings_an_export_of_its_weights(folder):
    model = load_model(folder)
    card = read_card(folder).openvino
    assert card["made_from"] == model.sha256 and not model.notices
    for name, data in zip(EXPORT_FILES, (model.export.graph, model.export.weights), strict=True):
        assert card[name] == hashlib.sha256(data).hexdigest() and (folder / name).read_bytes() == data


def test_a_changed_export_is_not_parsed_and_pytorch_runs_the_model(folder):
    path = folder / EXPORT_FILES[1]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    model = load_model(folder)
    assert model.export is None and "SHA-256 differs" in model.notices[0]
    result = deblur(np.random.default_rng(0).normal(size=(1, 32, 32)), model, DeblurSettings(device="cpu"))
    assert result.engine == "torch" and model.notices[0] in result.notices
    with pytest.raises(EngineError, match="SHA-256 differs.*choose the engine torch"):
        deblur(np.zeros((1, 32, 32)), model, DeblurSettings(engine="openvino"))


def test_a_missing_file_is_told(folder):
    (folder / EXPORT_FILES[0]).unlink()
    assert "cannot be read" in load_model(folder).notices[0]


def test_an_export_of_other_weights_is_told(folder):
    change_card(folder, openvino={**read_card(folder).openvino, "made_from": "0" * 64})
    assert "made from other weights" in load_model(folder).notices[0]


def test_an_export_of_a_modulated_network_brings_its_estimator(tmp_path, make_network, make_card):
    """Those made before it did are told, and PyTorch is used."""
    folder = tmp_path / "told"
    save_model(folder, make_network(kind="unet", modulated=True), make_card())
    model = load_model(folder)
    assert set(model.export.files()) == {*EXPORT_FILES, *ESTIMATOR_FILES} and not model.notices
    older = {key: value for key, value in read_card(folder).openvino.items() if key not in ESTIMATOR_FILES}
    change_card(folder, openvino=older)
    model = load_model(folder)
    assert model.export is None and "has no estimator of blur; PyTorch is used" in model.notices[0]


def test_an_export_that_computes_something_else_is_not_used(folder, make_network):
    """Its hashes are right, so only its values can tell."""
    other = export_network(make_network(seed=1))
    for name, data in zip(EXPORT_FILES, (other.graph, other.weights), strict=True):
        (folder / name).write_bytes(data)
    change_card(folder, openvino=other.hashes(read_card(folder).sha256))
    model = load_model(folder)
    result = deblur(np.random.default_rng(0).normal(size=(1, 32, 32)), model, engines=Engines(probe=no_gpu))
    assert result.engine == "torch" and "differs from PyTorch" in result.notices[0]
    with pytest.raises(EngineError, match="differs from PyTorch"):
        deblur(np.zeros((1, 32, 32)), model, DeblurSettings(engine="openvino"))


def no_gpu():
    raise EngineError("no GPU")


def test_a_package_without_export_is_whole(folder, monkeypatch, make_network, make_card):
    monkeypatch.setattr(save_package, "is_installed", lambda engine: False)
    save_model(folder, make_network(seed=3), make_card())
    assert not (folder / EXPORT_FILES[0]).exists()
    model = load_model(folder)
    assert model.export is None and not model.notices and model.card.openvino == {}
    with pytest.raises(EngineError, match="brings no OpenVINO export"):
        deblur(np.zeros((1, 32, 32)), model, DeblurSettings(engine="openvino"))


def test_saving_the_same_weights_without_openvino_keeps_the_export(folder, monkeypatch):
    before = {name: (folder / name).read_bytes() for name in EXPORT_FILES}
    model = load_model(folder)
    monkeypatch.setattr(save_package, "is_installed", lambda engine: False)
    save_model(folder, model.network, model.card)
    assert {name: (folder / name).read_bytes() for name in EXPORT_FILES} == before
    assert load_model(folder).export == model.export


def test_packages_are_exported_again_from_the_shell(folder, monkeypatch, capsys):
    change_card(folder, openvino={})
    for name in EXPORT_FILES:
        (folder / name).unlink()
    assert export_packages.main([str(folder)]) == 0
    assert load_model(folder).export is not None and "tiny" in capsys.readouterr().out
    assert export_packages.main([]) == 2
    monkeypatch.setattr(export_packages, "is_installed", lambda engine: False)
    assert export_packages.main([str(folder)]) == 2


@pytest.mark.parametrize("name", [card.name for card in list_models()])
def test_bundled_models_agree_with_pytorch_in_bfloat16(name):
    """An engine that does not agree is refused."""
    _, selection = Engines(probe=no_gpu).start(load_model(name), "cpu", "openvino", "bfloat16")
    assert (selection.engine.value, selection.precision.value) == ("openvino", "bfloat16")


@pytest.mark.parametrize("value", [{"openvino.xml": "a" * 64}, {**dict.fromkeys(EXPORT_FILES, "a"), "made_from": ""}])
def test_a_malformed_card_entry_is_refused(folder, value):
    change_card(folder, openvino=value)
    with pytest.raises(ModelError, match="must give 'openvino' as the SHA-256"):
        load_model(folder)


def test_openvino_sends_nothing_over_the_network():
    code = (
        "import sys; from DSADeblurLib.restoration.installed import import_openvino\n"
        "import_openvino().convert_model\n"
        "print([name for name, module in sys.modules.items() if module and name.startswith('openvino_telemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
