"""Test-only emulation of PythonQt on PySide6: the modules qt and ctk, and the widget classes in `slicer`.

Code under test sees proxies of PySide objects. As in PythonQt, a property is a value (`w.text`, not `w.text()`), an
unknown attribute cannot be set, `connect` takes the signature as text, and wrappers of widgets have no common base
class. Stricter than PythonQt: connecting to an unknown signal raises, and an exception in a slot is kept in
`slotErrors` for the test to fail on. So is the loss of the last reference to an object that Python made while one of
its signals is being delivered: PythonQt deletes the object at once, and the application crashes.
"""

from __future__ import annotations

import ctypes
import inspect
import os
import sys
import traceback
import types
import weakref
import xml.etree.ElementTree as ElementTree

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Enumerators are plain integers in PythonQt; the flags must be set before the first import.
if "PySide6" in sys.modules:
    raise RuntimeError("Import qtemu before PySide6, or its enumerators are no integers.")
sys.pyside6_option_python_enum = 0x0E

import qtapi  # noqa: E402
import qtstandins  # noqa: E402
import shiboken6  # noqa: E402
import slicer  # noqa: E402
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets  # noqa: E402

slotErrors: list[str] = []
_proxies: dict[int, Proxy] = {}
# Proxies of objects that Python made live as long as something holds them; see Proxy.__del__.
_made: weakref.WeakValueDictionary[int, Proxy] = weakref.WeakValueDictionary()
_rescued: list[QtCore.QObject] = []
_KINDS = {
    "bool": (bool, int),
    "int": (int, float),
    "double": (int, float),
    "QString": str,
    "QStringList": (list, tuple),
}


class Signal:
    """A signal of one object."""

    def __init__(self, owner: Proxy, signature: str) -> None:
        name, _, rest = signature.partition("(")
        known = [one for one in qtapi.signals(owner.className()) if one.startswith(name + "(")]
        if not known or (rest and signature not in known):
            raise ValueError(f"{owner.className()} has no signal {signature}")
        types = (rest or known[0].partition("(")[2]).rstrip(")")
        self._arity = types.count(",") + 1 if types else 0
        self._bound = getattr(owner._object, name)
        self._name = name
        self._slots = owner._slots
        self._delivering = owner._delivering

    def connect(self, callback) -> bool:
        wrapper = _slot(callback, self._arity, self._delivering, self._name)
        self._slots.setdefault((self._name, callback), []).append(wrapper)
        self._bound.connect(wrapper)
        return True

    def disconnect(self, callback) -> bool:
        self._bound.disconnect(self._slots[self._name, callback].pop())
        return True


def _slot(callback, arity: int, delivering: list[str], name: str):
    """A callable that passes as many arguments as both signal and callback have, and keeps exceptions.

    delivering: names of the signals of the object that are being delivered; the name of this one is in it meanwhile.
    """
    parameters = inspect.signature(callback).parameters.values()
    several = any(one.kind is one.VAR_POSITIONAL for one in parameters)
    wanted = sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in parameters)

    def slot(*arguments) -> None:
        arguments = [wrap(one) for one in arguments]
        delivering.append(name)
        try:
            callback(*(arguments if several else arguments[:wanted]))
        except Exception:
            slotErrors.append(traceback.format_exc())
        finally:
            delivering.pop()

    # PySide counts the parameters, and gives none to a slot that takes any number.
    return (lambda: slot(), lambda a: slot(a), lambda a, b: slot(a, b))[arity]


