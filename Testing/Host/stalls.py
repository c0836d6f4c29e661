"""How long the panel keeps the event loop waiting: python stalls.py [FRAMES SIDE]

Each action of a user is done once on the stand-in for the application. Printed are the longest stall, by the clock of
the main thread's own CPU time (on a busy machine the clock on the wall tells about others) and on the wall, the memory
of the application afterwards, and the line of ours that most of a stall over 50 ms was spent in.
"""

from __future__ import annotations

import compileall
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import hostpaths  # noqa: E402

hostpaths.prepare()

LIMIT_SECONDS = 0.05
_SAMPLE_SECONDS = 0.004
_OWN = ("DSADeblur", "DSADeblurPanel", "DSADeblurScene", "DSADeblurLib")


@dataclass(frozen=True)
class Stall:
    """A time in which the event loop did not turn: CPU time of the main thread, time on the wall, our line."""

    cpu: float
    wall: float
    line: str


class StallMeter:
    """Measures between turns of the event loop, which must be turning on the calling thread."""

    def __init__(self) -> None:
        from PySide6 import QtCore

        self.stalls: list[Stall] = []
        self._lines: Counter[str] = Counter()
        self._main, self._stopped = threading.get_ident(), threading.Event()
        self._cpu, self._wall = time.thread_time(), time.monotonic()
        self._timer = QtCore.QTimer()
        self._timer.timeout.connect(self._beat)

    def __enter__(self) -> StallMeter:
        self._timer.start(0)
        self._cpu, self._wall = time.thread_time(), time.monotonic()
        threading.Thread(target=self._sample, daemon=True).start()
        return self

    def __exit__(self, *_error) -> None:
        self._beat()
        self._stopped.set()
        self._timer.stop()

    @property
    def longest(self) -> Stall:
        """The one with most CPU time."""
        return max(self.stalls, key=lambda one: one.cpu)

    @property
    def longestWall(self) -> float:
        return max(one.wall for one in self.stalls)

    def _beat(self) -> None:
        cpu, wall, lines = time.thread_time(), time.monotonic(), self._lines
        self._lines = Counter()
        line = lines.most_common(1)[0][0] if lines else ""
        self.stalls.append(Stall(cpu - self._cpu, wall - self._wall, line))
        self._cpu, self._wall = time.thread_time(), time.monotonic()

    def _sample(self) -> None:
        while not self._stopped.wait(_SAMPLE_SECONDS):
            frame = sys._current_frames().get(self._main)
            while frame is not None:
                path = Path(frame.f_code.co_filename)
                if path.stem == "DSADeblur" or set(_OWN) & {part.name for part in path.parents}:
                    if hostpaths.HOST not in path.parents:
                        self._lines[f"{path.name}:{frame.f_lineno} {frame.f_code.co_name}"] += 1
                        break
                frame = frame.f_back


def measure(host, action: Callable[[], object], until: Callable[[], object]) -> StallMeter:
    """Do something from within the event loop, and let that turn until a condition holds."""
    from PySide6 import QtCore

    done = []
    with StallMeter() as meter:
        QtCore.QTimer.singleShot(0, lambda: (action(), done.append(True)))
        if not host.processEvents(lambda: done and until()):
            raise RuntimeError("This took longer than ten minutes.")
        host.turnEventLoop()
    return meter


