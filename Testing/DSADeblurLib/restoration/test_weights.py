"""The reader of weights against the safetensors package, and against damage."""

import json

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from DSADeblurLib.restoration.architecture import RDNArchitecture
from DSADeblurLib.restoration.build_network import build_network
from DSADeblurLib.restoration.weights import read_weights

SOUND = safetensors.numpy.save({"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float32)})


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__"),
        arrays.arrays(np.float32, arrays.array_shapes(min_dims=0, max_dims=4, max_side=4)),
        max_size=5,
    )
)
def test_reads_what_the_package_writes(tensors):
    found = read_weights(safetensors.numpy.save(tensors, metadata={"format": "pt"}))
    assert set(found) == set(tensors)
    for name, values in tensors.items():
        np.testing.assert_array_equal(found[name], values)


def test_network_survives():
    network = build_network(RDNArchitecture(features=4, growth=4, blocks=1, layers=1))
    found = read_weights(safetensors.torch.save(network.state_dict()))
    for name, value in network.state_dict().items():
        assert np.array_equal(found[name], value.numpy())


@settings(max_examples=300, deadline=None)
@given(position=st.integers(0, len(SOUND) - 1), value=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_changes_a_value(position, value):
    damaged = bytearray(SOUND)
    damaged[position] = value
    try:
        found = read_weights(bytes(damaged))
    except ValueError as error:
        assert "safetensors file" in str(error)
    else:
        # What is accepted has exactly the file's bytes in it; the hash of the package tells the rest.
        assert sum(array.size for array in found.values()) == 8


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_anything_else_is_refused(data):
    with pytest.raises(ValueError, match="safetensors file"):
        read_weights(data)


@pytest.mark.parametrize("length", [0, 4, 8, 20, len(SOUND) - 1])
def test_truncated(length):
    with pytest.raises(ValueError, match="safetensors file"):
        read_weights(SOUND[:length])


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1 << 60], "data_offsets": [0, 1 << 62]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        {"dtype": "F32", "shape": [1]},
        "text",
    ],
)
def test_false_headers(entry):
    header = json.dumps({"w": entry}).encode()
    with pytest.raises(ValueError, match="damaged"):
        read_weights(len(header).to_bytes(8, "little") + header + bytes(4))
