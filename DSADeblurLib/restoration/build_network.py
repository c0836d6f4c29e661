"""From the numbers of an architecture to its network."""

from __future__ import annotations

from DSADeblurLib.restoration.architecture import Architecture
from DSADeblurLib.restoration.network import RestorationNetwork
from DSADeblurLib.restoration.rdn import ResidualDenseNetwork
from DSADeblurLib.restoration.unet import UNet


def build_network(architecture: Architecture) -> RestorationNetwork:
    """An untrained network of this architecture, weights in float32 on the CPU."""
    kinds: dict[str, type[RestorationNetwork]] = {network.kind: network for network in (ResidualDenseNetwork, UNet)}
    return kinds[architecture.kind](architecture)
