"""A long run streams through the CPU in bounded memory."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

# One process does the work alone, so that its peak is the peak of the work; 40 frames of 1024 x 1024 in 16 bits
# are 84 MB in and 84 MB out, and a part that held the run in float32 or in half a dozen copies would show.
SCRIPT = """
import pathlib, re, sys, numpy as np, psutil, torch
from DSADeblurLib.frame_file import FrameFile
from DSADeblurLib.request import DeblurSettings
from DSADeblurLib.restoration.card import ModelCard
from DSADeblurLib.restoration.deblur import deblur
from DSADeblurLib.restoration.architecture import RDNArchitecture
from DSADeblurLib.restoration.build_network import build_network
from DSADeblurLib.restoration.package import Model

torch.set_num_threads(1)
folder, count = sys.argv[1], int(sys.argv[2])
process, peaks = psutil.Process(), []
rng = np.random.default_rng(0)
frame = rng.integers(500, 4000, size=(1024, 1024), dtype=np.uint16)
with FrameFile.create(folder + "/in.npy", (count, 1024, 1024), np.uint16) as source:
    for i in range(count):
        source[i] = frame + i
    card = ModelCard("tiny", {}, "", {}, {}, {}, "", ())
    network = build_network(RDNArchitecture(features=4, growth=2, blocks=1, layers=1, factor=4))
    watch = lambda done, total: peaks.append(process.memory_info().rss)
    with FrameFile.create(folder + "/out.npy", source.shape, source.dtype) as out:
        settings = DeblurSettings(device="cpu", precision="float32", blur=(2.0, 2.0))
        model = Model(card, network.architecture, "", lambda: network)
        deblur(source, model, settings, relationship="LIN", out=out, progress=watch)
        assert abs(out[count - 1].mean() / source[count - 1].mean() - 1) < 0.1
status = pathlib.Path("/proc/self/status")  # Linux alone keeps the true peak; elsewhere the samples have to do
true = re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text()) if status.exists() else None
print(int(true[1]) * 1024 if true else max(peaks), peaks[10], peaks[-1])
"""


@pytest.mark.parametrize("count", [40])
def test_memory_does_not_grow_with_the_run(tmp_path, count):
    pytest.importorskip("psutil")
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path), str(count)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    peak, early, late = (int(word) / 2**20 for word in done.stdout.split())
    assert peak < 1536
    assert late - early < 40, f"resident memory grew from {early:.0f} to {late:.0f} MiB over {count - 10} frames"
