"""How far a result can be trusted: where it shows what the data do not say, and how much of it no data can say.

With x the frame, o the network's output and K the run's own blur, r = x - K o is all that o leaves unexplained. A line
of o that is not in the data leaves its negative in r; there the two are of opposite sign along the same direction. What
of o - K o lies beyond the first zero of a uniform spot's transfer function was not transmitted by it at all: there the
result is what the network has learned, whatever the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy import fft, ndimage

from DSADeblurLib.restoration.lines import filter_bank, half_size, local_noise, response_of, spectrum_of
from DSADeblurLib.restoration.normalisation import to_working

# Times the median response of r to the line filters; see `lab.evaluation.trusted` for how many false lines are found.
UNEXPLAINED = 1.4
# Of a line of o: what r contradicts less of it is that K is not quite the blur, everywhere along a strong vessel.
_PART = 0.4
# A place: this many pixels at least, in the frame at half its size.
_SMALLEST = 12
# That are listed.
_MOST = 100


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

    def as_dict(self) -> dict:
        """Values of JSON's types by name, the sentence among them, and no more places than anybody looks at."""
        places = [asdict(place) for place in self.places[:_MOST]]
        return {**asdict(self), "places": places, "count": len(self.places), "sentence": self.in_words()}

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
    contradicted = (strongest * line < 0) & (np.abs(strongest) > _PART * np.abs(line))
    response = np.where(contradicted, response / typical, 0).astype(np.float32)
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


def beyond_limit(power: np.ndarray, columns: int, blur_px: tuple[float, float]) -> float:
    """The share of a power spectrum that no uniform spot of this width lets through.

    Args:
        power: (rows, columns // 2 + 1), squared magnitudes of `scipy.fft.rfft2`, without the mean.
        columns: of the frame.
        blur_px: width in pixels along rows and columns.

    Returns:
        From 0 to 1.
    """
    rows, across = np.abs(fft.fftfreq(len(power))[:, None]), fft.rfftfreq(columns)[None]
    # All frequencies but the first and the last stand for themselves and for their negatives.
    counts = np.where((across == 0) | (across == 0.5), 1.0, 2.0) * power
    # The first zero of sin(pi f w) / (pi f w).
    outside = (rows * blur_px[0] > 1) | (across * blur_px[1] > 1)
    whole = float(counts.sum())
    return float(counts[outside].sum()) / whole if whole > 0 else 0.0


class TrustWatch:
    """Looks at each frame while it is restored, as the `keep` of `restoration.deblur.deblur`.

    Args:
        relationship: of the frames' values, see there.
    """

    def __init__(self, relationship: str | None) -> None:
        self._relationship = relationship
        self._places: list[Place] = []
        self._flagged, self._pixels = 0, 0
        self._power: np.ndarray | None = None
        self._columns = 0

    def __call__(
        self, position: int, frame: np.ndarray, restored: np.ndarray, blurred: np.ndarray, mask: np.ndarray
    ) -> np.ndarray:
        """Return where the frame shows what is not explained: bool (rows, columns)."""
        response = unexplained(to_working(frame, self._relationship), blurred)
        self._places += places_of(response, position + 1)
        flagged = response > UNEXPLAINED
        self._flagged += int(flagged.sum())
        self._pixels += response.size
        added = restored - blurred
        power = np.abs(fft.rfft2(added - added.mean())) ** 2
        self._power = power if self._power is None else self._power + power
        self._columns = frame.shape[1]
        return flagged

    def trust(self, frame_numbers: Sequence[int], blur_px: tuple[float, float] | None) -> Trust:
        """What was found, once all frames are done.

        Args:
            frame_numbers: of the frames in the run, from 1.
            blur_px: of `restoration.deblur.DeblurResult`.
        """
        places = [replace(place, frame=int(frame_numbers[place.frame - 1])) for place in self._places]
        share = self._flagged / self._pixels if self._pixels else 0.0
        beyond = 0.0
        if self._power is not None and blur_px is not None:
            beyond = beyond_limit(self._power, self._columns, blur_px)
        return Trust(tuple(sorted(places, key=lambda place: -place.strength)), share, beyond)
