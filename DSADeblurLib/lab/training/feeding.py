"""Whether the scenes of so many cores keep a GPU busy: `python -m DSADeblurLib.lab.training.feeding [CORES]`.

Times a few scenes of the recipe `large` on one core of this machine. What the GPU would ask for is arithmetic: that it
does ASSUMED_SHARE of the operations it can, and that making patches there costs it nothing, is more than it will do.
"""

from __future__ import annotations

import sys
import time

from DSADeblurLib.lab.training.recipes import LARGE
from DSADeblurLib.lab.training.scene_ring import SHOTS, made_scene
from DSADeblurLib.restoration.build_network import build_network
from DSADeblurLib.restoration.network import operations_per_pixel

# Of an NVIDIA H100 SXM in bfloat16 without sparsity, by its data sheet.
PEAK_OPERATIONS, ASSUMED_SHARE = 989e12, 0.4
# A step forward costs one pass through the network, the way back two.
PASSES = 3


def draws_a_scene(seconds_a_scene: float, cores: int, pairs_a_second: float) -> float:
    """How often each scene is drawn from while `cores` make them and the training goes on."""
    return pairs_a_second * seconds_a_scene / cores


def pairs_a_second(operations: float) -> float:
    """How many patches the GPU could learn from, of a network of so many operations a pixel."""
    return ASSUMED_SHARE * PEAK_OPERATIONS / (PASSES * operations * LARGE.patch**2)


def report(cores: int, scenes: int = 8) -> str:
    """Lines of text; one core is for the training itself."""
    operations = operations_per_pixel(build_network(LARGE.architecture))
    began = time.process_time()
    for number in range(scenes):
        made_scene(LARGE.pool, number)
    seconds, pairs = (time.process_time() - began) / scenes, pairs_a_second(operations)
    draws, side = draws_a_scene(seconds, cores - 1, pairs), LARGE.patch
    return "\n".join(
        (
            f"{operations * 2**20 / 1e9:.0f} GFLOP a frame of 1024 x 1024, "
            f"{PASSES * operations * side**2 / 1e9:.1f} GFLOP to learn from a patch of {side} x {side}",
            f"{pairs:.0f} patches ({pairs / LARGE.batch:.0f} steps) a second at {ASSUMED_SHARE:.0%} of "
            f"{PEAK_OPERATIONS / 1e12:.0f} TFLOP/s",
            f"{seconds:.2f} s of one core a scene with {SHOTS} acquisitions; {cores} cores, one of them for the "
            f"training, make {(cores - 1) / seconds:.1f} a second",
            f"each scene is drawn from {draws:.0f} times, in "
            f"{LARGE.pool.scenes * seconds / (cores - 1):.0f} s in the ring",
        )
    )


if __name__ == "__main__":
    print(report(int(sys.argv[1]) if len(sys.argv) > 1 else 16))
