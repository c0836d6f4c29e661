"""How wide the blur of a frame is, estimated from the frame: headers have wrong tags, and no tag knows the depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from DSADeblurLib.restoration.blur_condition import CONDITION_SPREADS, ESTIMATED_MULTIPLE, SMALLEST_PX
from DSADeblurLib.restoration.network import SIGNAL_GAIN, EntryConvolution

_WIDTHS = (24, 32, 48, 64)


class BlurEstimator(nn.Module):
    """Every place of a frame says how wide the blur seems, how far off that may be, and how much it counts.

    Edges and thin vessels tell, flat background does not, so the frame's width and its error are weighted means. Frames
    of any size will do. Rows are looked at as they are, and columns the same way in the transposed frame.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = EntryConvolution(4, _WIDTHS[0])
        self.down = nn.ModuleList(
            nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in zip(_WIDTHS, _WIDTHS[1:], strict=False)
        )
        self.same = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for width in _WIDTHS[1:])
        # The logarithm of the width, that of its error, and the weight.
        self.last = nn.Conv2d(_WIDTHS[-1], 3, 1)

    def logarithms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised frames (B, 1, H, W) to ln(width + SMALLEST_PX) and the logarithm of its mean error, both (B, 2)
        for rows and columns."""
        height, width = x.shape[2:]
        below, right = -height % ESTIMATED_MULTIPLE, -width % ESTIMATED_MULTIPLE
        x = functional.pad(x, (0, right, 0, below), mode="replicate") if below or right else x
        widths, errors = torch.stack((self._along_rows(x), self._along_rows(x.transpose(2, 3))), dim=2).unbind(dim=1)
        return widths, errors

    def _along_rows(self, x: Tensor) -> Tensor:
        y = functional.relu(self.first(functional.pixel_unshuffle(SIGNAL_GAIN * x, 2)))
        for down, same in zip(self.down, self.same, strict=True):
            y = functional.relu(down(y))
            y = y + functional.relu(same(y))
        values, weights = self.last(y).float().flatten(2).split((2, 1), dim=1)
        return (values * torch.softmax(weights, dim=2)).sum(dim=2)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised frames (B, 1, H, W) to the condition of `network.Modulation`, (B, CONDITION_SIZE): widths in
        pixels of the blur to remove, rows and columns, and the mean error of their logarithms."""
        widths, errors = self.logarithms(x)
        spread = errors.exp().mean(dim=1, keepdim=True).clamp(*CONDITION_SPREADS)
        return torch.cat(((widths.exp() - SMALLEST_PX).clamp(min=0.0), spread), dim=1)
