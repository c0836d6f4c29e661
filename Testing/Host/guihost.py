"""Test-only stand-in for the application with a window: opens the module's own file and .ui as Slicer does."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import qtemu
import slicer
from mrmlhost import MRMLHost
from PySide6 import QtCore, QtWidgets

ROOT = Path(__file__).resolve().parents[2]
MODULE_FILE = ROOT / "DSADeblur" / "DSADeblur.py"


class ScriptedModuleWidget:
    """What `widgetRepresentation` gives; `self` is the widget in Python."""

    def __init__(self, widget) -> None:
        self._widget = widget

    def self(self):
        return self._widget


class ScriptedModule:
    """slicer.modules.dsadeblur."""

    def __init__(self, host: GuiHost) -> None:
        self._host, self.name, self.path = host, "DSADeblur", str(host.moduleFile)

    def widgetRepresentation(self) -> ScriptedModuleWidget:
        if self._host.widget is None:
            self._host.showModule()
        return ScriptedModuleWidget(self._host.widget)


class GuiHost(MRMLHost):
    """An application that can open the module."""

    def __init__(self, python_folder: str | None = None) -> None:
        self.qtApplication = qtemu.install()
        qtemu.slotErrors.clear()
        super().__init__(python_folder)
        # The application's settings, of nobody who runs the tests.
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
        QtCore.QSettings.setPath(QtCore.QSettings.Format.IniFormat, QtCore.QSettings.Scope.UserScope, self._folder.name)
        self.qtApplication.setOrganizationName("DSADeblur tests")
        slicer.app.processEvents = self.qtApplication.processEvents
        slicer.qSlicerScriptedLoadableModule = ScriptedModule
        slicer.qSlicerScriptedLoadableModuleWidget = ScriptedModuleWidget
        self.moduleFile = MODULE_FILE
        self.module = self.widget = None

    def openModule(self):
        """Load the module, make its widget and enter it, and wait until it is prepared."""
        self.loadModule()
        self.showModule()
        self._waitForPreparation()
        return self.widget

    def loadModule(self) -> None:
        """What the application does when it starts."""
        self.module = self._execute()
        parent = SimpleNamespace(path=str(self.moduleFile), icon=None)
        self.description = self.module.DSADeblur(parent)
        slicer.modules.dsadeblur = ScriptedModule(self)

    def showModule(self) -> None:
        """What the application does when the user selects the module."""
        self._makeWidget()

    def reloadModule(self):
        """What slicer.util.reloadScriptedModule does: run the file anew, clean the old widget up, make a new one."""
        self.module = self._execute()
        self.widget.cleanup()
        self.parent.__dict__["isEntered"] = False
        self._makeWidget()
        self._waitForPreparation()
        return self.widget

    def leaveModule(self) -> None:
        """The user selects another module."""
        self.parent.__dict__["isEntered"] = False
        self.widget.exit()

    def closeScene(self) -> None:
        """File > Close scene."""
        self.scene.Clear(False)

    def processEvents(self, until, seconds: float = 600.0) -> bool:
        """Run the event loop until a condition holds; False when it never did, as far as a last resort can tell."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                return False
            self.qtApplication.processEvents(QtCore.QEventLoop.AllEvents, 20)
            time.sleep(0.005)
        self.qtApplication.processEvents()
        return True

    def turnEventLoop(self) -> None:
        """Work through everything that waits in the event loop now."""
        turned = []
        QtCore.QTimer.singleShot(0, lambda: turned.append(True))
        assert self.processEvents(lambda: turned)

    def picture(self, width: int = 460):
        """A picture of the panel, a QPixmap."""
        parent = qtemu.unwrap(self.parent)
        parent.show()
        parent.resize(width, 10)
        self.qtApplication.processEvents()
        parent.resize(width, parent.layout().totalHeightForWidth(parent.width()))
        self.qtApplication.processEvents()
        return parent.grab()

    def close(self) -> None:
        if self.widget is not None:
            self.widget.cleanup()
            qtemu.unwrap(self.parent).deleteLater()
            self.widget = None
        self.qtApplication.processEvents()
        super().close()

    def _execute(self):
        folder = str(self.moduleFile.parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        spec = importlib.util.spec_from_file_location("DSADeblur", self.moduleFile)
        module = importlib.util.module_from_spec(spec)
        sys.modules["DSADeblur"] = module
        spec.loader.exec_module(module)
        return module

    def _waitForPreparation(self) -> None:
        assert self.processEvents(lambda: not self.widget._preparation.isBusy)

    def _makeWidget(self) -> None:
        self.parent = slicer.qMRMLWidget()
        # What the application's own class adds; it is not in the table of widgets.
        self.parent.__dict__["isEntered"] = False
        QtWidgets.QVBoxLayout(qtemu.unwrap(self.parent))
        self.parent.setMRMLScene(slicer.mrmlScene)
        self.widget = self.module.DSADeblurWidget(self.parent)
        self.widget.setup()
        self.parent.__dict__["isEntered"] = True
        self.widget.enter()
        # Visibility of widgets means something only in a window that is shown.
        qtemu.unwrap(self.parent).show()
