"""Draw real and simulated subtracted frames into one picture, to judge the simulator by eye: `make look`.

The real frames (a folder `dsa` of PNG files, see DSADEBLUR_DATA) are for looking at only; the picture stays out of git.
"""

import os
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from skimage import io

ROOT = Path(__file__).resolve().parent.parent
# Beside this file lies a folder of tests that is called like the library.
sys.path[0] = str(ROOT)
from DSADeblurLib.simulation.sets import QUANTA, held_out_pair  # noqa: E402

DATA = Path(os.environ.get("DSADEBLUR_DATA", ROOT.parent / "shared" / "data")) / "dsa"
CROP, COUNT = 480, 4


def windowed(frame: np.ndarray) -> np.ndarray:
    low, high = np.percentile(frame, (0.2, 99.9))
    return np.clip((frame - low) / (high - low), 0, 1)


def main(picture: Path) -> int:
    files = sorted(DATA.glob("*.png"))
    if not files:
        print(f"No real frames in {DATA}; set DSADEBLUR_DATA.", file=sys.stderr)
        return 1
    figure, axes = plt.subplots(2, COUNT, figsize=(4 * COUNT, 8.4), facecolor="white")
    chosen = [files[i] for i in np.linspace(2, len(files) - 1, COUNT).astype(int)]
    for axis, path in zip(axes[0], chosen, strict=True):
        frame = io.imread(path, as_gray=True).astype(float)
        axis.imshow(windowed(frame[300 : 300 + CROP, 260 : 260 + CROP]), cmap="gray")
        axis.set_title("real")
    for index, axis in enumerate(axes[1]):
        # Validation scenes: the test set is looked at through `evaluate` only.
        frame = held_out_pair("validation", index, "subtracted", QUANTA)[0].degraded
        axis.imshow(windowed(frame[272 : 272 + CROP, 272 : 272 + CROP]), cmap="gray")
        axis.set_title("simulated")
    for axis in axes.flat:
        axis.axis("off")
    figure.tight_layout()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=80)
    print(picture)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/look.png")))
