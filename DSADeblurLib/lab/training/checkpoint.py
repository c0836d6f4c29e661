"""Training state on disk as safetensors: weights, their running average, Adam's moments, step and time spent."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from DSADeblurLib.atomic_write import atomic_write
from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.lab.training.recipes import Recipe


class CheckpointError(DSADeblurError):
    """A checkpoint cannot be continued; the message says why in one sentence."""


def learned_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that are trained, by name, in the order in which the optimiser has them."""
    return {name: value for name, value in network.named_parameters() if value.requires_grad}


def save_checkpoint(
    path: Path,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Adam,
    step: int,
    seconds: float,
    recipe: Recipe,
    notes: dict | None = None,
) -> None:
    """Write all or nothing: an interrupted save leaves the former checkpoint as it was.

    Args:
        path: of the checkpoint.
        network, average, optimizer: whose state is kept.
        step: steps done.
        seconds: that they took.
        recipe: of the training; `load_checkpoint` refuses another one.
        notes: what else a training has to remember, as JSON can hold it; see `notes_in`.
    """
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    names = list(learned_parameters(network))
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"adam.{names[index]}.{key}": torch.as_tensor(value) for key, value in state.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    metadata = {
        "step": str(step),
        "seconds": f"{seconds:.1f}",
        "recipe": json.dumps(recipe.as_dict()),
        "notes": json.dumps(notes or {}),
    }
    with atomic_write(path, replace=True) as unfinished:
        save_file(tensors, unfinished, metadata=metadata)


def notes_in(path: Path) -> dict:
    """The notes of a checkpoint that `load_checkpoint` has read."""
    with safe_open(path, framework="pt") as file:
        return json.loads((file.metadata() or {}).get("notes", "{}"))


def load_checkpoint(
    path: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Adam, recipe: Recipe
) -> tuple[int, float]:
    """Fill network, average and optimiser from a checkpoint.

    Args:
        path: of the checkpoint.
        network, average, optimizer: are filled.
        recipe: of the training that goes on.

    Returns:
        The steps done and the seconds they took.

    Raises:
        CheckpointError: the file is damaged or belongs to another recipe.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except Exception as error:
        raise CheckpointError(f"The checkpoint '{path}' cannot be read ({error}); delete it to start again.") from error
    if json.loads(metadata.get("recipe", "null")) != json.loads(json.dumps(recipe.as_dict())):
        raise CheckpointError(f"The checkpoint '{path}' was made by another recipe; choose another output folder.")
    for prefix, module in (("network.", network), ("average.", average)):
        module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    state = {}
    for index, name in enumerate(learned_parameters(network)):
        keys = ("step", "exp_avg", "exp_avg_sq")
        found = {key: tensors[f"adam.{name}.{key}"] for key in keys if f"adam.{name}.{key}" in tensors}
        if found:
            state[index] = found
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(metadata["step"]), float(metadata.get("seconds", 0.0))
