"""The estimator takes frames of any size, sees no offset, and treats rows and columns alike."""

import pytest
import torch

from DSADeblurLib.restoration.blur_condition import CONDITION_SIZE, CONDITION_SPREADS
from DSADeblurLib.restoration.estimator import BlurEstimator


@pytest.fixture(scope="module")
def estimator():
    torch.manual_seed(0)
    return BlurEstimator().eval().requires_grad_(False)


@pytest.mark.parametrize("shape", [(16, 16), (61, 67), (128, 48)])
def test_any_size_gives_what_a_network_is_told(estimator, shape):
    blur_condition = estimator(torch.randn(3, 1, *shape))
    assert (
        blur_condition.shape == (3, CONDITION_SIZE)
        and (blur_condition >= 0).all()
        and torch.isfinite(blur_condition).all()
    )
    assert (blur_condition[:, 2] >= CONDITION_SPREADS[0]).all() and (blur_condition[:, 2] <= CONDITION_SPREADS[1]).all()


def test_a_transposed_frame_has_rows_and_columns_swapped(estimator):
    frames = torch.randn(2, 1, 48, 64)
    torch.testing.assert_close(estimator(frames.mT), estimator(frames)[:, [1, 0, 2]])


def test_an_offset_is_not_seen(estimator):
    frames = torch.randn(2, 1, 64, 64)
    torch.testing.assert_close(estimator(frames + 5), estimator(frames), atol=1e-4, rtol=1e-3)
