"""Test-only stand-in for slicer.parameterNodeWrapper: strict, with the field types and widgets this module uses.

Values are stored in the parameter node as Slicer stores them: numbers and texts as they are, an enumeration by the
name of its member, nodes as references.
"""

from __future__ import annotations

import copy
import enum
import typing
from dataclasses import dataclass

import slicer
import vtk

__all__ = ["Choice", "WithinRange", "parameterNodeWrapper", "parameterPack"]


@dataclass(frozen=True)
class WithinRange:
    """Bounds of a number, both allowed."""

    minimum: float
    maximum: float

    def validate(self, value) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within {self.minimum} to {self.maximum}")


@dataclass(frozen=True)
class Choice:
    """The values allowed."""

    choices: tuple

    def validate(self, value) -> None:
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {self.choices}")


class _Field:
    """One typed parameter of a node."""

    def __init__(self, name: str, hint, default) -> None:
        self.name = name
        self.kind, *self.annotations = typing.get_args(hint) if typing.get_origin(hint) is typing.Annotated else (hint,)
        self.default = default
        members = typing.get_args(self.kind) if typing.get_origin(self.kind) is typing.Union else (self.kind,)
        self.nodeClasses = tuple(
            kind for kind in members if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)
        )
        if self.nodeClasses:
            if set(members) - set(self.nodeClasses) - {type(None)}:
                raise TypeError(f"{name}: nodes and other types cannot be mixed")
        elif self.kind not in (bool, int, float, str) and not self.isEnum and not self.isPack:
            raise TypeError(f"{name}: no parameter can be of type {self.kind}")
        if default is None and not self.nodeClasses:
            self.default = next(iter(self.kind)) if self.isEnum else self.kind()

    @property
    def isEnum(self) -> bool:
        return isinstance(self.kind, type) and issubclass(self.kind, enum.Enum)

    @property
    def isPack(self) -> bool:
        return isinstance(self.kind, type) and issubclass(self.kind, _Pack)

    def isIn(self, node) -> bool:
        if self.nodeClasses:
            return True
        if self.isPack:  # as Slicer does: the first one stands for all
            return next(iter(self.members())).isIn(node)
        return self.name in node.GetParameterNames()

    def members(self) -> list[_Field]:
        """The parameters of a pack under their names in the node."""
        return [one.renamed(f"{self.name}.{name}") for name, one in self.kind.allParameters.items()]

    def renamed(self, name: str) -> _Field:
        other = copy.copy(self)
        other.name = name
        return other

    def read(self, node):
        if self.nodeClasses:
            return node.GetNodeReference(self.name)
        if self.isPack:
            return self.kind._of(node, self.name)
        text = node.GetParameter(self.name)
        if self.isEnum:
            return self.kind[text]
        return text == "True" if self.kind is bool else self.kind(text)

    def write(self, node, value) -> None:
        if self.isPack:
            if not isinstance(value, self.kind):
                raise TypeError(f"{self.name} takes {self.kind}, not {value!r}")
            for name, one in zip(self.kind.allParameters, self.members(), strict=True):
                one.write(node, getattr(value, name))
            return
        if self.nodeClasses:
            if value is not None and not isinstance(value, self.nodeClasses):
                raise TypeError(f"{self.name} takes {self.nodeClasses}, not {type(value)}")
            node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
            return
        value = self.checked(value)
        node.SetParameter(self.name, value.name if self.isEnum else str(value))

    def checked(self, value):
        """The value, if it is one of a number, a text or an enumeration."""
        if self.kind is float and type(value) is int:
            value = float(value)
        if type(value) is not self.kind:
            raise TypeError(f"{self.name} takes {self.kind}, not {value!r}")
        for annotation in self.annotations:
            annotation.validate(value)
        return value


class _Pack:
    """What a parameter pack offers: typed attributes with values of their own, or those of a node."""

    allParameters: dict[str, _Field] = {}

    def __init__(self, **values) -> None:
        if unknown := set(values) - set(self.allParameters):
            raise TypeError(f"unexpected {unknown}")
        self._node, self._prefix = None, ""
        self._values = {name: one.checked(values.get(name, one.default)) for name, one in self.allParameters.items()}

    @classmethod
    def _of(cls, node, prefix: str) -> _Pack:
        pack = cls()
        pack._node, pack._prefix = node, prefix
        return pack

    def _read(self, name: str):
        if self._node is None:
            return self._values[name]
        return self.allParameters[name].renamed(f"{self._prefix}.{name}").read(self._node)

    def _write(self, name: str, value) -> None:
        if self._node is None:
            self._values[name] = self.allParameters[name].checked(value)
        else:
            self.allParameters[name].renamed(f"{self._prefix}.{name}").write(self._node, value)

    def __setattr__(self, name: str, value) -> None:
        if not name.startswith("_") and name not in self.allParameters:
            raise AttributeError(f"there is no parameter {name!r}")
        super().__setattr__(name, value)


def parameterPack(cls):
    """Class decorator: typed attributes that are one parameter of a parameter node."""
    fields = {
        name: _Field(name, hint, cls.__dict__.get(name))
        for name, hint in typing.get_type_hints(cls, include_extras=True).items()
    }
    members = {
        name: property(
            lambda self, name=name: self._read(name), lambda self, value, name=name: self._write(name, value)
        )
        for name in fields
    }
    pack = type(cls.__name__, (_Pack,), {**members, "allParameters": fields, "__doc__": cls.__doc__})
    pack()  # defaults must pass their own checks
    return pack


