"""What the estimator sees is compared with the truth for every range of blur and noise."""

import numpy as np
import pytest

from DSADeblurLib.lab.simulation.pairs import KINDS
from DSADeblurLib.lab.simulation.sets import NOISE
from DSADeblurLib.lab.training.estimation_error import Widths, measure_widths, table
from DSADeblurLib.lab.training.validation import BLURS_PX
from DSADeblurLib.restoration.blur_condition import SMALLEST_PX


@pytest.mark.slow
def test_every_range_and_noise_is_looked_at(modulated_model):
    found = measure_widths(modulated_model, scenes=1, size=96)
    assert len(found) == len(BLURS_PX) * len(KINDS) * len(NOISE)
    assert all(len(f.true) == len(f.header) == len(f.estimated) == len(f.combined) == 2 for f in found)
    assert {f.blur for f in found} == set(BLURS_PX) and {f.noise for f in found} == set(NOISE)


def test_errors_are_those_of_logarithms():
    wide, narrow = (np.full(2, width) for width in (4.0, 4.0 * np.e**0.3 + SMALLEST_PX * (np.e**0.3 - 1)))
    line = table([Widths((2.0, 4.0), "quiet", wide, wide, narrow, 0.25, wide)]).splitlines()[-1]
    header, estimated, claimed, combined, bias, _ = (float(cell) for cell in line.split("|")[2:-1])
    assert (header, claimed, combined) == (0, 0.25, 0) and estimated == bias == pytest.approx(0.3)
