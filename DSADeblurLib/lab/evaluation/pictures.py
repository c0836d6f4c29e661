"""All pictures of an evaluation in one call: plots and sheets."""

from __future__ import annotations

from pathlib import Path

from DSADeblurLib.lab.evaluation import model_processes as processes
from DSADeblurLib.lab.evaluation.methods import network_method
from DSADeblurLib.lab.evaluation.plots import save_plots
from DSADeblurLib.lab.evaluation.result import Evaluation
from DSADeblurLib.lab.evaluation.sheet import save_sheets


def save_pictures(evaluation: Evaluation, models: list[str], folder: Path) -> list[Path]:
    """Plots of the figures and sheets of frames into a folder, which is made.

    Args:
        evaluation: what to draw.
        models: names or folders, those that were evaluated.
        folder: for the PNG files.

    Returns:
        Their paths.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    controls = {"sharpness": evaluation.sharpness, "noise_reduction": evaluation.noise_reduction}
    processes.load_models([str(model) for model in models], **controls)
    methods = {name: network_method(*part) for name, part in processes.networks().items()}
    sheets = save_sheets(evaluation.split, methods, folder, evaluation.size, processes.moments())
    return save_plots(evaluation, folder) + sheets
