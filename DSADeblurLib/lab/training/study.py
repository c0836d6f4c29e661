"""What makes a network restore and not just denoise: equal steps, three seeds, validation frames only.

    python -m DSADeblurLib.lab.training.study --output FOLDER --pool FOLDER

trains every variant that FOLDER/study.jsonl does not have yet and prints the table.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from DSADeblurLib.lab.simulation.sets import generator
from DSADeblurLib.lab.training.losses import LOSSES, Loss, l1_gradient
from DSADeblurLib.lab.training.pool import Patches, Pool
from DSADeblurLib.lab.training.recipes import SEQUENCE, Recipe
from DSADeblurLib.lab.training.trainer import Session
from DSADeblurLib.lab.training.validation import NOISE_FREE, HeldOut
from DSADeblurLib.lab.training.variants import UnrolledNetwork, with_pooled_attention, without_biases
from DSADeblurLib.restoration.architecture import RDNArchitecture, UNetArchitecture
from DSADeblurLib.restoration.build_network import build_network
from DSADeblurLib.restoration.network import operations_per_pixel
from DSADeblurLib.restoration.unet import UNet

SEEDS = (1, 2, 3)
BASE = Recipe(
    name="base",
    architecture=UNetArchitecture(features=16, growth=16, attention_reduction=0, modulated=True),
    steps=700,
    learning_rate=2e-3,
    wide_share=0.0,
)
# Two networks for two ranges of noise part here: quanta per pixel.
NOISE_BORDER = 1.2e4


@dataclass(frozen=True)
class Variant:
    """One answer to one question.

    `change` alters the built network, `build` replaces it, `loss` replaces the recipe's, `blur_factors` are those by
    which the condition of a modulated network is wrong when it is measured, `quanta` keeps regions of this dose
    only. Variants that differ in question and name alone are trained once.
    """

    question: str
    name: str
    recipe: Recipe = BASE
    change: Callable[[nn.Module], nn.Module] | None = None
    build: Callable = build_network
    loss: Callable[[Pool, HeldOut], Loss] | None = None
    blur_factors: tuple[float, ...] = (1.0,)
    quanta: tuple[float, float] | None = None
    frames: int = 1

    @property
    def work(self) -> Variant:
        """What is trained: the same for variants that answer several questions."""
        return replace(self, question="", name="", blur_factors=(1.0,))


@dataclass
class Data:
    """The pools, and the validation frames."""

    single: Pool
    sequence: Pool
    held_out: dict[int, HeldOut] = field(default_factory=dict)

    def pool(self, recipe: Recipe) -> Pool:
        """Single regions, or those with five frames of which the middle ones are taken; rendered when first needed."""
        in_sequence = recipe.pool == replace(SEQUENCE.pool, frames=recipe.pool.frames)
        pool = self.sequence if in_sequence else self.single
        pool.complete()
        return pool

    def validation(self, frames: int) -> HeldOut:
        """Validation frames with their neighbours."""
        if frames not in self.held_out:
            self.held_out[frames] = HeldOut(4, 512, frames)
        return self.held_out[frames]


def _sized(**numbers) -> Recipe:
    return replace(BASE, architecture=replace(BASE.architecture, **numbers))


def _dense(**numbers) -> Recipe:
    return replace(BASE, architecture=RDNArchitecture(**{"attention_reduction": 0, **numbers}))


def _several(frames: int) -> Recipe:
    architecture = replace(BASE.architecture, frames=frames)
    return replace(BASE, architecture=architecture, pool=replace(SEQUENCE.pool, frames=frames))


def variants() -> list[Variant]:
    """Everything the study compares."""
    found = [Variant("loss", name, replace(BASE, loss=name)) for name in LOSSES]
    found.append(Variant("loss", "l1+gradient+perceptual", loss=_perceptual))
    found += [
        Variant("attention", "none"),
        Variant("attention", "local (paper)", _sized(attention_reduction=4)),
        Variant("attention", "pooled", _sized(attention_reduction=4), change=with_pooled_attention),
        Variant("skip", "residual"),
        Variant("skip", "none", _sized(global_skip=False)),
        Variant("low-resolution factor, equal compute", "1", _sized(features=8, growth=8, factor=1)),
        Variant("low-resolution factor, equal compute", "2"),
        Variant("low-resolution factor, equal compute", "4", _sized(features=40, growth=24, factor=4, levels=1)),
        Variant("depth and width, equal compute", "2 levels, width 16"),
        Variant("depth and width, equal compute", "3 levels, width 16", _sized(growth=12, levels=3)),
        Variant("depth and width, equal compute", "1 level, width 20", _sized(features=20, growth=20, levels=1)),
        Variant(
            "depth and width, equal compute", "twice as many blocks, width 12", _sized(features=12, growth=10, blocks=2)
        ),
        Variant("depth and width, equal compute", "2 levels, width 16, not told the blur", _sized(modulated=False)),
        Variant(
            "depth and width, equal compute",
            "residual dense, 16 + 8, 3 x 3, not told the blur",
            _dense(features=16, growth=8, blocks=3, layers=3),
        ),
        Variant(
            "paper's layout at full resolution, equal compute",
            "factor 1, 10 + 6, 2 x 2",
            _dense(features=10, growth=6, blocks=2, layers=2, factor=1),
        ),
        Variant(
            "paper's layout at full resolution, equal compute",
            "factor 2, 16 + 8, 3 x 3",
            _dense(features=16, growth=8, blocks=3, layers=3),
        ),
        *(
            Variant(
                "side of the patches, equal pixels",
                str(side),
                replace(BASE, patch=side, steps=round(BASE.steps * (BASE.patch / side) ** 2)),
            )
            for side in (40, 64, 96)
        ),
        *(Variant("frames", str(count), _several(count), frames=count) for count in (1, 3, 5)),
        Variant("equivariance, not told the blur", "biases", _sized(modulated=False)),
        Variant(
            "equivariance, not told the blur",
            "none: scale- and shift-equivariant",
            _sized(modulated=False),
            change=without_biases,
        ),
        Variant("conditioning on the blur", "not told", _sized(modulated=False)),
        Variant("conditioning on the blur", "modulated", blur_factors=(1.0, 0.5, 2.0)),
        Variant("unrolled physics, equal compute", "none", blur_factors=(1.0, 0.5, 2.0)),
        Variant(
            "unrolled physics, equal compute",
            "2 steps",
            _sized(features=11, growth=11, modulated=False),
            build=UnrolledNetwork,
            blur_factors=(1.0, 0.5, 2.0),
        ),
        Variant("noise levels", "one network for all"),
        Variant("noise levels", f"two: above {NOISE_BORDER:g} quanta", quanta=(NOISE_BORDER, np.inf)),
        Variant("noise levels", f"two: below {NOISE_BORDER:g} quanta", quanta=(0, NOISE_BORDER)),
    ]
    return found


def _perceptual(pool: Pool, held_out: HeldOut) -> Loss:
    """L1 of values, differences, and features of a network that was trained here on other seeds."""
    teacher: UNet = learned(Variant("", "teacher", replace(BASE, loss="l1+gradient", seed=0)), pool).eval()

    def features(frames):
        return teacher.down[0](teacher.down_blocks[0](teacher.first(nn.functional.pixel_unshuffle(8.0 * frames, 2))))

    def loss(output, degraded, truth):
        return l1_gradient(output, degraded, truth) + 0.1 * (features(output) - features(truth)).abs().mean()

    return loss


def learned(variant: Variant, pool: Pool, loss: Loss | None = None) -> nn.Module:
    """The network of a variant after its steps, its weights averaged."""
    recipe = variant.recipe
    torch.manual_seed(recipe.seed)
    network = variant.build(recipe.architecture)
    network = network if variant.change is None else variant.change(network)
    session = Session(recipe, network=network, loss=loss)
    allowed = _allowed(pool, variant.quanta)
    for step in range(recipe.steps):
        rng = generator("train", 2, recipe.seed, step)
        patches = pool.patches(rng, recipe.batch, recipe.patch, among=allowed)
        session.learn(_middle(patches, variant.frames))
    return session.average.eval()


def _allowed(pool: Pool, quanta: tuple[float, float] | None) -> np.ndarray | None:
    if quanta is None:
        return None
    found = pool.quanta()
    return (found >= quanta[0]) & (found < quanta[1])


def _middle(patches: Patches, frames: int) -> Patches:
    spare = (patches.inputs.shape[1] - frames) // 2
    return patches._replace(inputs=patches.inputs[:, spare : spare + frames])


def figures(network: nn.Module, held_out: HeldOut, blur_factor: float) -> dict[str, float]:
    """Means over validation frames: gains in PSNR and near edges, noisy and noise-free, in dB."""
    gains = held_out.gains(network, torch.device("cpu"), blur_factor)
    noisy = {name: gain for name, gain in gains.items() if NOISE_FREE not in name}
    edge = [name for name in gains if name.endswith(" edge")]
    return {
        "psnr": float(np.mean([gain for name, gain in noisy.items() if name not in edge])),
        "edge": float(np.mean([noisy[name] for name in edge if name in noisy])),
        "clean edge": float(np.mean([gains[name] for name in edge if name not in noisy])),
        "low dose": float(np.mean([gain for name, gain in noisy.items() if "clinical" in name and name not in edge])),
        "high dose": float(np.mean([gain for name, gain in noisy.items() if "quiet" in name and name not in edge])),
    }


def gflop(network: nn.Module) -> float:
    """Of one frame of 1024 x 1024."""
    return operations_per_pixel(network) * 1024**2 / 1e9


def run(output: Path, data: Data, wanted: Sequence[str] = ("",)) -> list[dict]:
    """Train what is missing of the questions with any of the wanted words; each result is a line of
    output/study.jsonl."""
    output.mkdir(parents=True, exist_ok=True)
    path = output / "study.jsonl"
    results = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {(r["question"], r["name"], r["seed"]) for r in results}
    todo = [(v, seed) for seed in SEEDS for v in trained_variants() if (v.question, v.name, seed) not in done]
    todo = [(v, seed) for v, seed in todo if any(words in v.question for words in wanted)]
    for variant, seed in tqdm(todo, unit="training"):
        variant = replace(variant, recipe=replace(variant.recipe, seed=seed))
        pool, held_out = data.pool(variant.recipe), data.validation(variant.frames)
        started = time.monotonic()
        network = learned(variant, pool, None if variant.loss is None else variant.loss(pool, held_out))
        seconds = time.monotonic() - started
        facts = {
            "question": variant.question, "name": variant.name, "seed": seed, "steps": variant.recipe.steps,
            "gflop": round(gflop(network), 1), "seconds": round(seconds),
        }  # fmt: skip
        for factor in variant.blur_factors:
            found = {name: round(value, 3) for name, value in figures(network, held_out, factor).items()}
            results.append({**facts, "told": factor, **found})
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(results[-1]) + "\n")
    return results


def trained_variants() -> list[Variant]:
    """The first variant of each work, measured with every blur factor of any of them."""
    found: dict[Variant, Variant] = {}
    for variant in variants():
        first = found.setdefault(variant.work, variant)
        found[variant.work] = replace(
            first, blur_factors=tuple(dict.fromkeys((*first.blur_factors, *variant.blur_factors)))
        )
    return list(found.values())


def table(results: list[dict]) -> str:
    """Markdown: for each variant the mean over seeds and the standard deviation between them."""
    columns = ("psnr", "edge", "clean edge", "low dose", "high dose")
    lines = ["| question | variant | GFLOP | steps | seeds | " + " | ".join(columns) + " |", "|---" * 10 + "|"]
    first = {variant.work: (variant.question, variant.name) for variant in trained_variants()}
    for variant in variants():
        place = first[variant.work]
        for factor in variant.blur_factors:
            found = [r for r in results if (r["question"], r["name"]) == place and r["told"] == factor]
            if not found:
                continue
            name = variant.name if variant.blur_factors == (1.0,) else f"{variant.name}, told {factor:g} x the blur"
            values = [f"{np.mean(x):+.2f} ± {np.std(x):.2f}" for x in ([r[c] for r in found] for c in columns)]
            head = f"| {variant.question} | {name} | {found[0]['gflop']:g} | {found[0]['steps']} | {len(found)} | "
            lines.append(head + " | ".join(values) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--pool", type=Path, required=True, help="holds the pools 'single' and 'sequence'")
    parser.add_argument("--question", nargs="*", default=[""], help="only questions with any of these words")
    parser.add_argument("--volumes", action="store_true", help="real anatomy too, as for `dsadeblur train`")
    options = parser.parse_args()
    single, sequence = (replace(o, volumes=options.volumes) for o in (BASE.pool, SEQUENCE.pool))
    data = Data(Pool(options.pool / "single", single), Pool(options.pool / "sequence", sequence))
    torch.set_num_threads(1)
    print(table(run(options.output, data, options.question)))


if __name__ == "__main__":
    main()
