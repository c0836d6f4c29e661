"""One deblurring at a time, from the press of the button to the node in the scene."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator

from slicer.i18n import tr as _

from DSADeblurLib.request import DeblurRequest
from DSADeblurLib.used import Used
from DSADeblurScene import in_words
from DSADeblurScene.early_frames import EarlyFrames
from DSADeblurScene.input import shownVolume
from DSADeblurScene.job import NEW_NODE, Job, Place
from DSADeblurScene.live_controls import LiveControls
from DSADeblurScene.slices import Slices
from DSADeblurScene.worker_client import Callbacks, WorkerClient


class Deblurring:
    """The worker's job and what becomes of its answers.

    Args:
        client: of the worker, which does one thing at a time.
        live: takes over what is kept of a result.
    """

    def __init__(self, client: WorkerClient, live: LiveControls) -> None:
        self._client, self._live = client, live
        self._job: Job | None = None
        self._callbacks = Callbacks()
        self._early: EarlyFrames | None = None
        self._count, self._begun = 0, 0.0
        self._finishing = Slices()

    @property
    def isBusy(self) -> bool:
        """Whether it is under way."""
        return self._job is not None

    def start(self, inputNode, request: DeblurRequest, callbacks: Callbacks, place: Place = NEW_NODE) -> None:
        """Begin, and return at once; as DSADeblurLogic.start.

        Raises:
            ValueError, OSError, RuntimeError: one sentence, if it cannot begin.
        """
        self._begun, self._early, self._count, self._callbacks = time.monotonic(), None, 0, callbacks
        job = self._job = Job(inputNode, request, keep=True, place=place)
        try:
            self._client.submit(
                job.message(),
                Callbacks(
                    stage=self._onStage,
                    frame=self._onFrame,
                    progress=self._onProgress,
                    notice=callbacks.notice,
                    finished=lambda message: self._finishing.run(self._finishInSteps(job, message)),
                    cancelled=lambda: self._end("cancelled"),
                    error=lambda *told: self._end("error", *told),
                ),
            )
        except BaseException:
            self.stop()
            raise

    def cancel(self) -> None:
        """Ask for the end."""
        if self._finishing.isBusy:
            self._finishing.stop()
            self._end("cancelled")
        else:
            self._client.cancel()

    def stop(self) -> None:
        """Nothing follows any more, and no callback."""
        self._finishing.stop()
        job, self._job, self._early = self._job, None, None
        if job is not None:
            job.discard()

    def _end(self, outcome: str, *arguments) -> None:
        if self.isBusy:
            self.stop()
            getattr(self._callbacks, outcome)(*arguments)

    def _onStage(self, stage: str, frames: int) -> None:
        self._count = frames
        self._callbacks.stage(stage, frames)

    def _onFrame(self, index: int, number: int, original: str | None) -> None:
        job = self._job
        # Of a single frame the result itself follows at once.
        if job is None or self._count < 2 or job.isOrphan():
            return
        if self._early is not None:
            self._early.add(index, number, original)
        elif shownVolume(job.run.node) is not None:
            self._early = EarlyFrames(job.run, job.output)
            self._early.add(index, number, original)
            self._callbacks.early(self._early)

    def _onProgress(self, done: int, total: int, secondsLeft: float | None) -> None:
        if self._job is not None and self._job.isOrphan():
            self._client.forget()
            self._end("error", _("The input was removed from the scene; the deblurring was stopped."))
        else:
            self._callbacks.progress(done, total, secondsLeft)

    def _finishInSteps(self, job: Job, message: dict) -> Generator[None, None, None]:
        try:
            derivedNode = yield from job.finishInSteps(message)
            self._live.adopt(derivedNode, message["kept"])
        except (ValueError, OSError) as error:
            self._end("error", str(error))
            return
        except Exception:
            self._end("error", _("The result could not be put into the scene; see the log."))
            raise
        used = Used.from_dict(message["used"])
        text = in_words.done(used, time.monotonic() - self._begun)
        logging.info(f"Deblurred {derivedNode.GetName()}: {text} {in_words.details(used)}")
        self._end("finished", derivedNode, " ".join((text, *message["notices"])))
