"""The processes of an evaluation: each loads the models once and runs tasks on them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import torch
from tqdm import tqdm

from DSADeblurLib.restoration.package import Model, load_model

from .methods import INPUT, Method, Tuned, network_method, unchanged

_models: dict[str, Model] = {}
"""Of this process, by name; networks do not travel between processes."""


def load_models(folders: list[str]) -> dict[str, Model]:
    """Models by name, for the functions below; the second of two of one name is called by its folder.

    Raises:
        ModelError: one sentence, if one cannot be loaded.
    """
    _models.clear()
    for folder in folders:
        model = load_model(folder)
        _models[folder if model.card.name in _models else model.card.name] = model
    return dict(_models)


def networks() -> dict[str, Model]:
    """The models of this process by name."""
    return _models


def methods(tuned: tuple[Tuned, ...]) -> dict[str, Method]:
    """The input as it is, classical methods as tuned, and the models."""
    restoring = {name: network_method(model) for name, model in _models.items()}
    return {INPUT: unchanged, **{t.family: t.method for t in tuned}, **restoring}


def moments() -> int:
    """As many frames as the model that takes most of them."""
    return max(model.network.architecture.frames for model in _models.values())


@contextmanager
def workers(folders: list[str], count: int) -> Iterator[Callable[[str, list[Callable]], list]]:
    """A function (description, tasks) -> results in order, which shows its progress on stderr.

    Args:
        folders: of the models that tasks use; with one process they must be loaded already.
        count: processes, one thread each; 1 for this one.
    """

    def in_turn(description: str, tasks: list[Callable]) -> list:
        return [task() for task in tqdm(tasks, desc=description, unit="task")]

    if count <= 1:
        yield in_turn
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _start, (folders,)) as pool:

        def at_once(description: str, tasks: list[Callable]) -> list:
            futures = [pool.submit(task) for task in tasks]
            try:
                return [future.result() for future in tqdm(futures, desc=description, unit="task")]
            finally:
                for future in futures:
                    future.cancel()

        yield at_once


def _start(folders: list[str]) -> None:
    torch.set_num_threads(1)
    load_models(folders)
