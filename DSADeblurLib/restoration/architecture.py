"""Numbers that describe a network's architecture; a model card stores them and a network is rebuilt from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import ClassVar

# Networks take no side of a frame that is shorter, in pixels.
SMALLEST_SIDE = 16
# Bounds keep a damaged card from asking for a network that no computer holds.
_LARGEST = {
    "features": 512,
    "growth": 256,
    "blocks": 64,
    "layers": 32,
    "levels": 3,
    "factor": 4,
    "frames": 9,
    "attention_reduction": 512,
}


@dataclass(frozen=True)
class Architecture:
    """What every network has; `RDNArchitecture` and `UNetArchitecture` say the rest.

    Attributes:
        features: channels between the blocks.
        blocks: number of blocks.
        factor: the network works on the pixel-unshuffled frame, this many times smaller (1, 2 or 4).
        frames: odd number of successive frames that go in; the middle one comes out restored.
        attention_reduction: the attention squeezes `features` channels by this number; 0 for no attention.
        global_skip: the network predicts the difference to its input.

    Raises:
        ValueError: one sentence, if a number is not usable.
    """

    kind: ClassVar[str] = ""

    features: int = 32
    blocks: int = 4
    factor: int = 2
    frames: int = 1
    attention_reduction: int = 4
    global_skip: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            value, largest = getattr(self, field.name), _LARGEST.get(field.name)
            if largest is None:
                continue
            least = 0 if field.name == "attention_reduction" else 1
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= largest:
                raise ValueError(
                    f"Architecture number {field.name} must be a whole number from {least} to {largest}, not {value!r}."
                )
        if self.factor not in (1, 2, 4):
            raise ValueError(f"Architecture number factor must be 1, 2 or 4, not {self.factor}.")
        if self.frames % 2 == 0:
            raise ValueError(f"Architecture number frames must be odd, not {self.frames}.")
        if self.attention_reduction > self.features:
            raise ValueError(
                f"Architecture number attention_reduction ({self.attention_reduction}) must not exceed "
                f"features ({self.features})."
            )
        if not isinstance(self.global_skip, bool):
            raise ValueError(f"Architecture flag global_skip must be true or false, not {self.global_skip!r}.")
        if not isinstance(self.modulated, bool):
            raise ValueError(f"Architecture flag modulated must be true or false, not {self.modulated!r}.")

    @property
    def modulated(self) -> bool:
        """Whether the network takes the width of the blur as a condition."""
        return False

    @property
    def multiple(self) -> int:
        """Sides of a frame, and origins of tiles in it, must be multiples of this many pixels."""
        return self.factor

    @property
    def receptive_radius(self) -> int:
        """Largest distance in rows or columns from an output pixel to an input pixel that it depends on."""
        raise NotImplementedError

    @property
    def channels_alive(self) -> float:
        """Channels that are held at once at the widest place, per pixel of the frame."""
        raise NotImplementedError

    @property
    def operations_per_pixel(self) -> float:
        """Multiplications and additions for one pixel of a frame, but for the blur condition and its estimator."""
        squeezed = max(1, self.features // self.attention_reduction) if self.attention_reduction else 0
        ends = 9 * (self.frames + 1) * self.factor**2 * self.features
        return 2 * (ends + 10 * self.features * squeezed + self._body_weights()) / self.factor**2

    def _body_weights(self) -> float:
        """Weights between the first and the last convolution, each counted as often as it is used a low-resolution
        pixel."""
        raise NotImplementedError

    def as_dict(self) -> dict:
        """Kind and numbers as a JSON-able dictionary."""
        return {"kind": self.kind, **asdict(self)}

    @staticmethod
    def from_dict(values: Mapping) -> Architecture:
        """Inverse of `as_dict`.

        Raises:
            ValueError: one sentence, if kind or a name is unknown or a number is not usable.
        """
        if not isinstance(values, Mapping):
            raise ValueError("The architecture must be a table of names and numbers.")
        numbers = dict(values)
        kind = numbers.pop("kind", RDNArchitecture.kind)
        if not isinstance(kind, str) or kind not in ARCHITECTURES:
            known = ", ".join(f"'{name}'" for name in ARCHITECTURES)
            raise ValueError(f"Unknown network architecture {kind!r}; this version knows {known}.")
        chosen = ARCHITECTURES[kind]
        unknown = sorted(set(numbers) - {field.name for field in fields(chosen)})
        if unknown:
            raise ValueError(f"Unknown architecture entry {unknown[0]!r}; use a newer version of DSADeblur.")
        return chosen(**numbers)


@dataclass(frozen=True)
class RDNArchitecture(Architecture):
    """Residual dense network.

    Attributes:
        growth: channels that every dense layer adds.
        layers: dense layers in a block.
    """

    kind: ClassVar[str] = "rdn"

    growth: int = 16
    layers: int = 4

    @property
    def receptive_radius(self) -> int:
        """The 3x3 convolutions in a row, two shallow, the dense layers, fusion, attention and last, are the radius
        in low-resolution pixels. A full-resolution pixel may lie at the far side of its low-resolution pixel."""
        low = 2 + self.blocks * self.layers + 2 + (self.attention_reduction > 0)
        return low * self.factor + self.factor - 1

    def _body_weights(self) -> float:
        dense = sum(9 * (self.features + layer * self.growth) * self.growth for layer in range(self.layers))
        fused = (self.features + self.layers * self.growth) * self.features
        return self.blocks * (dense + fused + self.features**2) + 2 * 9 * self.features**2

    @property
    def channels_alive(self) -> float:
        """The outputs of all blocks, twice while they are fused, or one block's dense layers twice."""
        dense = self.features + self.layers * self.growth
        return (self.blocks * self.features + 2 * max(self.blocks * self.features, dense)) / self.factor**2


