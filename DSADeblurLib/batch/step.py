"""What is done with each run of a batch. It can be sent to another process, which then loads the model itself."""

from __future__ import annotations

import functools
import platform
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from DSADeblurLib import __version__
from DSADeblurLib.batch.folder import is_disk_full
from DSADeblurLib.batch.outcome import Outcome
from DSADeblurLib.paths import models_folder
from DSADeblurLib.pipeline import RunOptions, deblur_run
from DSADeblurLib.restoration.settings import DeblurSettings
from DSADeblurLib.xa import XASkipped


class Step(Protocol):
    """Reads `source`, writes `output`, tells what became of it; a dataclass, so that it can be sent to others.

    It raises OSError for a full disk only; every other failure is an outcome with an error.
    """

    def asked(self) -> dict:
        """What makes two results of one input the same, as `Outcome.asked`, of JSON's types."""

    def __call__(
        self,
        source: Path,
        output: Path,
        progress: Callable[[int, int], None] | None = None,
        threads: int | None = None,
    ) -> Outcome:
        """Do one run; `progress` is told tiles done and their count, `threads` are the processor's for the network."""


@dataclass(frozen=True)
class DeblurStep:
    """Deblur a run with a model, given by `model`: its name where it comes with DSADeblur, else its folder."""

    model: str
    model_name: str
    model_sha256: str
    settings: DeblurSettings
    options: RunOptions

    @classmethod
    def of(cls, model, settings: DeblurSettings, options: RunOptions) -> DeblurStep:
        """For a model from `restoration.package.load_model`, which this process does not load a second time."""
        folder = Path(model.card.folder).resolve()
        # By its name, for on another computer of a cluster DSADeblur may lie elsewhere.
        name = folder.name if folder.parent == models_folder().resolve() else str(folder)
        _models[name, model.sha256] = model
        return cls(name, model.card.name, model.sha256, settings, options)

    def asked(self) -> dict:
        """See `Step`."""
        return {
            "software": __version__,
            "model": self.model_name,
            "model_sha256": self.model_sha256,
            "settings": {**self.settings.as_dict(), **self.options.as_dict()},
        }

    def __call__(
        self,
        source: Path,
        output: Path,
        progress: Callable[[int, int], None] | None = None,
        threads: int | None = None,
    ) -> Outcome:
        """See `Step`."""
        outcome = Outcome(str(source), **self.asked())
        options = self.options
        try:
            with options.read(source) as run:
                outcome = replace(outcome, warnings=list(run.warnings))
                model = _loaded(self.model, self.model_sha256)
                if threads is not None:
                    _use_threads(threads)
                result = deblur_run(run, model, output, self.settings, options, progress=progress)
        except XASkipped as reason:
            return replace(outcome, skipped=str(reason))
        except Exception as error:  # one run must not stop the others, whatever is wrong with it
            if is_disk_full(error):
                raise
            return replace(outcome, error=in_a_sentence(error))
        return replace(
            outcome,
            output=str(output),
            frames=list(result.frame_numbers),
            seconds=round(result.seconds, 3),
            warnings=[*outcome.warnings, *result.notices],
        )


def in_a_sentence(error: Exception) -> str:
    """The message of an error that has one for the user, else its type and message."""
    told = type(error).__module__.startswith("DSADeblurLib") or isinstance(error, ValueError)
    return (str(error) if told else "") or f"{type(error).__name__}: {error}"


_models: dict[tuple[str, str], object] = {}
_loading = threading.Lock()


def _loaded(name: str, sha256: str):
    """The model, loaded once a process."""
    from DSADeblurLib.restoration.package import load_model

    with _loading:
        if (name, sha256) not in _models:
            model = load_model(name)
            if model.sha256 != sha256:
                raise ValueError(
                    f"Model {name!r} on {platform.node()} is another one (SHA-256 differs); install the same there."
                )
            _models[name, sha256] = model
        return _models[name, sha256]


@functools.cache
def _use_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)
