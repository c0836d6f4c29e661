"""A model package is used only if it is whole, unchanged and computes what it computed when it was made."""

import hashlib
import json
import os

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from DSADeblurLib.restoration import save_package
from DSADeblurLib.restoration.card import ModelError, list_models
from DSADeblurLib.restoration.package import load_model
from DSADeblurLib.restoration.save_package import save_model


@pytest.fixture(autouse=True)
def without_openvino(monkeypatch):
    """Exports have tests of their own, and making one takes a second."""
    monkeypatch.setattr(save_package, "is_installed", lambda engine: False)


@pytest.fixture
def folder(tmp_path, make_network, make_card):
    save_model(tmp_path / "tiny", make_network(), make_card())
    return tmp_path / "tiny"


def change_card(folder, **facts):
    path = folder / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


def trust_weights(folder):
    """Give the card the hash of the weights as they are now."""
    change_card(folder, sha256=hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest())


def test_a_model_comes_back_with_the_same_weights_and_facts(folder, make_network):
    model, network = load_model(folder), make_network()
    state = network.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.network.state_dict().items())
    assert model.network.architecture == network.architecture
    assert model.card.parameters == sum(p.numel() for p in network.parameters())
    assert model.sha256 == model.card.sha256
    assert not model.network.training
    assert [card.name for card in list_models(folder.parent)] == ["tiny"]


def test_the_test_case_reaches_every_weight(folder, make_network):
    """A self-test that some weights do not touch would not notice their change."""
    test_input = torch.from_numpy(np.load(folder / "test_input.npy"))
    network = make_network()
    (network(test_input[None, None]) ** 2).sum().backward()
    assert all(p.grad.abs().max() > 0 for p in network.parameters())


def test_changed_weights_are_refused(folder):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load_model(folder)


def test_other_weights_with_a_matching_hash_fail_the_self_test(folder):
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights["shallow_first.weight"] = weights["shallow_first.weight"] * 1.1
    save_file(weights, path)
    trust_weights(folder)
    with pytest.raises(ModelError, match="failed its self-test: the output differs by"):
        load_model(folder)


def test_an_expected_output_of_nan_fails_the_self_test(folder):
    expected = np.load(folder / "test_output.npy")
    expected[0, 0] = np.nan
    np.save(folder / "test_output.npy", expected)
    with pytest.raises(ModelError, match="failed its self-test"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "test_input.npy", "test_output.npy", "card.json"])
def test_missing_files_are_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        load_model(folder)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize("name", ["model.safetensors", "test_input.npy", "test_output.npy", "card.json"])
@pytest.mark.parametrize("kind", ["pipe", "device", "sparse"])
def test_what_is_no_file_or_has_no_end_is_refused(folder, name, kind):
    """In a sentence, and without waiting for it or reading it."""
    path = folder / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.touch()
        os.truncate(path, 10 * 2**30)
    why = "it is larger than [0-9]+ MiB" if kind == "sparse" else "it is a pipe or a device"
    with pytest.raises(ModelError, match=rf"{name} cannot be read: {why}\.$"):
        load_model(folder)


def test_an_unknown_architecture_is_refused(folder):
    change_card(folder, architecture={"kind": "mamba"})
    with pytest.raises(ModelError, match="Unknown network architecture 'mamba'"):
        load_model(folder)


@pytest.mark.parametrize("numbers", [{"layers": 3}, {"features": 16, "growth": 8}, {"blocks": 64, "features": 512}])
def test_weights_of_another_architecture_are_refused(folder, numbers):
    architecture = json.loads((folder / "card.json").read_text())["architecture"]
    change_card(folder, architecture={**architecture, **numbers})
    with pytest.raises(ModelError, match="do not fit its architecture"):
        load_model(folder)


def test_weights_that_are_no_safetensors_are_refused(folder):
    (folder / "model.safetensors").write_bytes(b"\x80\x04K\x01.")  # a pickle
    trust_weights(folder)
    with pytest.raises(ModelError, match="do not fit its architecture"):
        load_model(folder)


@pytest.mark.parametrize(
    "values",
    [
        np.array([{"a": 1}], dtype=object),
        np.zeros((61, 67), np.float64),
        np.zeros((2, 61, 67), np.float32),
        np.zeros((8, 8), np.float32),
    ],
)
def test_unusable_test_files_are_refused(folder, values):
    np.save(folder / "test_input.npy", values, allow_pickle=True)
    with pytest.raises(ModelError, match="test_input.npy"):
        load_model(folder)


def test_test_files_of_different_shapes_are_refused(folder):
    np.save(folder / "test_input.npy", np.zeros((20, 20), np.float32))
    with pytest.raises(ModelError, match="do not fit in shape"):
        load_model(folder)


def test_a_failed_save_leaves_the_older_package_and_no_trace(folder, make_network, make_card, monkeypatch):
    def full(path, data, **_):
        raise OSError(28, "No space left on device")

    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(save_package.np, "save", full)
    with pytest.raises(OSError, match="No space"):
        save_model(folder, make_network(seed=1), make_card())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert os.listdir(folder.parent) == ["tiny"]


def test_a_newer_package_replaces_the_older(folder, make_network, make_card):
    older = load_model(folder).sha256
    card = save_model(folder, make_network(seed=1), make_card())
    assert load_model(folder).sha256 == card.sha256 != older
    assert os.listdir(folder.parent) == ["tiny"]


def test_a_folder_with_something_else_is_left_alone(tmp_path, make_network, make_card):
    (tmp_path / "thesis.txt").write_text("do not lose me")
    with pytest.raises(ModelError, match="is not a model package"):
        save_model(tmp_path, make_network(), make_card())
    assert (tmp_path / "thesis.txt").read_text() == "do not lose me"


@pytest.mark.parametrize("numbers", [{"frames": 3}, {"kind": "unet", "frames": 5}])
def test_a_network_of_several_frames_is_tested_with_several(tmp_path, make_network, make_card, numbers):
    save_model(tmp_path / "tiny", make_network(**numbers), make_card())
    test_input = np.load(tmp_path / "tiny" / "test_input.npy")
    assert test_input.shape == (numbers["frames"], 61, 67)
    assert load_model(tmp_path / "tiny").network.architecture.frames == numbers["frames"]
    np.save(tmp_path / "tiny" / "test_input.npy", test_input[:-1])
    with pytest.raises(ModelError, match="do not fit in shape"):
        load_model(tmp_path / "tiny")


def test_weights_that_are_not_finite_are_not_saved(tmp_path, make_network, make_card):
    network = make_network()
    torch.nn.init.constant_(network.last.bias, float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        save_model(tmp_path / "tiny", network, make_card())
    assert os.listdir(tmp_path) == []