class Proxy:
    """What Python code sees of a Qt object; one subclass per class in the table."""

    _real: type = QtCore.QObject

    def __init__(self, *arguments) -> None:
        self._adopt(type(self)._real(*map(unwrap, arguments)), _made)

    def _adopt(self, real, known=_proxies) -> None:
        self.__dict__.update(_object=real, _slots={}, _delivering=[])
        known[shiboken6.getCppPointer(real)[0]] = self

    def __del__(self) -> None:
        real, delivering = self.__dict__.get("_object"), self.__dict__.get("_delivering")
        if delivering and shiboken6.isValid(real) and real.parent() is None:
            signal = delivering[-1]
            slotErrors.append(f"The last reference to a {self.className()} went inside its own signal {signal}.")
            # The test shall fail, not crash.
            _rescued.append(real)

    def __getattr__(self, name: str):
        if name.startswith("__") or "_object" not in self.__dict__:
            raise AttributeError(name)
        className = self.className()
        name = "objectName" if name == "name" else name
        if name in qtapi.properties(className):
            value = self._object.property(name)
            return tuple(value) if isinstance(value, list) else wrap(value)
        if any(one.startswith(name + "(") for one in qtapi.signals(className)):
            # A signal that is called emits; a button's click() and the like are methods.
            return Signal(self, name)
        if name not in qtapi.methods(className):
            raise AttributeError(f"{className} has no member {name}")
        member = getattr(self._object, name)
        return (lambda *arguments: wrap(member(*map(unwrap, arguments)))) if callable(member) else member

    def __setattr__(self, name: str, value) -> None:
        name = "objectName" if name == "name" else name
        kind, writable = qtapi.properties(self.className()).get(name, ("", False))
        if not writable:
            raise AttributeError(f"{self.className()}.{name} is no property that can be set")
        if kind in _KINDS and not isinstance(value, _KINDS[kind]):
            raise AttributeError(f"{self.className()}.{name} takes {kind}, not {value!r}")
        value = int(value) if kind == "int" else list(value) if kind == "QStringList" else unwrap(value)
        self._object.setProperty(name, value)

    def className(self) -> str:
        return next(base.__name__ for base in type(self).__mro__ if base.__name__ in qtapi.classes())

    def inherits(self, name: str) -> bool:
        return self._object.inherits(name)

    def connect(self, signature: str, callback) -> bool:
        return Signal(self, signature).connect(callback)

    def disconnect(self, signature: str, callback) -> bool:
        return Signal(self, signature).disconnect(callback)


class Other:
    """A Qt object of a class that the table does not list: a layout, or a part inside a stand-in."""

    def __init__(self, real) -> None:
        self.__dict__["_object"] = real

    @property
    def name(self) -> str:
        return self._object.objectName()

    def property(self, name: str):
        return self._object.property(name)

    def children(self) -> tuple:
        return ()

    def addWidget(self, widget) -> None:
        self._object.addWidget(unwrap(widget))


def wrap(value):
    """The proxy of a Qt object; other values as they are."""
    if isinstance(value, (list, tuple)):
        return tuple(map(wrap, value))
    if not isinstance(value, QtCore.QObject):
        return value
    pointer = shiboken6.getCppPointer(value)[0]
    for known in (_made.get(pointer), _proxies.get(pointer)):
        if known is not None and known._object is value and shiboken6.isValid(value):
            return known
    names = (type(value).__name__, value.metaObject().className())
    for name in names:
        if name in proxyClasses:
            proxy = proxyClasses[name].__new__(proxyClasses[name])
            proxy._adopt(value)
            return proxy
    return Other(value)


def unwrap(value):
    """The Qt object behind a proxy; other values as they are."""
    return value.__dict__["_object"] if isinstance(value, (Proxy, Other)) else value


def _proxyClass(name: str, real: type) -> type:
    statics = {
        key: getattr(real, key)
        for key in qtapi.methods(name)
        if isinstance(getattr(real, key, None), int) and not key.startswith("_")
    }
    return type(name, (Proxy,), {"_real": real, **statics})


