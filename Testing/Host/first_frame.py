"""From the first start after an installation to the first deblurred frame: python first_frame.py

A fresh process opens the panel on the stand-in for the application, loads the sample run and presses Apply. Printed is
when each step was reached, on the wall and in CPU seconds of panel and worker: on a busy machine the wall tells about
others.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import hostpaths  # noqa: E402

hostpaths.prepare()


def main() -> int:
    """Print the table; 1 where the run could not be deblurred."""
    import psutil
    from dicomhost import loadLikeSlicer
    from guihost import GuiHost

    from DSADeblurLib.paths import sample_data_folder

    # Qt and VTK are the application's own, and are there when a user first opens the module.
    host = GuiHost()
    begun, own = time.monotonic(), time.process_time()
    print("                              s wall  CPU panel  CPU worker")

    def reached(what: str) -> None:
        client = host.widget.logic._client
        times = psutil.Process(client._pid).cpu_times() if client._pid else None
        worker = times.user + times.system if times else 0.0
        passed = time.monotonic() - begun
        print(f"{what:28s} {passed:7.1f} {time.process_time() - own:10.1f} {worker:11.1f}", flush=True)

    host.openModule()
    widget = host.widget
    reached("panel is open")
    host.processEvents(lambda: not widget._preparation.isBusy)
    widget._parameterNode.inputNode = loadLikeSlicer(sorted(sample_data_folder().glob("*.dcm"))[0])
    host.processEvents(lambda: widget.ui.applyButton.enabled)
    reached("sample is loaded")
    section, views = widget.runSection, widget.logic.compareViews
    widget.ui.applyButton.click()
    host.processEvents(lambda: section.isRunning and section.state.name == "RUNNING" or section.isIdle)
    reached("the network begins")
    host.processEvents(lambda: views.kind is not None or section.isIdle)
    reached("first frame is shown")
    host.processEvents(lambda: section.isIdle)
    reached("all frames are there")
    print(widget.ui.statusLabel.text)
    failed = widget._parameterNode.derivedNode is None
    host.close()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
