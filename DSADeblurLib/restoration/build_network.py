"""From the numbers of an architecture, and weights, to its network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from DSADeblurLib.restoration.architecture import Architecture
from DSADeblurLib.restoration.network import RestorationNetwork
from DSADeblurLib.restoration.rdn import ResidualDenseNetwork
from DSADeblurLib.restoration.unet import UNet


def build_network(architecture: Architecture) -> RestorationNetwork:
    """An untrained network of this architecture, weights in float32 on the CPU."""
    kinds: dict[str, type[RestorationNetwork]] = {network.kind: network for network in (ResidualDenseNetwork, UNet)}
    return kinds[architecture.kind](architecture)


def network_with(architecture: Architecture, weights: Mapping[str, np.ndarray]) -> RestorationNetwork:
    """The network of this architecture with these weights, not to be trained.

    Raises:
        ValueError, RuntimeError: the weights are not those of such a network.
    """
    # Counted without memory first: a damaged card could ask for a network of many gigabytes.
    with torch.device("meta"):
        parameters = sum(one.numel() for one in build_network(architecture).parameters())
    if parameters != sum(values.size for values in weights.values()):
        raise ValueError("the number of weights differs")
    network = build_network(architecture)
    network.load_state_dict({name: torch.from_numpy(values) for name, values in weights.items()}, strict=True)
    return network.eval().requires_grad_(False)