def main(frames: int = 100, side: int = 512) -> None:
    """Print the table for a run of so many frames of so many rows and columns, subtracted with two masks."""
    import dicomhost
    import psutil
    import qtemu
    import samples
    import slicer
    from guihost import GuiHost
    from lines import movePoint
    from narrowed import drawMarkup

    folder = Path(tempfile.mkdtemp())
    samples.write_run(folder / "run.dcm", samples.vessel_frames(frames, side, side), mask_frames=(1, 2))
    _compile()
    host = GuiHost()
    from DSADeblurScene.input import browserForSequence, shownVolume

    memory = psutil.Process()
    results: dict[str, StallMeter] = {}

    def step(name: str, action, until=lambda: True) -> None:
        results[name] = measure(host, action, until)
        stall = results[name].longest
        longer = sorted((one for one in results[name].stalls if one.cpu > LIMIT_SECONDS), key=lambda one: -one.cpu)
        figures = 1000 * stall.cpu, 1000 * results[name].longestWall, memory.memory_info().rss / 1e6
        print(f"{name:24s} {figures[0]:7.0f} {figures[1]:7.0f} {figures[2]:7.0f}", end="  ")
        print(", ".join(f"{1000 * one.cpu:.0f} in {one.line}" for one in longer[:4]), flush=True)

    print(f"{f'{frames} x {side} x {side}':24s}  cpu ms wall ms      MB")
    step("load the module", host.loadModule)
    step("open the module", host.showModule, lambda: not host.widget._preparation.isBusy)
    widget = host.widget
    sequence = dicomhost.loadLikeSlicer(folder / "run.dcm")
    idle, compare = lambda: widget.runSection.isIdle, widget.ui.compareButton.click
    step("choose the run", lambda: setattr(widget._parameterNode, "inputNode", sequence))
    widget._parameterNode.request.model = _untrained(folder)
    step("leave and enter", lambda: (host.leaveModule(), host.widget.enter()))
    step("move a slider", lambda: setattr(widget.ui.sharpnessSlider, "value", 0.5))
    widget.ui.deviceComboBox.currentIndex = 1
    step("Apply", widget.ui.applyButton.click, lambda: widget.ui.progressBar.value > 0 or idle())
    step("result and first look", lambda: None, lambda: idle() and widget.logic.compareViews.kind)
    if widget._parameterNode.derivedNode is None:
        raise RuntimeError(widget.ui.statusLabel.text)
    slider, live = qtemu.unwrap(widget.ui.sharpnessSlider)._slider, widget.logic.live
    slider.setSliderDown(True)
    for position in (40, 30, 20):
        step(f"slide to 0.{position // 10}", lambda: slider.setValue(position), lambda: not live._showing.isBusy)  # noqa: B023
    step("let the slider go", lambda: slider.setSliderDown(False), idle)
    views = widget.ui.compareViewComboBox
    for index in range(views.count):
        step(f"Compare, view {index + 1}", lambda: (setattr(views, "currentIndex", index), compare()))  # noqa: B023
        for number in (frames - 1, frames - 2):
            step("  step to a frame", lambda: browserForSequence(sequence).SetSelectedItemNumber(number))  # noqa: B023
    step("Peak opacification", widget.ui.peakButton.click, idle)
    step("Anatomical background", widget.ui.backgroundButton.click, idle)
    volume, middle, measured = shownVolume(sequence), side / 2, lambda: not widget.measureSection.isBusy
    browserForSequence(sequence).SetSelectedItemNumber(frames - 1)
    line = [(middle, middle - 15), (middle, middle + 15)]
    step("draw a diameter", lambda: drawMarkup(volume, "diameter", line, "D"), measured)
    step("move it", lambda: movePoint(slicer.util.getNode("D"), volume, middle + 2, middle + 15), measured)
    curve = [(middle + down, middle) for down in (-100, 0, 100)]
    step("draw a stenosis", lambda: drawMarkup(volume, "stenosis", curve, "S"), measured)
    step("step to a frame", lambda: browserForSequence(sequence).SetSelectedItemNumber(frames - 2), measured)
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("S"))
    widget._parameterNode.exportFolder = str(folder)
    step("Export DICOM", widget.ui.exportButton.click, idle)
    step("Apply again", widget.ui.applyButton.click, lambda: widget.ui.progressBar.value > 0 or idle())
    step("close the scene", host.closeScene)
    for text in (*host.errors.texts, *qtemu.slotErrors):
        print(text)
    host.close()


def _compile() -> None:
    """Compile our files, as an installed extension's are."""
    for package in (hostpaths.MODULE, hostpaths.ROOT / "DSADeblurLib"):
        compileall.compile_dir(package, quiet=1)


def _untrained(folder: Path) -> str:
    """Folder of a network that costs next to nothing."""
    from DSADeblurLib.restoration.architecture import RDNArchitecture
    from DSADeblurLib.restoration.build_network import build_network
    from DSADeblurLib.restoration.card import ModelCard
    from DSADeblurLib.restoration.save_package import save_model

    network = build_network(RDNArchitecture(features=4, growth=4, blocks=1, layers=1))
    facts = dict(architecture={}, training={}, physics_range={}, metrics={}, licence="Apache-2.0")
    card = ModelCard(name="untrained", description="Untrained.", limits=("Not for images.",), **facts)
    save_model(folder / "untrained", network, card)
    return str(folder / "untrained")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
