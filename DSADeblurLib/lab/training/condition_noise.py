"""Blur conditions for training, as wrong as frames and headers will have them.

A network that has only met true ones would believe everything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from DSADeblurLib.request import LARGEST_BLUR_PX
from DSADeblurLib.restoration.blur_condition import CONDITION_SPREADS, HEADER_SPREAD, WRONG, combine_header_and_estimate

# By chance widths are wrong by a factor and by an error in pixels.
ERROR_PX = 0.2
CHANCE, ESTIMATED, HEADER = range(3)


@dataclass(frozen=True)
class ConditionNoise:
    """What chance decides of a batch of B.

    Attributes:
        spreads, factors, errors_px: (B, 1), (B, 2), (B, 2) how wrong a condition by chance is: mean error of the
            logarithms of its widths, factors, and errors in pixels.
        sources: (B,) CHANCE, ESTIMATED for an estimate alone, or HEADER for an estimate and a header together.
        headers: (B,) factors by which the headers are wrong.
    """

    spreads: np.ndarray
    factors: np.ndarray
    errors_px: np.ndarray
    sources: np.ndarray
    headers: np.ndarray

    @staticmethod
    def draw(rng: np.random.Generator, batch: int, estimated: bool) -> ConditionNoise:
        """The noise of a batch.

        Args:
            rng: decides everything.
            batch: B.
            estimated: whether there are estimates; without, every condition is one by chance.
        """
        spreads = np.exp(rng.uniform(*np.log(CONDITION_SPREADS), (batch, 1)))
        factors, errors_px = np.exp(rng.laplace(0, spreads, (batch, 2))), rng.normal(0, ERROR_PX, (batch, 2))
        if not estimated:
            return ConditionNoise(spreads, factors, errors_px, np.full(batch, CHANCE), np.ones(batch))
        wrong = np.where(rng.random(batch) < WRONG, rng.choice((0.5, 2.0), batch), 1.0)
        headers = wrong * np.exp(rng.laplace(0, HEADER_SPREAD, batch))
        return ConditionNoise(spreads, factors, errors_px, rng.integers(0, 3, batch), headers)

    def blur_condition(self, share: slice, blur_px: np.ndarray, estimated: np.ndarray | None) -> np.ndarray:
        """The blur conditions of a share of the batch.

        Args:
            share: of the batch, b of B.
            blur_px: (b, 2) the true widths there, in pixels.
            estimated: (b, CONDITION_SIZE) the estimates there; None if every condition is one by chance.

        Returns:
            (b, CONDITION_SIZE) float32, see `network.Modulation`.
        """
        widths = np.minimum(np.hypot(blur_px * self.factors[share], self.errors_px[share]), LARGEST_BLUR_PX)
        blur_condition = np.concatenate((widths, self.spreads[share]), axis=1, dtype=np.float32)
        for place, (source, header) in enumerate(zip(self.sources[share], self.headers[share], strict=True)):
            if source == ESTIMATED:
                blur_condition[place] = combine_header_and_estimate(estimated[place], None)
            elif source == HEADER:
                # One nominal value stands for the spot's width and its length.
                nominal = header * float(np.sqrt(np.prod(blur_px[place])))
                blur_condition[place] = combine_header_and_estimate(estimated[place], (nominal, nominal))
        return blur_condition
