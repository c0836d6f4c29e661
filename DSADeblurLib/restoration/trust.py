"""How far a result can be trusted: where it shows what the data do not say, and how much of it no data can say.

With x the frame, o the network's output and K the run's own blur, r = x - K o is all that o leaves unexplained. A line
of o that is not in the data leaves its negative in r; there the two are of opposite sign along the same direction. What
of o - K o lies beyond the first zero of a uniform spot's transfer function was not transmitted by it at all: there the
result is what the network has learned, whatever the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from DSADeblurLib.restoration.lines import filter_bank, half_size, local_noise, response_of, spectrum_of

# Times the median response of r to the line filters; see `lab.evaluation.trusted` for how many false lines are found.
UNEXPLAINED = 1.8
# A place: this many pixels at least, in the frame at half its size.
_SMALLEST = 12


@dataclass(frozen=True)
class Place:
    """A place that the data do not explain: frame from 1, row and column in pixels, and how many times the typical
    unexplained response it has."""

    frame: int
    row: int
    column: int
    strength: float


@dataclass(frozen=True)
class Trust:
    """What is known of a run's result.

    Attributes:
        places: the strongest first.
        unexplained: share of the pixels that lie at such places.
        beyond: share of what the result adds to the blurred frames, as variance, that the focal spot did not transmit.
    """

    places: tuple[Place, ...]
    unexplained: float
    beyond: float

    def in_words(self) -> str:
        """One sentence for the user."""
        prior = f"{100 * self.beyond:.0f} % of the sharpening is finer than what the focal spot lets through"
        if not self.places:
            return f"No line of the result contradicts the data; {prior}."
        first = self.places[0]
        frames = len({place.frame for place in self.places})
        return (
            f"At {len(self.places)} places in {frames} frames the result shows lines that the data do not explain, "
            f"most of all in frame {first.frame} at row {first.row}, column {first.column}; {prior}."
        )


def unexplained(frame: np.ndarray, blurred: np.ndarray) -> np.ndarray:
    """Where the network's output has lines that are not in the frame.

    Args:
        frame: (rows, columns) float32, in values in which absorbers add up.
        blurred: K o of the network's output o, see `controls.reblurred`.

    Returns:
        (rows, columns) float32, 0 where r agrees with the line that o has, else the response of r in medians; what is
        above UNEXPLAINED counts.
    """
    rest, claimed = half_size(frame - blurred), half_size(blurred)
    spectra = spectrum_of(rest), spectrum_of(claimed)
    strongest, line = np.zeros_like(rest), np.zeros_like(rest)
    for one in filter_bank(rest.shape):
        of_rest, of_claim = (response_of(spectrum, one, rest.shape) for spectrum in spectra)
        stronger = np.abs(of_rest) > np.abs(strongest)
        strongest[stronger], line[stronger] = of_rest[stronger], of_claim[stronger]
    response = np.abs(strongest) / local_noise(rest)
    typical = float(np.median(response[response > 0])) if response.any() else 1.0
    response = np.where(strongest * line < 0, response / typical, 0).astype(np.float32)
    rows, columns = frame.shape
    return response.repeat(2, axis=0).repeat(2, axis=1)[:rows, :columns]


def places_of(response: np.ndarray, number: int) -> list[Place]:
    """The places of frame `number` that are not explained, from its map by `unexplained`."""
    half = response[::2, ::2]
    labels, count = ndimage.label(half > UNEXPLAINED, np.ones((3, 3)))
    sizes = ndimage.sum_labels(np.ones_like(half), labels, np.arange(1, count + 1))
    found = []
    for label in np.flatnonzero(sizes >= _SMALLEST) + 1:
        row, column = ndimage.maximum_position(half, labels, label)
        found.append(Place(number, 2 * int(row), 2 * int(column), round(float(half[row, column]), 2)))
    return found


def beyond_limit(added: np.ndarray, blur_px: tuple[float, float]) -> tuple[np.ndarray, float]:
    """What of o - K o no uniform spot of this width lets through, and its share of the variance.

    Args:
        added: (rows, columns) float32, o - K o.
        blur_px: width in pixels along rows and columns.

    Returns:
        The part (rows, columns) float32, and its share from 0 to 1.
    """
    rows, columns = (np.abs(one) for one in (fft.fftfreq(added.shape[0])[:, None], fft.rfftfreq(added.shape[1])[None]))
    # The first zero of sin(pi f w) / (pi f w).
    outside = (rows * blur_px[0] > 1) | (columns * blur_px[1] > 1)
    part = fft.irfft2(fft.rfft2(added - added.mean()) * outside, s=added.shape)
    whole = float(np.var(added, dtype=np.float64))
    return part.astype(np.float32), float(np.mean(part**2, dtype=np.float64)) / whole if whole > 0 else 0.0


def trust_of(places: Sequence[Place], unexplained_share: float, beyond: Sequence[float]) -> Trust:
    """The trust in a run from what was found in its frames."""
    ordered = tuple(sorted(places, key=lambda place: -place.strength))
    return Trust(ordered, unexplained_share, float(np.mean(beyond)) if len(beyond) else 0.0)
