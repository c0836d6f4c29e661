"""Architectures survive their dictionaries, and unusable numbers are refused in one sentence."""

import pytest

from DSADeblurLib.restoration.architecture import Architecture, RDNArchitecture, UNetArchitecture


@pytest.mark.parametrize(
    "architecture",
    [
        RDNArchitecture(features=12, growth=6, blocks=3, layers=2, factor=4, global_skip=False),
        UNetArchitecture(features=16, growth=8, blocks=2, levels=3, frames=5),
    ],
)
def test_architecture_survives_its_dictionary(architecture):
    assert Architecture.from_dict(architecture.as_dict()) == architecture


def test_a_card_without_newer_entries_is_read():
    assert Architecture.from_dict({"features": 8, "growth": 4}) == RDNArchitecture(features=8, growth=4)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "transformer"}, "Unknown network architecture 'transformer'"),
        ({"kind": ["rdn"]}, "Unknown network architecture"),
        ({"factor": 3}, "factor must be 1, 2 or 4"),
        ({"frames": 2}, "frames must be odd"),
        ({"blocks": 0}, "blocks must be a whole number"),
        ({"features": 10**6}, "features must be a whole number"),
        ({"layers": 2.0}, "layers must be a whole number"),
        ({"kind": "unet", "levels": 9}, "levels must be a whole number"),
        ({"features": 2}, "must not exceed"),
        ({"global_skip": 1}, "global_skip must be true or false"),
        ({"width": 3}, "Unknown architecture entry 'width'"),
        ({"kind": "unet", "layers": 3}, "Unknown architecture entry 'layers'"),
        ([], "must be a table"),
    ],
)
def test_unusable_architectures_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        Architecture.from_dict(values)


def test_a_unet_halves_the_unshuffled_frame():
    architecture = UNetArchitecture(factor=2, levels=2, features=16, growth=8)
    assert architecture.multiple == 8
    assert architecture.widths == (16, 24, 32)
