"""What a user may choose about one restoration, checked once at the door."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral, Real

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
ENGINES = ("auto", "torch", "openvino")
SMALLEST_TILE = 16
LARGEST_BLUR_PX = 32.0
DEFAULT_MODEL = "compact"


@dataclass(frozen=True)
class DeblurSettings:
    """Choices for one restoration.

    Attributes:
        device: `auto` takes the GPU when it works, else the CPU; `cuda` insists on the GPU.
        precision: of the convolutions; `auto` takes what is fast and safe on the device.
        tile: side of the square tiles in pixels, at least 16; None works on whole frames when they fit in memory.
        sharpness: from 0 to 1, the share of the network's sharpening that is taken, see `controls`.
        noise_reduction: from 0 to 1, the share that goes of what the network could not explain: noise, and with it
            what is as faint as noise, see `controls`. With both controls at 0 the frames stay as they are, with both
            at 1 they are the network's output.
        frames: first and last frame, counted from 1, both included; None for all.
        engine: what runs the network; `auto` takes the one that a short trial on this computer finds fastest.
            `openvino` is for the CPU and models that bring an export.
        blur_px: width of the blur to remove in rows and columns, in pixels, for models that are told it; None lets
            them estimate it from the frames.

    Raises:
        ValueError: one sentence, if a choice is not usable.
    """

    device: str = "auto"
    precision: str = "auto"
    tile: int | None = None
    sharpness: float = 1.0
    noise_reduction: float = 0.5
    frames: tuple[int, int] | None = None
    engine: str = "auto"
    blur_px: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ValueError(f"Device must be one of {', '.join(DEVICES)}, not {self.device!r}.")
        if self.precision not in PRECISIONS:
            raise ValueError(f"Precision must be one of {', '.join(PRECISIONS)}, not {self.precision!r}.")
        if self.engine not in ENGINES:
            raise ValueError(f"Engine must be one of {', '.join(ENGINES)}, not {self.engine!r}.")
        if self.tile is not None and (not _is_whole(self.tile) or self.tile < SMALLEST_TILE):
            raise ValueError(
                f"Tile must be empty for automatic or a whole number of at least {SMALLEST_TILE} pixels, "
                f"not {self.tile!r}."
            )
        for name in ("sharpness", "noise_reduction"):
            object.__setattr__(self, name, _share(name, getattr(self, name)))
        if self.frames is not None:
            object.__setattr__(self, "frames", _frame_range(self.frames))
        if self.blur_px is not None:
            object.__setattr__(self, "blur_px", _blur(self.blur_px))

    @property
    def changes_nothing(self) -> bool:
        """Whether the frames stay as they are, bit for bit."""
        return self.sharpness == 0 and self.noise_reduction == 0

    @property
    def needs_blur(self) -> bool:
        """Whether the run's own blur takes part: it cancels where both controls are the same."""
        return self.sharpness != self.noise_reduction

    def controls_in_words(self) -> str:
        """For a description: sharpness 1, noise reduction 0.5."""
        return f"sharpness {self.sharpness:g}, noise reduction {self.noise_reduction:g}"

    def told(self, header_px: tuple[float, float] | None) -> DeblurSettings:
        """These settings with the width of the blur by the header, where the user gave none."""
        if self.blur_px is not None or header_px is None:
            return self
        return replace(self, blur_px=tuple(min(width, LARGEST_BLUR_PX) for width in header_px))

    def as_dict(self) -> dict:
        """The choices as a JSON-able dictionary."""
        values = asdict(self)
        for name in ("frames", "blur_px"):
            values[name] = None if values[name] is None else list(values[name])
        return values

    @classmethod
    def from_dict(cls, values: Mapping) -> DeblurSettings:
        """Inverse of `as_dict`; what is missing takes its default. `strength` stands for both controls at once.

        Raises:
            ValueError: one sentence, if a name is unknown or a choice is not usable.
        """
        values = dict(values)
        strength = values.pop("strength", None)
        if strength is not None:
            if "sharpness" in values or "noise_reduction" in values:
                raise ValueError("Strength sets sharpness and noise reduction; give it, or these, not both.")
            values["sharpness"] = values["noise_reduction"] = _share("strength", strength)
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"Unknown setting {unknown[0]!r}.")
        return cls(**values)


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
        raise ValueError(f"{name.replace('_', ' ').capitalize()} must be a number from 0 to 1, not {value!r}.")
    return float(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _blur(widths: object) -> tuple[float, float]:
    try:
        rows, columns = (float(width) for width in widths)
    except (TypeError, ValueError):
        rows = columns = math.nan
    if not (0 <= rows <= LARGEST_BLUR_PX and 0 <= columns <= LARGEST_BLUR_PX):
        raise ValueError(
            f"The blur must be two widths in pixels from 0 to {LARGEST_BLUR_PX:g}, rows and columns, not {widths!r}."
        )
    return rows, columns


def _frame_range(frames: object) -> tuple[int, int]:
    try:
        first, last = frames
    except (TypeError, ValueError):
        first = last = None
    if not _is_whole(first) or not _is_whole(last) or not 1 <= first <= last < math.inf:
        raise ValueError(f"Frames must be a first and a last frame number with 1 <= first <= last, not {frames!r}.")
    return int(first), int(last)
