"""What the user says about a run where its header is silent, wrong or not there."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class UserFacts:
    """Values of the user, which override the header's; None leaves it to the header.

    `focal_spot_mm` is the nominal focal spot, `magnification` that of the vessels, `detector_spacing_mm` the side of a
    square pixel at the detector (Imager Pixel Spacing). `relationship` is the Pixel Intensity Relationship: LIN, LOG
    or DISP. `polarity` ('keep' or 'invert') decides about MONOCHROME1 and signed pixels, `frames_in_file` takes the
    count of frames that the file holds instead of a wrong Number of Frames, see `PixelChoices`; without them such
    files are refused.
    """

    focal_spot_mm: float | None = None
    magnification: float | None = None
    detector_spacing_mm: float | None = None
    relationship: str | None = None
    polarity: str | None = None
    frames_in_file: bool = False

    def as_dict(self) -> dict:
        """Return plain, JSON-able values: the keyword arguments of `read_header` and `read_run`."""
        return asdict(self)


NOTHING_SAID = UserFacts()
