"""What was used for a result: the same in manifest, panel, table of the shell and derived object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Used:
    """What was used for a result, to be read beside what was asked.

    Attributes:
        software: version of DSADeblur.
        model, model_sha256: name of the model's card, hash of its weights.
        device, engine, precision, tile: where and how the network ran; the tile is None for whole frames.
        blur_px: width of the blur in rows and columns, in pixels, that network and controls took; None where neither
            needed one.
        blur_source: where that width came from: 'given', 'geometry' (focal spot and magnification of header or user),
            'frames', or two of these; '' without a width.
        mask_frames: numbers of the frames that were subtracted, from 1; none where nothing was.
        frame_numbers: of the frames of the result, in the run, from 1.
        seconds: that the restoration took.
        trust: how far the result can be trusted, as `restoration.trust.Trust.as_dict`; None where that was not asked.
    """

    software: str
    model: str
    model_sha256: str
    device: str
    engine: str
    precision: str
    tile: int | None
    blur_px: tuple[float, float] | None
    blur_source: str
    mask_frames: tuple[int, ...]
    frame_numbers: tuple[int, ...]
    seconds: float
    trust: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Values of JSON's types by name."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping) -> Used:
        """Inverse of `as_dict`. Raises TypeError or KeyError on anything else."""
        lists = {name: tuple(values[name]) for name in ("mask_frames", "frame_numbers")}
        blur_px = None if values["blur_px"] is None else tuple(values["blur_px"])
        known = {one.name: values[one.name] for one in fields(cls) if one.name != "trust"}
        return cls(**{**known, **lists, "blur_px": blur_px, "trust": values.get("trust")})

    def summary(self) -> str:
        """For a table or a status line: as `in_words`, and the mask frames."""
        return f"{self.in_words()}, mask frames {listed(self.mask_frames)}" if self.mask_frames else self.in_words()

    def in_words(self) -> str:
        """For a description: float32 on cpu by torch, blur 3.1 x 3.0 px (geometry)."""
        words = f"{self.precision} on {self.device} by {self.engine}"
        if self.blur_px is not None:
            rows, columns = self.blur_px
            words += f", blur {rows:.1f} x {columns:.1f} px ({self.blur_source})"
        if self.trust is not None:
            words += f", {self.trust['count']} places not explained by the data"
        return words


def listed(numbers: Sequence[int]) -> str:
    """Frame numbers as short as they can be read, at most twenty of them: 1,2 or 4-90."""
    if len(numbers) > 2 and tuple(numbers) == tuple(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers[:20])) + (",..." if len(numbers) > 20 else "")
