"""The demonstration: deblur the bundled sample run, measure it against its truth, draw the compare layout.

python Testing/Host/demo.py FOLDER
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from DSADeblurLib import paths
from DSADeblurLib.extras import require
from DSADeblurLib.lab.evaluation.sheet import interesting_crop
from DSADeblurLib.lab.image_quality.quality import DATA_RANGE, psnr, ssim
from DSADeblurLib.lab.simulation.runs import RUN_FILE, SimulatedRun, read_facts, simulate_run
from DSADeblurLib.measurement.width import vessel_width
from DSADeblurLib.pipeline import deblur_run, prepare
from DSADeblurLib.report import BatchProgress
from DSADeblurLib.request import DEFAULT_MODEL, DeblurRequest, DeblurSettings, RequestError
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.restoration.package import load_model
from DSADeblurLib.xa import plan_subtraction, read_run, subtract

INPUT, TRUTH = "large focal spot", "truth (simulated)"
NOISE_REDUCTIONS = (0.0, DeblurSettings.noise_reduction, 1.0)
# Bits of noise may come out differently on another processor; the scene may not.
TOLERANCE_DN = 3.0


def run_demo(folder: Path) -> int:
    """Run all of it and print what it finds; the last line is the picture's path.

    Returns:
        0, 1 where the picture cannot be drawn, or 2 where a package for it is missing; then nothing was done.
    """
    console = Console()
    if importlib.util.find_spec("slicer") is None:
        try:
            require("scene", "The demo's picture")
        except RequestError as error:
            print(error, file=sys.stderr)
            return 2
    sample = paths.sample_data_folder() / RUN_FILE
    console.print("Simulated sample run, no patient. Research use only: not for diagnosis or treatment.")
    run = read_run(sample)
    model = load_model(DEFAULT_MODEL)
    output = Path(folder) / f"{sample.stem}_deblurred.dcm"
    with BatchProgress() as progress:
        tiles = progress.start(sample)
        used, _ = deblur_run(run, model, output, DeblurRequest(), progress=tiles)
    count = len(used.frame_numbers)
    console.print(
        f"{count} subtracted frames of {run.frames.shape[1]} x {run.frames.shape[2]} in {used.seconds:.1f} s "
        f"({used.device}, {used.precision}), model {used.model} {used.model_sha256[:8]}",
        highlight=False,
    )
    facts = read_facts(paths.sample_data_folder())
    with console.status("Simulating the truth of the sample run ..."):
        simulated = simulate_run(facts.options)
    drift = float(np.sqrt(np.mean((np.asarray(run.frames[:], float) - simulated.frames) ** 2)))
    if drift > TOLERANCE_DN:
        console.print("The truth cannot be simulated here as it was when the sample was made; no comparison with it.")
    else:
        compared = _compared(run, model, output, used.frame_numbers, simulated)
        _print_comparison(console, compared, simulated)
        picture = _draw_last_frames(compared, Path(folder) / "noise_reduction.png")
        console.print(f"Last frame at noise reduction 0, 0.5 and 1: {picture}", highlight=False, soft_wrap=True)
    console.print(f"Derived XA object: {output}", highlight=False, soft_wrap=True)
    return _draw(console, sample, output, Path(folder) / "compare.png")


def _compared(run, model, output: Path, numbers: tuple[int, ...], simulated: SimulatedRun) -> dict[str, np.ndarray]:
    """Subtracted frames by what they are: before, at each noise reduction, and the truth, which is the last."""
    plan = plan_subtraction(run)
    frames = {INPUT: subtract(run.frames, plan, run.relationship)}
    for n in NOISE_REDUCTIONS:
        request = DeblurRequest.of(noise_reduction=n, frame_range=(numbers[0], numbers[-1]))
        # What a reader gets is what was written, so the file is measured, not the memory.
        is_written = n == DeblurSettings.noise_reduction
        frames[_name(n)] = _optical_densities(output) if is_written else _restored(run, model, request)
    return {**frames, TRUTH: subtract(simulated.truth, plan, "LIN")}


def _optical_densities(path: Path) -> np.ndarray:
    """The frames in the unit of their Real World Value Mapping, float32 (n, rows, columns)."""
    (mapping,) = pydicom.dcmread(path, stop_before_pixels=True).RealWorldValueMappingSequence
    values = read_run(path).frames[:] * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
    return values.astype(np.float32)


def _name(noise_reduction: float) -> str:
    return f"noise reduction {noise_reduction:g}"


def _print_comparison(console: Console, compared: dict[str, np.ndarray], simulated: SimulatedRun) -> None:
    truth = compared[TRUTH]
    table = Table(title="Against the simulated truth (optical density, data range 1.0)", title_justify="left")
    for heading in ("", "PSNR dB", "SSIM", "vessel width error px"):
        table.add_column(heading)
    for name, frames in compared.items():
        if name == TRUTH:
            continue
        scores = np.array([_scores(frames[i], truth[i]) for i in range(len(truth))]).mean(axis=0)
        error = np.abs(_widths(frames[-1], simulated) - _widths(truth[-1], simulated))
        missed = int(np.isnan(error).sum())
        width = f"{np.nanmean(error):.2f} ({len(error) - missed} of {len(error)} vessels)"
        row = {_name(DeblurSettings.noise_reduction): "deblurred", INPUT: INPUT}.get(name, f"deblurred, {name}")
        table.add_row(row, f"{scores[0]:.2f}", f"{scores[1]:.4f}", width)
    console.print(table)


def _restored(run, model, request: DeblurRequest) -> np.ndarray:
    """Subtracted frames (k, rows, columns) of the run as this request gives them, in memory."""
    ready = prepare(run, request)
    return np.asarray(deblur(ready.frames, model, ready.settings, exposed=ready.exposed).frames)


def _draw_last_frames(compared: dict[str, np.ndarray], path: Path) -> Path:
    """Draw a part of the last frame of each, all in one grey scale."""
    pictures = {name: frames[-1] for name, frames in compared.items()}
    side = min(pictures[TRUTH].shape) // 3
    row, column = interesting_crop(pictures[TRUTH], side)
    figure = Figure(figsize=(3.6 * len(pictures), 3.9), dpi=100, layout="constrained")
    # Dark for wide vessels: what matters is whether the faint ones are still there.
    low, high = np.percentile(pictures[INPUT][row : row + side, column : column + side], (8, 99.9))
    for ax, (name, picture) in zip(figure.subplots(1, len(pictures)), pictures.items(), strict=True):
        crop = picture[row : row + side, column : column + side]
        ax.imshow(crop, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        ax.set(xticks=[], yticks=[], title=name)
    FigureCanvasAgg(figure).print_png(path)
    return path


def _scores(frame: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    return psnr(frame, truth, data_range=DATA_RANGE), ssim(frame, truth, data_range=DATA_RANGE)


def _widths(frame: np.ndarray, simulated: SimulatedRun) -> np.ndarray:
    return np.array([vessel_width(frame, site.point, site.tangent) for site in simulated.sites])


def _draw(console: Console, sample: Path, output: Path, picture: Path) -> int:
    """Draw in a process of its own: the scene needs graphics libraries, and what they print is not ours."""
    host = Path(__file__).resolve().with_name("demo_scene.py")
    command = [sys.executable, str(host), str(sample), str(output), str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode or not picture.exists():
        console.print(f"The picture could not be drawn: {done.stderr.strip().splitlines()[-1:] or 'no reason given'}.")
        return 1
    console.print("Compare layout (original | deblurred | difference):")
    print(picture.resolve())
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    raise SystemExit(run_demo(Path(sys.argv[1])))
