"""Test-only stand-ins for the CTK and qMRML widgets that the panel uses."""

from __future__ import annotations

import slicer
from PySide6 import QtCore, QtWidgets

_Property, _QtSignal = QtCore.Property, QtCore.Signal


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A header line, and below it what the .ui file puts in; collapsed, only the line is seen."""

    contentsCollapsed = _QtSignal(bool)
    _HEADER = 24

    def __init__(self, parent=None) -> None:
        QtWidgets.QAbstractButton.__init__(self, parent)
        self._collapsed = False
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(lambda checked: self._setCollapsed(not checked))
        policy = QtWidgets.QSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def _getCollapsed(self) -> bool:
        return self._collapsed

    def _setCollapsed(self, collapsed: bool) -> None:
        self._collapsed = collapsed
        self.setChecked(not collapsed)
        self.setMaximumHeight(self._HEADER if collapsed else 16777215)
        explicit = QtCore.Qt.WidgetAttribute.WA_WState_ExplicitShowHide
        for child in self.children():
            # As in CTK, a child that was hidden by the panel stays hidden; the group itself counts for nothing.
            if child.isWidgetType() and not (child.testAttribute(explicit) and child.isHidden()):
                child.setVisible(not collapsed)
                child.setAttribute(explicit, False)

    collapsed = _Property(bool, _getCollapsed, _setCollapsed)

    def event(self, event) -> bool:
        layout = self.layout()
        if event.type() == QtCore.QEvent.Polish and layout is not None:
            layout.setContentsMargins(12, self._HEADER + 4, 6, 6)
            self._setCollapsed(self._collapsed)
        return QtWidgets.QAbstractButton.event(self, event)

    def sizeHint(self) -> QtCore.QSize:
        layout = self.layout()
        return layout.sizeHint() if layout is not None and not self._collapsed else QtCore.QSize(100, self._HEADER)

    def minimumSizeHint(self) -> QtCore.QSize:
        layout = self.layout()
        return layout.minimumSize() if layout is not None and not self._collapsed else QtCore.QSize(100, self._HEADER)

    def hasHeightForWidth(self) -> bool:
        return not self._collapsed and self.layout() is not None and self.layout().hasHeightForWidth()

    def heightForWidth(self, width: int) -> int:
        return self.layout().heightForWidth(width) if self.hasHeightForWidth() else self.sizeHint().height()

    def paintEvent(self, _event) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.rect = QtCore.QRect(0, 0, self.width(), self._HEADER)
        option.state = QtWidgets.QStyle.State_Enabled | QtWidgets.QStyle.State_Raised
        painter.drawControl(QtWidgets.QStyle.CE_PushButtonBevel, option)
        arrow = "\u25b8" if self._collapsed else "\u25be"
        alignment = QtCore.Qt.AlignmentFlag.AlignVCenter | QtCore.Qt.AlignmentFlag.AlignLeft
        painter.drawText(option.rect.adjusted(8, 0, 0, 0), alignment, f"{arrow}  {self.text()}")


class ctkSliderWidget(QtWidgets.QWidget):
    """A slider with a spin box beside it.

    Without tracking, `value` and `valueChanged` wait until the slider is let go; `valueIsChanging` does not.
    """

    valueChanged = _QtSignal(float)
    valueIsChanging = _QtSignal(float)

    def __init__(self, parent=None) -> None:
        QtWidgets.QWidget.__init__(self, parent)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal)
        self._box = QtWidgets.QDoubleSpinBox()
        self._tracking, self._before = True, None
        row.addWidget(self._slider)
        row.addWidget(self._box)
        self._slider.valueChanged.connect(lambda position: self._box.setValue(position / self._positions()))
        self._box.valueChanged.connect(self._onValue)
        self._slider.sliderPressed.connect(self._startChanging)
        self._slider.sliderReleased.connect(self._stopChanging)

    def _positions(self) -> int:
        """Positions of the slider, which knows whole numbers only, in one unit."""
        return 10 ** self._box.decimals()

    def _fitSlider(self) -> None:
        blocked = self._slider.blockSignals(True)
        self._slider.setRange(*(round(self._positions() * one) for one in (self._box.minimum(), self._box.maximum())))
        self._slider.setValue(round(self._positions() * self._box.value()))
        self._slider.blockSignals(blocked)

    def _onValue(self, value: float) -> None:
        self._fitSlider()
        if not self._tracking:
            self.valueIsChanging.emit(value)
        if self._before is None:
            self.valueChanged.emit(value)

    def _startChanging(self) -> None:
        if not self._tracking:
            self._before = self._box.value()

    def _stopChanging(self) -> None:
        before, self._before = self._before, None
        if before not in (None, self._box.value()):
            self.valueChanged.emit(self._box.value())

    def setValue(self, value: float) -> None:
        before, self._before = self._before, None
        self._box.setValue(value)
        self._before = before

    def _setMinimum(self, value: float) -> None:
        self._box.setMinimum(value)
        self._fitSlider()

    def _setMaximum(self, value: float) -> None:
        self._box.setMaximum(value)
        self._fitSlider()

    def _setDecimals(self, count: int) -> None:
        self._box.setDecimals(count)
        self._fitSlider()

    value = _Property(float, lambda self: self._box.value() if self._before is None else self._before, setValue)
    tracking = _Property(bool, lambda self: self._tracking, lambda self, value: setattr(self, "_tracking", value))
    minimum = _Property(float, lambda self: self._box.minimum(), _setMinimum)
    maximum = _Property(float, lambda self: self._box.maximum(), _setMaximum)
    singleStep = _Property(float, lambda self: self._box.singleStep(), lambda self, v: self._box.setSingleStep(v))
    decimals = _Property(int, lambda self: self._box.decimals(), _setDecimals)
    suffix = _Property(str, lambda self: self._box.suffix(), lambda self, v: self._box.setSuffix(v))


class ctkPathLineEdit(QtWidgets.QWidget):
    """A line for a path with a button that browses; the history is left out."""

    currentPathChanged = _QtSignal(str)

    def __init__(self, parent=None) -> None:
        QtWidgets.QWidget.__init__(self, parent)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._line, self._settingKey = QtWidgets.QLineEdit(), ""
        row.addWidget(self._line)
        button = QtWidgets.QToolButton()
        button.setText("...")
        row.addWidget(button)
        self._line.textChanged.connect(self.currentPathChanged.emit)

    def setCurrentPath(self, path: str) -> None:
        self._line.setText(path)

    def addCurrentPathToHistory(self) -> None:
        pass

    def _setSettingKey(self, key: str) -> None:
        self._settingKey = key

    currentPath = _Property(str, lambda self: self._line.text(), setCurrentPath)
    settingKey = _Property(str, lambda self: self._settingKey, _setSettingKey)


class qMRMLWidget(QtWidgets.QWidget):
    """Passes the scene on to the widgets connected in the .ui file."""

    mrmlSceneChanged = _QtSignal(object)

    def __init__(self, parent=None) -> None:
        QtWidgets.QWidget.__init__(self, parent)
        self._scene = None

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)


def _option(name: str, kind):
    def put(self, value) -> None:
        self._options[name] = list(value) if kind == "QStringList" else value
        self._refresh()

    return _Property(kind, lambda self: self._options[name], put)


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """A combo box of the nodes of some classes; it follows the scene."""

    currentNodeChanged = _QtSignal(object)
    addEnabled, removeEnabled = _option("addEnabled", bool), _option("removeEnabled", bool)
    renameEnabled, editEnabled = _option("renameEnabled", bool), _option("editEnabled", bool)
    noneEnabled, noneDisplay = _option("noneEnabled", bool), _option("noneDisplay", str)
    showChildNodeTypes = _option("showChildNodeTypes", bool)
    nodeTypes = _option("nodeTypes", "QStringList")
    hideChildNodeTypes = _option("hideChildNodeTypes", "QStringList")

    def __init__(self, parent=None) -> None:
        QtWidgets.QWidget.__init__(self, parent)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._combo = QtWidgets.QComboBox()
        row.addWidget(self._combo)
        self._scene, self._tags, self._ids = None, (), []
        self._attributes: dict[str, tuple[str, str]] = {}
        self._options = {
            "nodeTypes": [],
            "hideChildNodeTypes": [],
            "noneDisplay": "None",
            **dict.fromkeys(("addEnabled", "removeEnabled", "renameEnabled", "editEnabled", "noneEnabled"), False),
            "showChildNodeTypes": True,
        }
        self._combo.currentIndexChanged.connect(lambda _index: self._emit())

    def setMRMLScene(self, scene) -> None:
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        self._tags = ()
        if scene is not None:
            events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent)
            self._tags = tuple(scene.AddObserver(event, lambda *_: self._refresh()) for event in events)
        self._refresh()

    def mrmlScene(self):
        return self._scene

    def currentNode(self):
        index = self._combo.currentIndex()
        chosen = self._ids[index] if 0 <= index < len(self._ids) else None
        return self._scene.GetNodeByID(chosen) if chosen and self._scene else None

    def setCurrentNode(self, node) -> None:
        if isinstance(node, str):
            raise ValueError("setCurrentNode takes a node, currentNodeID its id")
        self._setID(node.GetID() if node is not None else None)

    def addAttribute(self, nodeType: str, name: str, value: str) -> None:
        """List nodes of a class only where they have an attribute of that value."""
        self._attributes[nodeType] = name, value
        self._refresh()

    def nodeCount(self) -> int:
        return len(self._ids) - bool(self._options["noneEnabled"])

    def _setID(self, nodeID) -> None:
        self._refresh()
        if nodeID in self._ids:
            self._combo.setCurrentIndex(self._ids.index(nodeID))
        elif nodeID is None:
            self._combo.setCurrentIndex(-1)

    def _refresh(self) -> None:
        chosen = self.currentNode()
        chosenID = chosen.GetID() if chosen is not None else None
        nodes = []
        if self._scene is not None:
            for kind in self._options["nodeTypes"]:
                for node in slicer.util.getNodesByClass(kind, self._scene):
                    exact = node.GetClassName() == kind
                    name, value = self._attributes.get(kind, ("", None))
                    if name and node.GetAttribute(name) != value:
                        continue
                    if not node.GetHideFromEditors() and (exact or self._options["showChildNodeTypes"]):
                        nodes.append(node)
        ids = [node.GetID() for node in nodes]
        names = [node.GetName() for node in nodes]
        if self._options["noneEnabled"]:
            ids, names = [None, *ids], [self._options["noneDisplay"], *names]
        if ids == self._ids and names == [self._combo.itemText(i) for i in range(self._combo.count())]:
            return
        self._combo.blockSignals(True)
        self._combo.clear()
        self._ids = ids
        self._combo.addItems(names)
        self._combo.setCurrentIndex(ids.index(chosenID) if chosenID in ids else (0 if None in ids else -1))
        self._combo.blockSignals(False)
        if chosenID not in ids:
            self._emit()

    def _emit(self) -> None:
        self.currentNodeChanged.emit(self.currentNode())
