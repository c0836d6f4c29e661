"""What a user may choose, as one tree: shell, panel, worker, manifest and the words of provenance are made from it.

A new choice is a field here, its use, and a widget where it is shown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from DSADeblurLib.options import (
    Choices,
    Flag,
    FrameNumbers,
    FrameRange,
    Number,
    OneOf,
    Option,
    RequestError,
    Shift,
    SomeOf,
    Text,
    WholeNumber,
    WordOrWidths,
    choice,
    in_words,
)

__all__ = ["DeblurRequest", "DeblurSettings", "RequestError", "ResultOptions", "SubtractionOptions", "UserFacts"]

DEFAULT_MODEL = "compact"
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
ENGINES = ("auto", "torch", "openvino")
SMALLEST_TILE = 16
BLURS = ("auto", "header", "frames")
LARGEST_BLUR_PX = 32.0
SUBTRACTION_MODES = ("auto", "always", "find", "never")
REGISTRATIONS = ("none", "shift", "deformation")
# The first is the default: `python -m DSADeblurLib.lab.evaluation.order` measures both.
ORDERS = ("subtract-first", "deblur-first")
RELATIONSHIPS = ("LIN", "LOG", "DISP")
POLARITIES = ("keep", "invert")
CONTENTS = ("native", "subtracted")
COMPRESSIONS = ("none", "jpeg-ls", "jpeg-2000", "rle")
PICTURES = ("png", "gif", "mp4")
# What stands in place of .dcm in the name of the picture with the places that the data do not explain.
MARKED = ".trust.png"
MAX_FOCAL_SPOT_MM = 3.0
MAGNIFICATION_RANGE = (1.0, 2.5)
SPACING_RANGE_MM = (0.05, 0.6)

# Those of `DeblurSettings` that say how much of the network's output is taken.
CONTROLS = ("sharpness", "noise_reduction", "uniform_noise_reduction")


@dataclass(frozen=True)
class DeblurSettings(Choices):
    """How frames are restored.

    Raises:
        RequestError: one sentence, if a choice is not usable.
    """

    device: str = choice(
        "auto", OneOf("auto takes the GPU when it works, else the CPU; cuda insists on the GPU", choices=DEVICES)
    )
    precision: str = choice(
        "auto", OneOf("of the convolutions; auto takes what is fast and safe on the device", choices=PRECISIONS)
    )
    engine: str = choice(
        "auto",
        OneOf(
            "what runs the network; auto takes the fastest in a short trial, and so may differ from call to call",
            choices=ENGINES,
        ),
    )
    tile: int | None = choice(
        None,
        WholeNumber(
            "side of the square tiles in pixels, or auto",
            optional=True,
            minimum=SMALLEST_TILE,
            maximum=16384,
            unit="pixels",
        ),
    )
    sharpness: float = choice(
        1.0, Number("0 to 1: how much of the sharpening is taken", metavar="S", maximum=1, provenance="always")
    )
    noise_reduction: float = choice(
        0.5,
        Number(
            "0 to 1: how much goes of what the network could not explain, noise and what is as faint as it",
            metavar="N",
            maximum=1,
            provenance="always",
        ),
    )
    uniform_noise_reduction: bool = choice(
        False,
        Flag("reduce the noise of vessels and wires too, and faint ones with it", provenance="changed"),
    )
    frame_range: tuple[int, int] | None = choice(
        None, FrameRange("first and last frame, for instance 1-20", flag="frames", metavar="FIRST-LAST", optional=True)
    )
    blur: str | tuple[float, float] = choice(
        "auto",
        WordOrWidths(
            "width of the blur in rows and columns: by the header and without one by the frames, by the header alone, "
            "by the frames alone, or as given",
            metavar="auto|header|frames|PX[,PX]",
            choices=BLURS,
            limit=LARGEST_BLUR_PX,
            provenance="changed",
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.engine == "openvino" and self.device == "cuda":
            raise RequestError("OpenVINO runs on the CPU here; choose the device cpu, or the engine torch.", "device")

    @property
    def blur_px(self) -> tuple[float, float] | None:
        """Width of the blur in rows and columns as it was given, in pixels; None leaves it to header or frames."""
        return None if isinstance(self.blur, str) else self.blur

    @property
    def changes_nothing(self) -> bool:
        """Whether the frames stay as they are, bit for bit."""
        return self.sharpness == 0 and self.noise_reduction == 0

    @property
    def needs_blur(self) -> bool:
        """Whether the run's own blur takes part: it cancels where both controls are the same everywhere."""
        return self.sharpness != self.noise_reduction or self.spares_lines

    @property
    def spares_lines(self) -> bool:
        """Whether noise is reduced, and less where the frame shows lines."""
        return self.noise_reduction > 0 and not self.uniform_noise_reduction


