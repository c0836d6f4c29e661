"""Pictures for the README: python screenshots.py FOLDER writes compare.png, swipe.png and flicker.png.

The module's own panel and scene code run on the stand-in for the application, with the bundled model and sample run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import hostpaths  # noqa: E402

hostpaths.prepare()


def main(folder: str | Path, run: str | Path | None = None, model: str = "compact", frame: int | None = None) -> None:
    """Deblur a run in the panel and write the pictures.

    Args:
        folder: of the picture; made when absent.
        run: XA file; None takes the bundled sample run.
        model: name of a bundled model, or a folder.
        frame: number of the frame shown, counted from 1; None keeps the one that the panel shows.

    Raises:
        RuntimeError: one sentence, if the run cannot be deblurred.
    """
    import dicomhost
    import qtemu
    import viewhost
    from guihost import GuiHost

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run = Path(run) if run is not None else _sampleRun()
    host = GuiHost()
    try:
        widget = host.openModule()
        sequence = dicomhost.loadLikeSlicer(run)
        widget._parameterNode.inputNode = sequence
        widget._parameterNode.request.model = str(model)
        if not widget.ui.applyButton.enabled:
            raise RuntimeError(widget.ui.applyButton.toolTip)
        widget.ui.applyButton.click()
        if not host.processEvents(lambda: widget.runSection.isIdle):
            raise RuntimeError("The deblurring took longer than ten minutes.")
        derived = widget._parameterNode.derivedNode
        if derived is None:
            raise RuntimeError(widget.ui.statusLabel.text)
        from DSADeblurScene.layouts import CompareView

        views = widget.logic.compareViews
        widget.logic.compare(derived, "change")
        if frame is not None:
            from DSADeblurScene.input import browserForSequence

            viewhost.showFrame(browserForSequence(sequence), frame)
        host.turnEventLoop()
        close = {"size": (640, 512), "zoom": 3.0, "center": viewhost.changedMost(views._frames.change, 3.0)}
        viewhost.writePicture(folder / "compare.png", viewhost.renderComparison(host, views._frames.change))
        for kind in (CompareView.SWIPE, CompareView.FLICKER):
            name = kind.name.lower()
            widget.logic.compare(derived, name)
            host.turnEventLoop()
            pictures = [viewhost.renderLayout(host, **close)]
            if kind is CompareView.FLICKER:
                views.flip()
                pictures.append(viewhost.renderLayout(host, **close))
            viewhost.writePicture(folder / f"{name}.png", np.concatenate(pictures, axis=1))
        problems = [*host.errors.texts, *qtemu.slotErrors]
        if problems:
            raise RuntimeError(problems[0])
    finally:
        host.close()


def _sampleRun() -> Path:
    from DSADeblurLib.paths import sample_data_folder

    runs = sorted(sample_data_folder().glob("*.dcm"))
    if not runs:
        raise RuntimeError("There is no sample run in Resources/SampleData.")
    return runs[0]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
    for name in ("compare.png", "swipe.png", "flicker.png"):
        print(Path(sys.argv[1]).resolve() / name)
