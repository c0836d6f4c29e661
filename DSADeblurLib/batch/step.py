"""What is done with each run of a batch. It can be sent to another process, which then loads the model itself."""

from __future__ import annotations

import functools
import platform
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from DSADeblurLib import __version__
from DSADeblurLib.batch.folder import is_disk_full
from DSADeblurLib.batch.outcome import Outcome
from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.paths import models_folder
from DSADeblurLib.pipeline import deblur_run
from DSADeblurLib.request import DeblurRequest
from DSADeblurLib.xa import XASkipped, read_files

if TYPE_CHECKING:
    from DSADeblurLib.restoration.package import Model


class Step(Protocol):
    """Reads a run's files, writes `output`, tells what became of it; a dataclass, so that it can be sent to others.

    It raises OSError for a full disk only; every other failure is an outcome with an error.
    """

    def fingerprint(self) -> dict:
        """What makes two results of one input the same, as `Outcome.fingerprint`, of JSON's types."""

    def __call__(
        self,
        files: Sequence[Path],
        output: Path,
        progress: Callable[[int, int], None] | None = None,
        threads: int | None = None,
    ) -> Outcome:
        """Do one run; `progress` is told tiles done and their count, `threads` are the processor's for the network."""


@dataclass(frozen=True)
class DeblurStep:
    """Deblur a run as asked with a model, given by `model`: its name where it comes with DSADeblur, else its folder.

    `comparable` as for `pipeline.deblur_run`; a folder holds results of one kind.
    """

    model: str
    model_sha256: str
    request: DeblurRequest
    comparable: bool = False

    @classmethod
    def of(cls, model: Model, request: DeblurRequest) -> DeblurStep:
        """For a model from `restoration.package.load_model`, which this process does not load a second time."""
        if model.card.folder is None:
            raise ValueError(f"Model {model.card.name!r} lies in no folder; save it first.")
        folder = model.card.folder.resolve()
        # By its name, for on another computer of a cluster DSADeblur may lie elsewhere.
        name = folder.name if folder.parent == models_folder().resolve() else str(folder)
        _models[name, model.sha256] = model
        return cls(name, model.sha256, request.with_choices(model=model.card.name))

    def fingerprint(self) -> dict:
        """See `Step`."""
        return {"software": __version__, "model_sha256": self.model_sha256, "request": self.request.as_dict()}

    def __call__(
        self,
        files: Sequence[Path],
        output: Path,
        progress: Callable[[int, int], None] | None = None,
        threads: int | None = None,
    ) -> Outcome:
        """See `Step`."""
        outcome = Outcome(str(files[0]), **self.fingerprint())
        try:
            with read_files(files, self.request.facts) as run:
                outcome = replace(outcome, warnings=list(run.warnings))
                model = _loaded(self.model, self.model_sha256)
                if threads is not None:
                    _use_threads(threads)
                used, notices = deblur_run(
                    run, model, output, self.request, comparable=self.comparable, progress=progress
                )
        except XASkipped as reason:
            return replace(outcome, skipped=str(reason))
        except Exception as error:  # one run must not stop the others, whatever is wrong with it
            if is_disk_full(error):
                raise
            return replace(outcome, error=in_a_sentence(error))
        warnings = [*outcome.warnings, *notices]
        return replace(outcome, output=str(output), used=used.as_dict(), warnings=warnings)


def in_a_sentence(error: Exception) -> str:
    """The message of an error that has one for the user, else its type and message."""
    sentence = str(error) if isinstance(error, (DSADeblurError, ValueError)) else ""
    return sentence or f"{type(error).__name__}: {error}"


_models: dict[tuple[str, str], Model] = {}
_loading = threading.Lock()


def _loaded(name: str, sha256: str) -> Model:
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
    from DSADeblurLib.restoration.engine import use_threads

    use_threads(count)