_WIDGETS = ("QWidget", "QLabel", "QPushButton", "QToolButton", "QLineEdit", "QComboBox", "QSpinBox", "QProgressBar")
realClasses: dict[str, type] = {
    **{name: getattr(QtWidgets, name) for name in (*_WIDGETS, "QCheckBox", "QDoubleSpinBox", "QListWidget")},
    **{name: getattr(qtstandins, name) for name in ("ctkCollapsibleButton", "ctkPathLineEdit", "ctkSliderWidget")},
    **{name: getattr(qtstandins, name) for name in ("qMRMLWidget", "qMRMLNodeComboBox")},
}
proxyClasses = {name: _proxyClass(name, real) for name, real in {**realClasses, "QProcess": QtCore.QProcess}.items()}


class _Loader(QtUiTools.QUiLoader):
    def createWidget(self, className: str, parent=None, name: str = ""):
        if className not in realClasses:
            raise ValueError(f"{name} is a {className}, which the table of classes does not list")
        widget = realClasses[className](parent)
        widget.setObjectName(name)
        return widget


class UiLoader:
    """qt.QUiLoader: the connections between MRML widgets are made here, Qt does not know their signatures."""

    def load(self, file):
        tree = ElementTree.fromstring(bytes(file.readAll().data()))
        connections = tree.find("connections")
        if connections is not None:
            tree.remove(connections)
        # Qt cannot read flags of classes that are written in Python; they change nothing a test can see.
        for widget in tree.iter("widget"):
            for entry in [one for one in widget.findall("property") if one.findtext("set", "").startswith("ctk")]:
                widget.remove(entry)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(tree))
        buffer.open(QtCore.QBuffer.OpenModeFlag.ReadOnly)
        self._loader = _Loader()
        root = self._loader.load(buffer)
        for one in connections if connections is not None else ():
            source, target = (
                wrap(
                    root
                    if one.findtext(key) == root.objectName()
                    else root.findChild(QtCore.QObject, one.findtext(key))
                )
                for key in ("sender", "receiver")
            )
            source.connect(one.findtext("signal"), getattr(target, one.findtext("slot").split("(")[0]))
        return wrap(root)


class Timer:
    """qt.QTimer, as far as this module uses it."""

    @staticmethod
    def singleShot(milliseconds: int, callback) -> None:
        QtCore.QTimer.singleShot(milliseconds, _slot(callback, 0, [], "timeout"))


def _makeImmortal(*objects) -> None:
    """Wheels of PySide6 6.12 count on None, True and False being immortal, which they are from Python 3.12 on."""
    if sys.version_info < (3, 12):
        for one in objects:
            ctypes.c_ssize_t.from_address(id(one)).value += 1 << 40


def install() -> QtWidgets.QApplication:
    """Make `import qt` and `import ctk` work, and put the qMRML widgets into `slicer`."""
    _makeImmortal(None, True, False)
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    qt, ctk = types.ModuleType("qt"), types.ModuleType("ctk")
    for name, cls in proxyClasses.items():
        setattr(ctk if name.startswith("ctk") else slicer if name.startswith("qMRML") else qt, name, cls)
    qt.QUiLoader, qt.QFile, qt.QTimer = UiLoader, QtCore.QFile, Timer
    qt.QFileDialog, qt.QIcon, qt.Qt, qt.QKeySequence = QtWidgets.QFileDialog, QtGui.QIcon, QtCore.Qt, QtGui.QKeySequence
    qt.QProcessEnvironment, qt.QSettings = QtCore.QProcessEnvironment, QtCore.QSettings
    # Slicer's own parameterNodeWrapper names these classes; nothing here makes one.
    for module, names in (
        (qt, "QColor QSlider QTextEdit QRadioButton QVBoxLayout"),
        (ctk, "ctkCheckBox ctkCheckablePushButton ctkDoubleSlider ctkDoubleSpinBox ctkComboBox ctkRangeWidget"),
        (ctk, "ctkDoubleRangeSlider ctkDirectoryButton ctkColorPickerButton"),
        (slicer, "qMRMLSliderWidget qMRMLSpinBox qMRMLRangeWidget"),
    ):
        for name in names.split():
            setattr(module, name, type(name, (), {}))
    sys.modules["qt"], sys.modules["ctk"] = qt, ctk
    return application
