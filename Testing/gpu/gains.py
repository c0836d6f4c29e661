"""Gains of models on validation frames, beside those of `quality` and `sequence`: one JSON file, written as it grows.

It makes the frames while a training runs, and waits on its standard input for the folder of the model that comes out.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch  # noqa: E402
from torch import nn  # noqa: E402

from DSADeblurLib.atomic_write import atomic_write  # noqa: E402
from DSADeblurLib.lab.training.validation import HeldOut  # noqa: E402
from DSADeblurLib.restoration.package import load_model  # noqa: E402

BESIDE = ("quality", "sequence")
MOMENTS = 5


class Middle(nn.Module):
    """A network that takes what it needs of `MOMENTS` frames, the middle ones."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.architecture = network, network.architecture

    def forward(self, frames: torch.Tensor, *blur_condition: torch.Tensor) -> torch.Tensor:
        first = (frames.shape[1] - self.architecture.frames) // 2
        return self.network(frames[:, first : first + self.architecture.frames], *blur_condition)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", required=True, choices=("cuda", "cpu"))
    parser.add_argument("--output", required=True, type=Path, help="JSON file")
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = False  # as in a run
    held_out = HeldOut(options.scenes, options.size, MOMENTS)
    device, found = torch.device(options.device), {}

    def measure(name: str) -> None:
        model = load_model(name)
        gains = held_out.gains(Middle(model.network).to(device), device, blur_factor=None)
        gains = {name: gain for name, gain in gains.items() if math.isfinite(gain)}  # small frames may have no edge
        found[model.card.name] = {"psnr_gain_db": gains, "stopped_early": model.card.training.get("stopped_early")}
        whole = [gain for condition, gain in gains.items() if not condition.endswith(" edge")]
        print(f"{model.card.name}: mean gain {sum(whole) / len(whole):+.2f} dB", flush=True)
        with atomic_write(options.output, replace=True) as unfinished:
            unfinished.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    for name in BESIDE:
        measure(name)
    for line in sys.stdin:
        measure(line.strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
