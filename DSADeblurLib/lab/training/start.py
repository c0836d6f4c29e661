"""Weights to start a training from: those of a model that exists, also for a network with more frames or blocks."""

from __future__ import annotations

import torch

from DSADeblurLib.restoration.network import EntryConvolution, RestorationNetwork

# What may be larger than in the source.
_GROWING = {"frames", "blocks"}


def take_weights(network: RestorationNetwork, source: RestorationNetwork) -> None:
    """Copy the source's weights into a network that takes more frames or has more residual blocks at most.

    The first convolution sees the middle frame as the source does and the others not at all yet, and new blocks add
    nothing: before any training both networks give the same.

    Args:
        network: gets the weights.
        source: is left as it is.

    Raises:
        ValueError: one sentence, if the networks differ in anything else.
    """
    ours, theirs = network.architecture.as_dict(), source.architecture.as_dict()
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    residual = ours["kind"] == "unet" or "blocks" not in differing
    smaller = "blocks" in differing and theirs["blocks"] > ours["blocks"]
    if set(differing) - _GROWING or smaller or not residual or ("frames" in differing and theirs["frames"] != 1):
        raise ValueError(f"A training cannot start from a model of other {', '.join(differing)}; choose another model.")
    state = {name: value.clone() for name, value in source.state_dict().items()}
    if "frames" in differing:
        name, entry = next((n, m) for n, m in network.named_modules() if isinstance(m, EntryConvolution))
        weight, middle = state[f"{name}.weight"], network.architecture.frames // 2
        # Zeros beside filters that have a mean would change that mean.
        weight = weight - weight.mean(dim=(1, 2, 3), keepdim=True)
        planes = weight.shape[1]
        wide = torch.zeros_like(entry.weight)
        wide[:, middle * planes : (middle + 1) * planes] = weight
        state[f"{name}.weight"] = wide
    for name, value in network.state_dict().items():
        if name not in state:
            state[name] = torch.zeros_like(value) if ".second." in name else value
    network.load_state_dict(state)
