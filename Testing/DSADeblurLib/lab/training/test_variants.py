"""Variants of the study are what their names say."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from DSADeblurLib.lab.training.variants import (
    UnrolledNetwork,
    rectangle_blur,
    with_pooled_attention,
    without_attention,
    without_biases,
)
from DSADeblurLib.restoration.architecture import UNetArchitecture
from DSADeblurLib.restoration.build_network import build_network

SMALL = UNetArchitecture(features=8, growth=4, levels=1, attention_reduction=1)


def random_network():
    torch.manual_seed(0)
    network = build_network(SMALL).double()
    for name, parameter in network.named_parameters():
        if name.startswith("last"):
            torch.nn.init.normal_(parameter, std=0.1)
    return network


def test_without_biases_a_factor_passes_through():
    network = without_biases(random_network())
    x = torch.randn(1, 1, 32, 32, dtype=torch.double)
    with torch.no_grad():
        torch.testing.assert_close(network(3 * x), 3 * network(x))
        assert not torch.allclose(random_network()(3 * x), 3 * random_network()(x))


def test_a_pooled_gate_sees_the_whole_frame_and_a_local_one_does_not():
    x = torch.randn(1, 1, 256, 256, dtype=torch.double)
    elsewhere = x.clone()
    elsewhere[..., :64] += 1
    far = (..., slice(192, None))
    with torch.no_grad():
        for change, same in ((with_pooled_attention, False), (without_attention, True), (lambda n: n, True)):
            network = change(random_network()).double()
            assert torch.allclose(network(x)[far], network(elsewhere)[far], rtol=0, atol=1e-9) == same


@pytest.mark.parametrize(("rows", "columns"), [(3, 5), (7, 1), (1, 1)])
def test_rectangle_blur_is_a_running_mean(rows, columns):
    """The Fourier transform's rectangle rings at single pixels: on a band-limited frame it is scipy's running mean."""
    frame = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((64, 64)), 3, mode="mirror")
    blurred = rectangle_blur(torch.from_numpy(frame)[None, None], torch.tensor([[rows, columns]], dtype=torch.double))
    # A rectangle of n pixels and the sum of n samples differ by the curvature within a pixel.
    expected = ndimage.uniform_filter(frame, (rows, columns), mode="mirror")
    np.testing.assert_allclose(blurred[0, 0, 16:-16, 16:-16], expected[16:-16, 16:-16], atol=0.02 * frame.std())


def test_untrained_unrolled_steps_agree_better_with_what_was_seen():
    sharp = torch.zeros(1, 1, 64, 64)
    sharp[..., 28:36] = 1
    blur = torch.tensor([[4.0, 4.0]])
    estimated = rectangle_blur(sharp, blur)
    with torch.no_grad():
        output = UnrolledNetwork(SMALL)(estimated, torch.tensor([[4.0, 4.0, 0.2]]))
    left, before = ((rectangle_blur(frame, blur) - estimated).square().mean() for frame in (output, estimated))
    assert left < 0.8 * before
    assert (output - sharp).square().mean() < (estimated - sharp).square().mean()