@dataclass(frozen=True)
class SubtractionOptions(Choices):
    """Whether and how a mask is subtracted, see `xa.plan_subtraction`; `mask_frames` imply subtraction."""

    subtract: str = choice(
        "auto",
        OneOf(
            "auto: as the header says; always: insist; find: look for a mask in frames without contrast agent",
            choices=SUBTRACTION_MODES,
        ),
    )
    mask_frames: tuple[int, ...] | None = choice(
        None,
        FrameNumbers("mask frames instead of the header's, such as 1-3,5", flag="mask", metavar="LIST", optional=True),
    )
    mask_shift: tuple[float, float] | None = choice(
        None,
        Shift(
            "of the mask in pixels instead of the header's; positive is down and to the left (--shift=-1.5,2)",
            flag="shift",
            metavar="ROWS,COLUMNS",
            optional=True,
            limit=10_000,
        ),
    )
    flip_shift: bool = choice(False, Flag("take the header's shift with the other signs"))
    registration: str = choice("none", OneOf("move the mask onto each frame as the pixels show", choices=REGISTRATIONS))
    order: str = choice(
        ORDERS[0], OneOf("whether the difference is deblurred or its two parts", choices=ORDERS, provenance="changed")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.subtract == "never" and (asking := self.of_a_subtraction()):
            text = f"{in_words(asking[0])} asks for a subtraction, which 'never' forbids; choose one."
            raise RequestError(text, "subtract")
        if self.subtract == "find" and self.mask_frames is not None:
            text = "Mask frames were given, so none is looked for; leave out 'find', or them."
            raise RequestError(text, "mask_frames")
        if self.flip_shift and self.mask_shift is not None:
            text = "A shift of the mask takes the place of the header's, which cannot be flipped too."
            raise RequestError(text, "flip_shift")

    def of_a_subtraction(self) -> list[str]:
        """Names of the choices that were made and mean nothing without a subtraction."""
        names = ("mask_frames", "mask_shift", "flip_shift", "registration", "order")
        return [name for name in names if getattr(self, name) != getattr(type(self), name)]


@dataclass(frozen=True)
class UserFacts(Choices):
    """What the user says of a run where its header is silent, wrong or not there; None leaves it to the header.

    `focal_spot_mm` is the nominal focal spot, `magnification` that of the vessels, `detector_spacing_mm` the side of a
    square pixel at the detector (Imager Pixel Spacing), `relationship` the Pixel Intensity Relationship, `content`
    whether the device subtracted already. `polarity`, `frames_in_file` and `new_uids`: without them files that
    need them are refused.
    """

    focal_spot_mm: float | None = choice(
        None,
        Number(
            "nominal focal spot, where the header has none",
            flag="focal-spot",
            metavar="MM",
            optional=True,
            maximum=MAX_FOCAL_SPOT_MM,
            unit="mm",
            above=True,
        ),
    )
    magnification: float | None = choice(
        None,
        Number(
            "of the vessels, where the header has none",
            metavar="M",
            optional=True,
            minimum=MAGNIFICATION_RANGE[0],
            maximum=MAGNIFICATION_RANGE[1],
            above=True,
        ),
    )
    detector_spacing_mm: float | None = choice(
        None,
        Number(
            "pixel at the detector, where the header has none",
            flag="detector-spacing",
            metavar="MM",
            optional=True,
            minimum=SPACING_RANGE_MM[0],
            maximum=SPACING_RANGE_MM[1],
            unit="mm",
            above=True,
        ),
    )
    relationship: str | None = choice(
        None,
        OneOf(
            "what pixel values mean (Pixel Intensity Relationship), where the header does not say",
            optional=True,
            choices=RELATIONSHIPS,
        ),
    )
    polarity: str | None = choice(
        None,
        OneOf(
            "of MONOCHROME1, signed pixels, sign -1: keep values that rise with the X-rays, invert those that fall",
            optional=True,
            choices=POLARITIES,
        ),
    )
    content: str | None = choice(
        None,
        OneOf(
            "what the frames are, where the header is wrong or silent: native, or subtracted by the device",
            optional=True,
            choices=CONTENTS,
            own_flags=True,
            provenance="changed",
        ),
    )
    frames_in_file: bool = choice(False, Flag("where the file holds another number of frames than it says"))
    new_uids: bool = choice(
        False, Flag("for results, where those of the file are missing or not legal; the same for the same old ones")
    )

    @property
    def say_geometry(self) -> bool:
        """Whether anything of the acquisition geometry is said."""
        return not (self.focal_spot_mm is self.magnification is self.detector_spacing_mm is None)


@dataclass(frozen=True)
class ResultOptions(Choices):
    """How the result is written, and what is looked at; `pictures` are original and deblurred side by side."""

    compression: str = choice("none", OneOf("of the results, without loss", choices=COMPRESSIONS))
    pictures: tuple[str, ...] = choice(
        (),
        SomeOf(
            f"original and deblurred side by side: {', '.join(PICTURES)}",
            metavar="LIST",
            in_panel=False,
            choices=PICTURES,
        ),
    )
    trust: bool = choice(
        False,
        Flag(
            "tell where the result shows lines that the data do not explain, and mark them in a picture", in_panel=False
        ),
    )


@dataclass(frozen=True)
class DeblurRequest(Choices):
    """All choices for the deblurring of a run.

    Raises:
        RequestError: one sentence, if a choice is not usable, or two contradict each other.
    """

    model: str = choice(DEFAULT_MODEL, Text("name of a bundled model or folder of a model package"))
    restoration: DeblurSettings = field(default=DeblurSettings(), metadata={"title": "restoration"})
    subtraction: SubtractionOptions = field(default=SubtractionOptions(), metadata={"title": "subtraction"})
    facts: UserFacts = field(default=UserFacts(), metadata={"title": "what the header lacks"})
    result: ResultOptions = field(default=ResultOptions(), metadata={"title": "results"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.restoration.blur == "frames" and self.facts.focal_spot_mm is not None:
            text = "A blur by the frames alone takes no notice of a focal spot; leave one of the two out."
            raise RequestError(text, "blur")
        insists = self.subtraction.subtract in ("always", "find") or self.subtraction.mask_frames is not None
        if self.facts.content == "subtracted" and insists:
            text = "Frames that were subtracted already are not subtracted again; choose one of the two."
            raise RequestError(text, "content")
        if self.result.trust and (self.subtraction.order != ORDERS[0] or self.restoration.changes_nothing):
            raise RequestError("What is to be trusted is told of frames that are changed, and subtracted before that.")

    @classmethod
    def options(cls) -> Iterator[tuple[str, Option]]:
        yield from ((one.name, one.metadata["option"]) for one in dataclasses.fields(cls) if "option" in one.metadata)

    @classmethod
    def groups(cls) -> Iterator[tuple[str, str, type[Choices]]]:
        """Name, title and class of each group of choices."""
        for one in dataclasses.fields(cls):
            if isinstance(one.default, Choices):
                yield one.name, one.metadata["title"], type(one.default)

    @classmethod
    def every_option(cls) -> dict[str, Option]:
        """All choices by name, which is their own in the whole tree."""
        return dict([*cls.options(), *(option for _, _, group in cls.groups() for option in group.options())])

    @classmethod
    def of(cls, /, **values: Any) -> DeblurRequest:
        """A request from choices by name, wherever in the tree; `strength` stands for both controls at once.

        Raises:
            RequestError: one sentence, as for the class, or if there is no choice of that name.
        """
        values = dict(values)
        if (strength := values.pop("strength", None)) is not None:
            if "sharpness" in values or "noise_reduction" in values:
                raise RequestError("Strength sets sharpness and noise reduction; give it, or these, not both.")
            strength = Number("", maximum=1).checked("strength", strength)
            values["sharpness"] = values["noise_reduction"] = strength
        parts: dict[str, Any] = {name: values.pop(name) for name, _ in cls.options() if name in values}
        for name, _, group in cls.groups():
            parts[name] = group(**{one: values.pop(one) for one, _ in group.options() if one in values})
        if values:
            raise RequestError(f"There is no choice {next(iter(values))!r}.")
        return cls(**parts)

    @classmethod
    def from_dict(cls, values: Mapping) -> DeblurRequest:
        """Inverse of `as_dict`; what is missing takes its default. Raises RequestError."""
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            raise RequestError("The choices must be values by name.")
        return cls.of(**values)

    def as_dict(self) -> dict[str, Any]:
        """All choices by name, of JSON's types."""
        parts = [self, *(getattr(self, name) for name, _, _ in self.groups())]
        values = {name: getattr(part, name) for part in parts for name, _ in part.options()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def with_choices(self, /, **values: Any) -> DeblurRequest:
        """This request with other choices by name. Raises RequestError."""
        return self.from_dict({**self.as_dict(), **values})

    def in_words(self) -> str:
        """The choices that a derived object names: sharpness 1, noise reduction 0.5."""
        default, asked = type(self)().as_dict(), self.as_dict()
        return ", ".join(
            f"{in_words(name).lower()} {option.text(asked[name])}"
            for name, option in self.every_option().items()
            if option.provenance == "always" or (option.provenance == "changed" and asked[name] != default[name])
        )
