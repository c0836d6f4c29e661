"""A pool of a few small regions that the tests of training share."""

import pytest
import torch

from DSADeblurLib.training.pool import Pool, PoolOptions

SMALL_POOL = PoolOptions(regions=32, side=64, scenes=2, size=256)


@pytest.fixture(scope="session")
def small_pool(tmp_path_factory) -> Pool:
    pool = Pool(tmp_path_factory.mktemp("pool"), SMALL_POOL)
    pool.complete(show_progress=False)
    return pool


@pytest.fixture
def one_thread():
    """Sums over several threads may be added in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
