"""Pictures of the panel for the README: python panel_pictures.py FOLDER writes panel.png, states.png and fits.png.

The module's own panel runs on the stand-in for the application, with the bundled model and sample run.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import hostpaths  # noqa: E402

hostpaths.prepare()

NAMES = ("panel.png", "states.png", "fits.png")


def main(folder: str | Path) -> None:
    """Deblur the sample run in the panel, and write what it looks like meanwhile.

    panel.png: a run is chosen. states.png: no run, running, done and failed, down to what belongs to Apply. fits.png:
    dark, 320 pixels wide, and with a large font.

    Raises:
        RuntimeError: one sentence, where something did not go as it should.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Qt keeps the heights of labels that were laid out in another font: each font has a panel of its own.
    with _panel(19) as host:
        host.widget._parameterNode.inputNode = _sample()
        large = host.picture(460)
    with _panel(12) as host:
        widget = host.widget
        states = [_upToCompare(host)]
        widget._parameterNode.inputNode = _sample()
        host.picture(460).save(str(folder / "panel.png"))
        widget.ui.applyButton.click()
        host.processEvents(lambda: widget.ui.progressBar.value > 0 or widget.runSection.isIdle)
        states.append(_upToCompare(host))
        host.processEvents(lambda: widget.runSection.isIdle)
        states.append(_upToCompare(host))
        widget.ui.frameRangeLineEdit.text = "20-40"
        widget.ui.applyButton.click()
        host.processEvents(lambda: widget.runSection.isIdle)
        states.append(_upToCompare(host))
        widget.ui.frameRangeLineEdit.text = ""
        widget.runSection.showStatus("")
        narrow, light = host.picture(320), host.qtApplication.palette()
        host.qtApplication.setPalette(_dark())
        fits = [host.picture(460), narrow, large]
        host.qtApplication.setPalette(light)
    _sideBySide(states).save(str(folder / "states.png"))
    _sideBySide(fits).save(str(folder / "fits.png"))


@contextlib.contextmanager
def _panel(pixels: int):
    """The open module in a font of so many pixels."""
    import qtemu
    from guihost import GuiHost

    host = GuiHost()
    before, font = host.qtApplication.font(), host.qtApplication.font()
    font.setPixelSize(pixels)
    host.qtApplication.setFont(font)
    try:
        host.openModule()
        yield host
        problems = [*host.errors.texts, *qtemu.slotErrors]
        if problems:
            raise RuntimeError(problems[0])
    finally:
        host.close()
        host.qtApplication.setFont(before)


def _sample():
    """The sample run as Slicer loads it."""
    import dicomhost

    from DSADeblurLib.paths import sample_data_folder

    return dicomhost.loadLikeSlicer(sorted(sample_data_folder().glob("*.dcm"))[0])


def _upToCompare(host):
    import qtemu
    from PySide6 import QtCore

    picture, root = host.picture(460), qtemu.unwrap(host.parent)
    group = qtemu.unwrap(host.widget.ui.compareCollapsibleButton)
    return picture.copy(0, 0, picture.width(), group.mapTo(root, QtCore.QPoint(0, -4)).y())


def _sideBySide(pictures):
    from PySide6 import QtCore, QtGui

    height, width = max(one.height() for one in pictures), sum(one.width() for one in pictures)
    sheet, left = QtGui.QImage(width, height, QtGui.QImage.Format.Format_RGB32), 0
    sheet.fill(QtCore.Qt.GlobalColor.white)
    painter = QtGui.QPainter(sheet)
    for one in pictures:
        painter.drawPixmap(left, 0, one)
        left += one.width()
    painter.end()
    return sheet


def _dark():
    from PySide6 import QtGui

    palette, role = QtGui.QPalette(), QtGui.QPalette.ColorRole
    colours = {"#353535": (role.Window, role.Button), "#232323": (role.Base, role.ToolTipBase, role.AlternateBase)}
    colours |= {
        "#f0f0f0": (role.WindowText, role.Text, role.ButtonText, role.ToolTipText),
        "#2a82da": (role.Highlight,),
    }
    for colour, roles in colours.items():
        for one in roles:
            palette.setColor(one, QtGui.QColor(colour))
    for one in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, one, QtGui.QColor("#808080"))
    palette.setColor(role.PlaceholderText, QtGui.QColor("#909090"))
    return palette


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
    for name in NAMES:
        print(Path(sys.argv[1]).resolve() / name)
