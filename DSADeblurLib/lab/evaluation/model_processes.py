"""The processes of an evaluation: each loads the models once and runs tasks on them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from tqdm import tqdm

from DSADeblurLib.lab.evaluation.methods import INPUT, Method, Tuned, network_method, unchanged
from DSADeblurLib.request import DeblurSettings
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.restoration.package import Model, load_model
from DSADeblurLib.restoration.selection import Engines

WRONG_HEADERS = {"no header": None, "header x 0.5": 0.5, "header x 2": 2.0}
"""Factors by which a header's width of the blur is wrong."""

_models: dict[str, Model] = {}
"""Of this process, by name; networks do not travel between processes."""
_settings: dict[str, DeblurSettings] = {}
"""Engine and precision of each model, the same in all processes."""


def load_models(
    folders: list[str], settings: dict[str, DeblurSettings] | None = None, **controls: float | bool
) -> dict[str, Model]:
    """Models by name, for the functions below; the second of two of one name is called by its folder.

    Args:
        folders: names or folders of models.
        settings: for each name; by default what a trial on the CPU of this computer chooses.
        controls: of `extent.CONTROLS` in those, where they are not the defaults.

    Raises:
        ModelError: one sentence, if one cannot be loaded.
    """
    _models.clear()
    for folder in folders:
        model = load_model(folder)
        _models[folder if model.card.name in _models else model.card.name] = model
    _settings.clear()
    _settings.update(settings or {name: replace(_chosen(model), **controls) for name, model in _models.items()})
    return dict(_models)


def _chosen(model: Model) -> DeblurSettings:
    frames = np.random.default_rng(0).normal(size=(model.architecture.frames, 64, 64)).astype(np.float32)
    result = deblur(frames, model, DeblurSettings(device="cpu", frame_range=(1, 1)))
    return DeblurSettings(device="cpu", engine=result.engine, precision=result.precision)


def networks() -> dict[str, tuple[Model, DeblurSettings]]:
    """The models of this process by name, with their engine and precision."""
    return {name: (model, _settings[name]) for name, model in _models.items()}


def methods(tuned: tuple[Tuned, ...]) -> dict[str, Method]:
    """The input as it is, classical methods as tuned, and the models."""
    restoring = {name: network_method(*part, engines=_engines()) for name, part in networks().items()}
    return {INPUT: unchanged, **{t.family: t.method for t in tuned}, **restoring}


def wrong_header_methods() -> dict[str, Method]:
    """The modulated models without a header and with wrong ones; empty if there is no modulated model."""
    return {
        f"{name}, {words}": network_method(*part, engines=_engines(), header=factor)
        for name, part in networks().items()
        if part[0].architecture.modulated
        for words, factor in WRONG_HEADERS.items()
    }


def moments() -> int:
    """As many frames as the model that takes most of them."""
    return max(model.architecture.frames for model in _models.values())


@contextmanager
def workers(folders: list[str], count: int) -> Iterator[Callable[[str, list[Callable]], list]]:
    """A function (description, tasks) -> results in order, which shows its progress on stderr.

    Args:
        folders: of the models that tasks use, loaded in this process already.
        count: processes, one thread each; 1 for this one.
    """

    def in_turn(description: str, tasks: list[Callable]) -> list:
        return [task() for task in tqdm(tasks, desc=description, unit="task")]

    if count <= 1:
        yield in_turn
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _start, (folders, dict(_settings))) as pool:

        def at_once(description: str, tasks: list[Callable]) -> list:
            futures = [pool.submit(task) for task in tasks]
            try:
                return [future.result() for future in tqdm(futures, desc=description, unit="task")]
            finally:
                for future in futures:
                    future.cancel()

        yield at_once


def _start(folders: list[str], settings: dict[str, DeblurSettings]) -> None:
    torch.set_num_threads(1)
    load_models(folders, settings)


@cache
def _engines() -> Engines:
    """Engines that are built once for each model, because small frames would wait for them longer than run on them."""
    built: dict = {}

    def once(build: Callable) -> Callable:
        def kept(subject, *choices):
            key = (build, id(subject), choices)
            if key not in built:
                # The subject is kept as well, so that no other can get its id.
                built[key] = subject, build(subject, *choices)
            return built[key][1]

        return kept

    usual = Engines()
    return Engines(build=once(usual.build), build_openvino=once(usual.build_openvino))