def parameterNodeWrapper(cls):
    """Class decorator: typed attributes that live in a vtkMRMLScriptedModuleNode and can be bound to widgets."""
    fields = {
        name: _Field(name, hint, cls.__dict__.get(name))
        for name, hint in typing.get_type_hints(cls, include_extras=True).items()
    }

    class Wrapper(_Wrapper):
        allParameters = fields

    for name, one in fields.items():
        setattr(Wrapper, name, property(one_reader(one), one_writer(one)))
    Wrapper.__name__ = Wrapper.__qualname__ = cls.__name__
    Wrapper.__doc__, Wrapper.__module__ = cls.__doc__, cls.__module__
    return Wrapper


def one_reader(one: _Field):
    return lambda self: one.read(self.parameterNode)


def one_writer(one: _Field):
    return lambda self, value: one.write(self.parameterNode, value)


class _Wrapper:
    """What a wrapped node offers beside its parameters."""

    __slots__ = ("parameterNode", "_bindings", "_updating")
    allParameters: dict[str, _Field] = {}

    def __init__(self, parameterNode) -> None:
        self.parameterNode = parameterNode
        self._bindings = {}
        self._updating = False
        for one in self.allParameters.values():
            if not one.isIn(parameterNode):
                one.write(parameterNode, one.default)

    def AddObserver(self, event, callback, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def connectGui(self, ui) -> int:
        """Bind every widget of `ui` with a dynamic property SlicerParameterName."""
        connectors = []
        for widget in vars(ui).values():
            name = widget.property("SlicerParameterName")
            if name:
                connectors.append(_Connector(widget, self._field(name, widget), self))
        tag = len(self._bindings)
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._writeGui(connectors))
        self._bindings[tag] = (observer, connectors)
        self._writeGui(connectors)
        return tag

    def _field(self, name: str, widget) -> _Field:
        top, _dot, member = name.partition(".")
        field = self.allParameters.get(top)
        if field is not None and member:
            field = next((one for one in field.members() if one.name == name), None) if field.isPack else None
        if field is None:
            raise ValueError(f"{widget.objectName} is bound to {name!r}, which is no parameter")
        return field

    def disconnectGui(self, tag: int) -> None:
        observer, connectors = self._bindings.pop(tag)
        self.RemoveObserver(observer)
        for connector in connectors:
            connector.disconnect()

    def _writeGui(self, connectors) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            for connector in connectors:
                connector.write()
        finally:
            self._updating = False


class _Connector:
    """One widget and one parameter, each following the other."""

    # class name of the widget: (signal, kinds of parameter)
    _SIGNALS = {
        "QLineEdit": ("textChanged", (str,)),
        "QCheckBox": ("stateChanged", (bool,)),
        "QSpinBox": ("valueChanged", (int,)),
        "QDoubleSpinBox": ("valueChanged", (int, float)),
        "ctkSliderWidget": ("valueChanged", (int, float)),
        "QComboBox": ("currentIndexChanged", (str, int, float)),
        "qMRMLNodeComboBox": ("currentNodeChanged", ()),
    }

    def __init__(self, widget, field: _Field, owner: _Wrapper) -> None:
        self._widget, self._field, self._owner = widget, field, owner
        self._className = widget.className()
        signal, kinds = self._SIGNALS.get(self._className, (None, ()))
        fits = field.kind in kinds or (self._className == "QComboBox" and field.isEnum)
        if not (fits or (self._className == "qMRMLNodeComboBox" and field.nodeClasses)):
            raise TypeError(f"{widget.objectName} ({self._className}) cannot show {field.name}")
        self._prepare()
        self._signal = getattr(widget, signal)
        self._signal.connect(self._changed)

    def disconnect(self) -> None:
        self._signal.disconnect(self._changed)

    def _prepare(self) -> None:
        widget, field = self._widget, self._field
        bounds = next((one for one in field.annotations if isinstance(one, WithinRange)), None)
        if self._className == "qMRMLNodeComboBox":
            widget.nodeTypes = [kind().GetClassName() for kind in field.nodeClasses]
        elif self._className == "QComboBox":
            choice = next((one for one in field.annotations if isinstance(one, Choice)), None)
            if not field.isEnum and choice is None:
                raise TypeError(f"{field.name} needs a Choice for a combo box")
            self._choices = list(field.kind) if field.isEnum else list(choice.choices)
            widget.clear()
            for one in self._choices:
                widget.addItem(getattr(one, "label", lambda one=one: getattr(one, "name", str(one)))())
        elif self._className == "ctkSliderWidget":
            if bounds is None:
                raise TypeError(f"{field.name} needs bounds for a slider")
            widget.minimum, widget.maximum = bounds.minimum, bounds.maximum
        elif self._className == "QSpinBox":
            widget.setRange(*((bounds.minimum, bounds.maximum) if bounds else (-(2**31), 2**31 - 1)))
        elif self._className == "QDoubleSpinBox" and bounds is not None:
            widget.setRange(bounds.minimum, bounds.maximum)

    def _changed(self, *_) -> None:
        if self._owner._updating:
            return
        widget = self._widget
        if self._className == "QComboBox":
            value = self._choices[widget.currentIndex]
        elif self._className == "qMRMLNodeComboBox":
            value = widget.currentNode()
        elif self._className == "QLineEdit":
            value = widget.text
        elif self._className == "QCheckBox":
            value = widget.checked
        else:
            value = self._field.kind(widget.value)
        self._field.write(self._owner.parameterNode, value)

    def write(self) -> None:
        widget, value = self._widget, self._field.read(self._owner.parameterNode)
        if self._className == "QComboBox":
            widget.currentIndex = self._choices.index(value)
        elif self._className == "qMRMLNodeComboBox":
            widget.setCurrentNode(value)
        elif self._className == "QLineEdit":
            if widget.text != value:
                widget.text = value
        elif self._className == "QCheckBox":
            widget.checked = value
        else:
            widget.value = value
