"""Plays the worker process for tests: what is sent is kept, and the test says what is answered."""

from __future__ import annotations

import json


class FakeRunner:
    """Keeps what is sent; the test says what the worker answers."""

    made: list[FakeRunner] = []

    def __init__(self) -> None:
        self.sent, self.running, self.stopped, self.planned = [], False, False, []
        FakeRunner.made.append(self)

    def start(self, onLine, onExit) -> None:
        self.line, self.exit, self.running = onLine, onExit, True

    def send(self, line: str) -> None:
        self.sent.append(json.loads(line))

    def isRunning(self) -> bool:
        return self.running

    def stop(self) -> None:
        self.running, self.stopped = False, True

    def wait(self, seconds: float) -> None:
        pass

    def later(self, seconds: float, call) -> None:
        self.planned.append((seconds, call))

    def pass_time(self, seconds: float) -> None:
        """Call what was planned for then."""
        due = [one for one in self.planned if one[0] == seconds]
        self.planned = [one for one in self.planned if one not in due]
        for _, call in due:
            call()

    def say(self, **message) -> None:
        self.line(json.dumps(message))

    def end(self, status, tail="") -> None:
        self.running = False
        self.exit(status, tail)
