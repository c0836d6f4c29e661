"""From a trained network to a model package with an honest card."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import torch

from DSADeblurLib import __version__
from DSADeblurLib.lab.simulation.pairs import MICRO_SPOT, NOMINAL_SPOTS_MM
from DSADeblurLib.lab.simulation.scene import MAGNIFICATIONS, SPACINGS_MM
from DSADeblurLib.lab.simulation.sets import BLUR_PX, QUANTA
from DSADeblurLib.lab.training.recipes import Recipe
from DSADeblurLib.restoration.card import ModelCard, find_model
from DSADeblurLib.restoration.network import RestorationNetwork
from DSADeblurLib.restoration.package import load_model
from DSADeblurLib.restoration.save_package import save_model

LIMITS = (
    "Research use only: not for diagnosis or treatment.",
    "Trained and measured on simulated frames only; no figure here was measured on a patient or a real phantom.",
    "Detail finer than the blur leaves in the data may be lost or invented; compare with the original.",
    "A focal spot or magnification in the header that is wrong costs sharpness, or makes edges too hard.",
    "Not meant for frames that were sharpened before, were compressed with visible loss, or show colour.",
)


DESCRIPTIONS = {
    "unet": "Residual U-Net in low-resolution space, told how wide the blur is",
    "rdn": "Residual dense network after Geng et al. (Interv Neuroradiol 2022, doi 10.1177/15910199221143168)",
}


def package_model(folder: Path, network: RestorationNetwork, recipe: Recipe, summary: dict) -> ModelCard:
    """Write the package of a trained network.

    Args:
        folder: of the package.
        network, summary: what `trainer.train` or `online.train_online` returned.
        recipe: that it was trained by.

    Returns:
        The card as written.

    Raises:
        ModelError, OSError: as `package.save_model`.
    """
    architecture = recipe.architecture
    started_from, stopped = summary.get("started_from"), summary["stopped_early"]
    frames = "one frame" if architecture.frames == 1 else f"{architecture.frames} successive frames"
    card = ModelCard(
        name=recipe.name,
        architecture=architecture.as_dict(),
        description=(
            f"{DESCRIPTIONS[architecture.kind]}, {frames} in, trained on simulated pairs of large and micro focal spot."
        ),
        training={
            "data": "simulated: random scenes of DSADeblurLib.lab.simulation, training seeds, native and subtracted"
            + (", a quarter of them projections of real anatomy" if recipe.pool.volumes else ""),
            "recipe": recipe.as_dict(),
            "steps": summary["steps"],
            "minutes": summary["minutes"],
            "stopped_early": stopped,
            "started_from": started_from,
            "started_from_sha256": summary.get("started_from_sha256"),
            "validation_psnr_gain_db": summary["psnr_gain_db"],
            "command": f"dsadeblur train --recipe {recipe.name} --output FOLDER"
            + (f" --start-from {started_from}" if started_from else "")
            + (" --volumes" if recipe.pool.volumes else ""),
            "software": f"dsadeblur {__version__}, torch {torch.__version__}",
            **summary.get("for_card", {}),
        },
        physics_range={
            "nominal_focal_spot_mm": [min(NOMINAL_SPOTS_MM), max(NOMINAL_SPOTS_MM)],
            "blur_px": list(BLUR_PX),
            "focal_spot_shape": "rectangle, gaussian, two-line, trapezoid; width and length by IEC 60336",
            "target_focal_spot_mm": MICRO_SPOT.width_mm,
            "magnification": list(MAGNIFICATIONS),
            "imager_pixel_spacing_mm": list(SPACINGS_MM),
            "quanta_per_pixel": list(QUANTA),
        },
        metrics={},
        licence="Apache-2.0",
        limits=LIMITS if stopped is None else (f"Training was stopped early, {stopped}.", *LIMITS),
    )
    return save_model(folder, network, card)


def write_metrics(name_or_folder: str | Path, figures: dict) -> ModelCard:
    """Put figures into a model's card, with the command that prints them again.

    Args:
        name_or_folder: of the model.
        figures: of its evaluation, with the hash of the weights evaluated.

    Returns:
        The card as written.

    Raises:
        ValueError: one sentence, if other weights were evaluated.
    """
    model = load_model(name_or_folder)
    if figures["model_sha256"] != model.sha256:
        raise ValueError("The evaluation is of other weights than the model's; evaluate the model again.")
    command = (
        "dsadeblur evaluate --model {model} --set {split} --frames {frames} --size {size} "
        "--sharpness {sharpness:g} --noise-reduction {noise_reduction:g}"
    ).format(**{**figures, "model": model.card.name})
    if figures.get("uniform_noise_reduction"):
        command += " --uniform-noise-reduction"
    values = json.loads(json.dumps(figures), parse_constant=lambda name: None)
    metrics = {"data": "simulated, held out", "command": command, **_rounded(values)}
    return save_model(find_model(name_or_folder), model.network, replace(model.card, metrics=metrics))


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) and math.isfinite(value) else value
