"""A pool of a few small regions that the tests of training share, and the devices they run on."""

import sys
from pathlib import Path

import pytest
import torch

from DSADeblurLib.lab.training.pool import Pool, PoolOptions

# What the processes of tests load too.
sys.path.insert(0, str(Path(__file__).parent))

SMALL_POOL = PoolOptions(regions=32, side=64, scenes=2, size=256)


@pytest.fixture(scope="session")
def small_pool(tmp_path_factory) -> Pool:
    pool = Pool(tmp_path_factory.mktemp("pool"), SMALL_POOL)
    pool.complete(show_progress=False)
    return pool


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request) -> str:
    """The processor, and a GPU where there is one."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("There is no GPU here.")
    return request.param


@pytest.fixture
def one_thread():
    """Sums over several threads may be added in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