@dataclass(frozen=True)
class UNetArchitecture(Architecture):
    """Residual U-Net with sums for skips.

    Attributes:
        blocks: residual blocks on each level on the way down and again on the way up, and at the bottom.
        growth: channels that every level has more than the one above.
        levels: how often the low-resolution frame is halved again.
        modulated: the network takes the width of the blur as a condition, and brings an estimator for it.
    """

    kind: ClassVar[str] = "unet"

    blocks: int = 1
    growth: int = 32
    levels: int = 2
    modulated: bool = False

    @property
    def multiple(self) -> int:
        """The frame is halved `levels` times after the pixel-unshuffle."""
        return self.factor * 2**self.levels

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, the finest first."""
        return tuple(self.features + level * self.growth for level in range(self.levels + 1))

    @property
    def receptive_radius(self) -> int:
        """Two convolutions a block, each as wide as its level's pixel, twice on every level but the lowest; the
        first and last convolution and the attention; and the far side of the lowest level's pixel."""
        per_level = sum(
            2 * self.blocks * 2**level * (1 if level == self.levels else 2) for level in range(self.levels + 1)
        )
        low = 2 + (self.attention_reduction > 0) + per_level + 2**self.levels - 1
        return low * self.factor + self.factor - 1

    def _body_weights(self) -> float:
        blocks = sum(
            2 * 9 * self.blocks * width**2 * (1 if level == self.levels else 2) / 4**level
            for level, width in enumerate(self.widths)
        )
        # Both ways between two levels take as many as the finer one's pixels have weights of their own.
        pairs = enumerate(zip(self.widths, self.widths[1:], strict=False))
        return blocks + sum(2 * fine * coarse / 4**level for level, (fine, coarse) in pairs)

    @property
    def channels_alive(self) -> float:
        """The finest level's skip, a block's input, its inner result and its output, with room for the lower ones."""
        return 5 * self.features / self.factor**2


ARCHITECTURES = {kind.kind: kind for kind in (RDNArchitecture, UNetArchitecture)}
