"""Which engine and precision run a network on this computer: what is there, what agrees, and what is fastest."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from DSADeblurLib.restoration.architecture import Architecture
from DSADeblurLib.restoration.blur_condition import HEADER_SPREAD
from DSADeblurLib.restoration.device_choice import choose_precision, has_fast_bfloat16, probe_gpu
from DSADeblurLib.restoration.engine import Choice, Engine, EngineError, OutOfMemory
from DSADeblurLib.restoration.installed import ENGINES, problem_of
from DSADeblurLib.restoration.openvino_engine import OpenVINOEngine
from DSADeblurLib.restoration.package import Model, vessels_on_a_slope

if TYPE_CHECKING:
    from DSADeblurLib.restoration.network import RestorationNetwork

TOLERANCES = {"float32": 1e-5, "bfloat16": 1e-3, "float16": 3e-4}
"""What 99 of 100 pixels of the trial tile stay below, and every pixel below threefold: the difference to PyTorch in
float32 on the CPU as a fraction of the range of its output."""

# The trial as a whole, with what is compiled and warmed up before, stays within a second.
_TRIAL_SECONDS = 0.25
_TRIAL_ROUNDS = 8
_HARDLY_LONGER = 1.2
# A trial tile is as large as this many multiplications and additions allow, within the sides.
_TRIAL_OPERATIONS = 4e9
_TRIAL_SIDES = (64, 256)


class Selection(NamedTuple):
    """Engine and precision, each with one sentence why, and notices for the user."""

    engine: Choice
    precision: Choice
    notices: tuple[str, ...] = ()


def _build_torch(network: RestorationNetwork, device: str, precision: str) -> Engine:
    from DSADeblurLib.restoration.torch_engine import TorchEngine

    return TorchEngine(network, device, precision)


def _build_openvino(model: Model, precision: str) -> Engine:
    if model.export is None:
        cause = (model.notices or (f"Model {model.card.name!r} brings no OpenVINO export;",))[0].split(";")[0]
        raise EngineError(f"{cause}; choose the engine torch or auto.")
    if problem := problem_of("openvino"):
        raise EngineError(f"{problem}; choose the engine torch or auto.")
    return OpenVINOEngine(model.export, model.architecture, precision)


@dataclass(frozen=True)
class Engines:
    """How engines are found, built and timed; tests hand in what fails on purpose.

    Attributes:
        probe: the name of the GPU, or raises, see `torch_engine.probe_cuda`.
        build: an engine of PyTorch from network, device and precision; EngineError where there is none.
        build_openvino: an engine of OpenVINO from model and precision; EngineError where there is none.
        fast_bfloat16: whether the CPU has it in hardware.
        clock: seconds.
    """

    probe: Callable[[], str] = probe_gpu
    build: Callable[[RestorationNetwork, str, str], Engine] = _build_torch
    build_openvino: Callable[[Model, str], Engine] = _build_openvino
    fast_bfloat16: Callable[[], bool] = has_fast_bfloat16
    clock: Callable[[], float] = time.perf_counter
    # One trial a model and process: the answer would hardly change, and a run of a few frames should not wait.
    _known: WeakKeyDictionary = field(default_factory=WeakKeyDictionary, repr=False, compare=False)
    # What OpenVINO has compiled, which takes longer than a frame. An engine of PyTorch is but a copy of the network.
    _compiled: WeakKeyDictionary = field(default_factory=WeakKeyDictionary, repr=False, compare=False)

    def start(self, model: Model, device: str, engine: str, precision: str) -> tuple[Engine, Selection]:
        """An engine for the model, chosen by a trial where the choices leave one open.

        Args:
            model: with or without an export.
            device: 'cpu' or 'cuda'; OpenVINO is for the CPU.
            engine: 'auto', 'torch' or 'openvino'.
            precision: 'auto', 'float32', 'bfloat16' or 'float16'.

        Raises:
            EngineError: one sentence: what was asked for cannot be used here.
        """
        if device == "cuda":
            if engine == "openvino":
                raise EngineError("OpenVINO runs on the CPU only; choose the CPU or another engine.")
            selection = Selection(
                Choice("torch", "PyTorch runs on the GPU."), choose_precision(precision, device, self.fast_bfloat16)
            )
            return self.build(model.network, device, selection.precision.value), selection
        known = self._known.setdefault(model, {})
        if (engine, precision) in known:
            selection = known[engine, precision]
            return self._build(model, selection.engine.value, selection.precision.value), selection
        built, known[engine, precision] = self._choose(model, engine, precision)
        if built.name == "openvino":
            self._compiled[model] = built
        return built, known[engine, precision]

    def _build(self, model: Model, engine: str, precision: str) -> Engine:
        if engine == "openvino":
            built: Any = self._compiled.get(model)
            if built is None or built.precision != precision:
                built = self._compiled[model] = self.build_openvino(model, precision)
            built.begin_run()
            return built
        return self.build(model.network, "cpu", precision)

    def _choose(self, model: Model, engine: str, precision: str) -> tuple[Engine, Selection]:
        fastest = choose_precision(precision, "cpu", self.fast_bfloat16)
        precisions = sorted({fastest.value, "float32"} if precision == "auto" else {fastest.value})
        candidates, absent = self._candidates(model, engine, precisions)
        notices = model.notices if engine == "auto" else ()
        if list(candidates) == [("torch", fastest.value)]:
            only = Choice("torch", absent or "PyTorch was asked for.")
            return candidates["torch", fastest.value], Selection(only, fastest, notices)
        try:
            best, times, differing = self._try(model, candidates)
        except OutOfMemory:
            # There is hardly any memory; PyTorch is known to end in OutOfMemory, which smaller tiles can answer.
            try:
                built = self.build(model.network, "cpu", fastest.value)
            except EngineError:
                built = candidates["openvino", fastest.value]
            untried = Choice(built.name, "There was too little memory for a trial.")
            return built, Selection(untried, fastest, notices)
        if best is None:
            raise EngineError(f"{differing[0]}; choose the engine torch.")
        reason = f"{_comparison(times)} {absent}".rstrip()
        kind = Choice(best[1], fastest.reason if precision != "auto" else reason)
        notices = (*notices, *(f"{sentence}; it is not used." for sentence in differing))
        return candidates[best], Selection(Choice(best[0], reason), kind, notices)

    def _candidates(
        self, model: Model, engine: str, precisions: list[str]
    ) -> tuple[dict[tuple[str, str], Engine], str]:
        """Engines by name and precision, and a sentence about one that is not there."""
        builders: dict[str, Callable[[str], Engine]] = {
            "openvino": lambda precision: self.build_openvino(model, precision),
            "torch": lambda precision: self.build(model.network, "cpu", precision),
        }
        candidates: dict[tuple[str, str], Engine] = {}
        causes = []
        for kind, build in builders.items():
            if engine in ("auto", kind):
                try:
                    candidates |= {(kind, precision): build(precision) for precision in precisions}
                except EngineError as error:
                    if engine == kind:
                        raise
                    causes.append(str(error).split(";")[0])
        if not candidates:
            raise EngineError(f"{', and '.join(causes)}; install one of them: pip install openvino.")
        return candidates, "".join(f"{cause}." for cause in causes)

    def _try(self, model: Model, candidates: dict) -> tuple[tuple[str, str] | None, dict, list[str]]:
        """The fastest candidate that agrees with PyTorch, the seconds of all that do, and what is wrong with others.

        Without PyTorch OpenVINO in float32 takes its place: its values are those of the package's self-test.
        """
        reference = candidates.get(("torch", "float32"))
        if reference is None:
            try:
                reference = self.build(model.network, "cpu", "float32")
            except EngineError:
                reference = candidates.get(("openvino", "float32")) or self.build_openvino(model, "float32")
        trial = _Trial(model, reference)
        differing, agreeing = [], {}
        for (engine, precision), candidate in candidates.items():
            found = trial.difference(candidate)
            if found <= TOLERANCES[precision]:
                agreeing[engine, precision] = candidate
            elif engine == "openvino":
                other = "PyTorch" if reference.name == "torch" else "float32"
                differing.append(f"OpenVINO in {precision} differs from {other} by {found:.1g} of the range")
        # A precision that was asked for is given by PyTorch, however coarse; OpenVINO is taken only where it agrees.
        agreeing = agreeing or {key: value for key, value in candidates.items() if key[0] == "torch"}
        times = trial.times(agreeing, self.clock) if agreeing else {}
        return _best(times), times, differing


def _best(times: dict) -> tuple[str, str] | None:
    """The first in order of preference that needs hardly longer than the fastest; None if there is none.

    float32 before bfloat16 and PyTorch before OpenVINO: what is as good as equally fast is not left to chance.
    """
    order = sorted(times, key=lambda key: (key[1] != "float32", key[0] != "torch"))
    fastest = min(times.values(), default=0.0)
    return next((key for key in order if times[key] <= _HARDLY_LONGER * fastest), None)


def _comparison(times: dict) -> str:
    """For instance: OpenVINO bfloat16: 18 ms, against PyTorch bfloat16: 62 ms on a trial tile."""
    fastest_first = sorted(times, key=times.__getitem__)
    words = [f"{ENGINES[name]} {kind}: {1000 * times[name, kind]:.3g} ms" for name, kind in fastest_first]
    return f"{words[0]}{', against ' if words[1:] else ''}{', '.join(words[1:])} on a trial tile."


class _Trial:
    """One small tile, the same for every engine, and what PyTorch makes of it in float32."""

    def __init__(self, model: Model, reference: Engine) -> None:
        self._tile = trial_tile(model.architecture)
        # About the middle of what networks are trained on.
        self._blur_condition = np.array((4.0, 4.0, HEADER_SPREAD), np.float32) if model.architecture.modulated else None
        self._expected = reference.run(self._tile, self._blur_condition)

    def difference(self, engine: Engine) -> float:
        """The difference to the reference that TOLERANCES is for; infinite where none can be told."""
        try:
            found = np.abs(engine.run(self._tile, self._blur_condition) - self._expected)
        except OutOfMemory:
            raise
        except (RuntimeError, ValueError):  # a graph of another network
            return float("inf")
        if not np.isfinite(found).all():
            return float("inf")
        return max(float(np.percentile(found, 99)), float(found.max()) / 3) / float(np.ptp(self._expected))

    def times(self, candidates: dict, clock: Callable[[], float]) -> dict:
        """Least seconds a tile of each, taken in turns within the time for it; what else runs here only adds."""
        taken: dict = {key: [] for key in candidates}
        begun = clock()
        for _ in range(_TRIAL_ROUNDS):
            for key, engine in candidates.items():
                before = clock()
                engine.run(self._tile, self._blur_condition)
                taken[key].append(clock() - before)
            if clock() - begun > _TRIAL_SECONDS:
                break
        return {key: min(seconds) for key, seconds in taken.items()}


def trial_tile(architecture: Architecture) -> np.ndarray:
    """Normalised frames like those of a run, dark vessels on a slope and noise: (frames, side, side) float32."""
    low, high = _TRIAL_SIDES
    side = (_TRIAL_OPERATIONS / architecture.operations_per_pixel) ** 0.5
    side = int(min(max(side, low), high)) // architecture.multiple * architecture.multiple
    return vessels_on_a_slope((architecture.frames, side, side), depth=0.6, noise=0.03, seed=1)
