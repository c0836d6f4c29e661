"""Tiles fit into the memory that is free."""

import pytest

from DSADeblurLib.restoration.architecture import RDNArchitecture
from DSADeblurLib.restoration.engine import automatic_tile, bytes_per_pixel, free_memory_budget


@pytest.mark.parametrize(("free", "budget"), [(2**30, 2**29), (2**40, 2**32), (None, 768 * 2**20)])
def test_a_tile_may_take_half_of_what_is_free(free, budget):
    assert free_memory_budget(lambda: free) == budget


def test_the_automatic_tile_fits_the_budget():
    architecture, halo = RDNArchitecture(), 43
    cost = bytes_per_pixel(architecture, "float32")
    assert automatic_tile((1024, 1024), architecture, "float32", 1024**2 * cost, halo) is None
    assert automatic_tile((4096, 4096), architecture, "float32", 1024**2 * cost, halo) == 832  # five by five
    for side in range(1088, 5000, 64):
        tile = automatic_tile((side, 1024), architecture, "float32", 1024**2 * cost, halo)
        assert tile % 64 == 0 and (tile + 2 * halo) ** 2 <= 1024**2
    assert automatic_tile((4096, 4096), architecture, "float32", 1, halo) == 64
    assert bytes_per_pixel(architecture, "float16") < cost
