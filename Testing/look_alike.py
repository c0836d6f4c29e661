"""Draw real and simulated subtracted frames into one picture, to judge the simulator by eye: `make look`.

The real frames (a folder `dsa` of PNG files, see DSADEBLUR_DATA) are for looking at only; the picture stays out of git.
What the eye is to judge is also printed as figures: slope of the power spectrum, skewness, and how wide and how dense
the vessels are.
"""

import os
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from scipy import ndimage, stats
from skimage import io, morphology

ROOT = Path(__file__).resolve().parent.parent
# Beside this file lies a folder of tests that is called like the library.
sys.path[0] = str(ROOT)
from DSADeblurLib.lab.simulation.sets import held_out_pair  # noqa: E402

DATA = Path(os.environ.get("DSADEBLUR_DATA", ROOT.parent / "shared" / "data")) / "dsa"
COLUMNS, SIDE = 5, 760
REAL_CROP = (slice(60, 60 + SIDE), slice(130, 130 + SIDE))
SIMULATED_CROP = (slice(132, 132 + SIDE), slice(132, 132 + SIDE))


def windowed(frame: np.ndarray) -> np.ndarray:
    low, high = np.percentile(frame, (0.2, 99.8))
    return np.clip((frame - low) / max(high - low, 1e-6), 0, 1)


def figures(frame: np.ndarray) -> dict[str, float]:
    """Power-spectrum slope between 0.01 and 0.1 cycles per pixel, skewness, median and upper width of vessels in
    pixels, and vessel length per hundred pixels of area squared."""
    window = np.outer(np.hanning(frame.shape[0]), np.hanning(frame.shape[1]))
    power = np.abs(np.fft.rfft2((frame - frame.mean()) * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(frame.shape[0])[:, None], np.fft.rfftfreq(frame.shape[1])[None])
    edges = np.geomspace(0.01, 0.1, 10)
    shells = [power[(radius >= a) & (radius < b)].mean() for a, b in zip(edges[:-1], edges[1:], strict=True)]
    slope = -np.polyfit(np.log(edges[:-1]), np.log(shells), 1)[0]
    smooth = ndimage.gaussian_filter(frame, 1.0)
    lines = ndimage.black_tophat(smooth, footprint=morphology.disk(12))
    noise = 1.48 * np.median(np.abs(lines - np.median(lines)))
    vessels = morphology.remove_small_objects(lines > np.median(lines) + 5 * noise, max_size=60)
    widths = 2 * ndimage.distance_transform_edt(vessels)[morphology.skeletonize(vessels)] - 1
    if not len(widths):
        widths = np.array([np.nan])
    return {
        "slope": slope,
        "skewness": float(stats.skew(frame, axis=None)),
        "width": float(np.median(widths)),
        "width 90 %": float(np.percentile(widths, 90)),
        "length": len(widths) / frame.size * 1e4,
    }


def main(picture: Path) -> int:
    files = sorted(DATA.glob("*.png"))
    if not files:
        print(f"No real frames in {DATA}; set DSADEBLUR_DATA.", file=sys.stderr)
        return 1
    figure, axes = plt.subplots(3, COLUMNS, figsize=(4 * COLUMNS, 12.6), facecolor="white")
    chosen = [files[i] for i in np.linspace(3, len(files) - 1, COLUMNS).astype(int)]
    shown = [("real", io.imread(path, as_gray=True).astype(float)[REAL_CROP]) for path in chosen]
    for row, noise in enumerate(("quiet", "paper-like")):
        for index in range(COLUMNS):
            # Validation scenes: the test set is looked at through `evaluate` only.
            pair, _, _ = held_out_pair("validation", COLUMNS * row + index, "subtracted", noise)
            shown.append((f"simulated, {noise}", pair.frame[SIMULATED_CROP].astype(float)))
    for axis, (title, frame) in zip(axes.flat, shown, strict=True):
        axis.imshow(windowed(frame), cmap="gray")
        axis.set_title(title)
        axis.axis("off")
        values = figures(frame)
        print(f"{title:22}", *(f"{name} {value:6.2f}  " for name, value in values.items()))
    figure.tight_layout()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=80)
    print(picture)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/look.png")))
