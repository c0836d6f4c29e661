"""What the panel remembers in the scene; its choices for a deblurring are those of DSADeblurLib.request."""

from __future__ import annotations

import enum
import typing
from typing import Annotated

from slicer import vtkMRMLMarkupsLineNode, vtkMRMLScalarVolumeNode, vtkMRMLSequenceNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper, parameterPack

from DSADeblurLib.options import Flag, Number, OneOf, Option, WholeNumber
from DSADeblurLib.request import DeblurRequest, UserFacts
from DSADeblurScene.layouts import CompareView


def labels() -> dict[tuple[str, str], str]:
    """How the panel names the words of a choice; others are shown as they are."""
    fromHeader = _("As the header says")
    return {
        ("device", "cpu"): _("Processor (CPU)"),
        ("device", "cuda"): _("Graphics card (GPU, CUDA)"),
        ("engine", "torch"): _("PyTorch"),
        ("engine", "openvino"): _("OpenVINO"),
        ("subtract", "auto"): fromHeader,
        ("subtract", "always"): _("Subtract"),
        ("subtract", "find"): _("Subtract, find the mask"),
        ("subtract", "never"): _("Do not subtract"),
        ("registration", "none"): _("None"),
        ("registration", "shift"): _("One shift for each frame"),
        ("registration", "deformation"): _("Shift and smooth deformation"),
        ("order", "subtract-first"): _("Subtract, then deblur"),
        ("order", "deblur-first"): _("Deblur, then subtract"),
        ("relationship", ""): fromHeader,
        ("relationship", "LIN"): _("Brightness proportional to X-rays"),
        ("relationship", "LOG"): _("Brightness logarithmic in X-rays"),
        ("relationship", "DISP"): _("Made for display only"),
        ("polarity", ""): fromHeader,
        ("polarity", "keep"): _("Bright means many X-rays"),
        ("polarity", "invert"): _("Bright means few X-rays"),
        ("content", ""): fromHeader,
        ("content", "native"): _("Native: as the X-rays came"),
        ("content", "subtracted"): _("Subtracted by the device"),
        ("compression", "none"): _("None"),
        ("compression", "jpeg-ls"): _("JPEG-LS, lossless"),
        ("compression", "jpeg-2000"): _("JPEG 2000, lossless"),
        ("compression", "rle"): _("RLE, lossless"),
    }


class Words(enum.Enum):
    """Base of the enumerations of a choice's words; each is named like the choice."""

    def label(self) -> str:
        """What a combo box shows."""
        own = labels().get((type(self).__name__, self.value))
        return own or (_("Automatic") if self.value == "auto" else self.value)


def _words(name: str, option: OneOf) -> type[Words]:
    words = ("", *option.choices) if option.optional else option.choices
    # The functional call of an enumeration that has no members yet, which mypy takes for the look-up of one.
    return Words(name, {word.upper().replace("-", "_") or "HEADER": word for word in words})  # type: ignore[call-arg, return-value]


def _parameter(name: str, option: Option, default) -> tuple[object, object]:
    """Type and default of the parameter of a choice. 0, or an empty text, leaves an optional one to the header."""
    if isinstance(option, OneOf):
        words = _words(name, option)
        return words, words(default or "")
    if isinstance(option, Flag):
        return bool, default
    if isinstance(option, Number):
        kind = int if isinstance(option, WholeNumber) else float
        least = 0 if option.optional else option.minimum
        return Annotated[kind, WithinRange(least, option.maximum)], kind(default or 0)
    return str, option.text(default)


def packOf(request: type[DeblurRequest]):
    """A parameter pack with one parameter for each choice of a request, under the choice's name."""
    options, defaults = request.every_option(), request().as_dict()
    shown = {name: _parameter(name, one, defaults[name]) for name, one in options.items() if one.in_panel}
    members = {name: default for name, (_kind, default) in shown.items()}
    annotations = {name: kind for name, (kind, _default) in shown.items()}
    return parameterPack(type(request.__name__ + "Parameters", (), {**members, "__annotations__": annotations}))


if typing.TYPE_CHECKING:
    # Its members are known only when it is made.
    RequestParameters: typing.TypeAlias = typing.Any
else:
    RequestParameters = packOf(DeblurRequest)


class ExportFormat(enum.Enum):
    """What a result is exported as; the values are DSADeblurScene.export.FORMATS."""

    DICOM = "dicom"
    DATABASE = "database"
    PNG = "png"
    GIF = "gif"
    MP4 = "mp4"

    def label(self) -> str:
        names = {"dicom": _("DICOM file"), "database": _("DICOM database"), "png": _("PNG picture")}
        return names.get(self.value) or {"gif": _("GIF film"), "mp4": _("MP4 film")}[self.value]


class MeasuringMethod(enum.Enum):
    """How diameters are measured; the values are DSADeblurLib.measurement.diameter.METHODS."""

    MODEL_FIT = "model fit"
    HALF_MAXIMUM = "half maximum"
    DERIVATIVE = "derivative"
    DENSITOMETRIC = "densitometric"

    def label(self) -> str:
        return {
            "model fit": _("Model fit, without the blur"),
            "half maximum": _("Full width at half maximum"),
            "derivative": _("Edges by the derivative"),
            "densitometric": _("Densitometric"),
        }[self.value]


class StenosisDefinition(enum.Enum):
    """Whose degree of stenosis is shown; the values are DSADeblurLib.measurement.markup.DEFINITIONS."""

    NASCET = "NASCET"
    ECST = "ECST"
    WASID = "WASID"

    def label(self) -> str:
        return {
            "NASCET": _("NASCET: by the normal vessel behind it"),
            "ECST": _("ECST: by the vessel as it was there"),
            "WASID": _("WASID: by the normal vessel before it"),
        }[self.value]


@parameterNodeWrapper
class DSADeblurParameterNode:
    """Parameters of the panel.

    inputNode - run to deblur: a sequence of 2D frames, or a volume with one frame or a stack of frames.
    request - the choices for its deblurring.
    outputNode - an earlier result of this run that the next one replaces; none for a new node.
    outputName - of the next result; empty for the default.
    derivedNode - the last result, for the compare and export buttons.
    exportFolder - of exported files.
    exportReviewed - a person looked at every frame of the last result, and no text is burned in.
    calibration - kind of calibration; empty for the default of the run's header.
    referenceLine - drawn across a catheter, or along a known distance.
    frenchSize - of that catheter; knownDistance - that distance in mm.
    background - percent of the anatomy shown with a subtracted run.
    compareView - how a result is compared with its original.
    flickersByItself, flickerPerSecond - the clock of the flicker view, in changes per second.
    measuringMethod, stenosisDefinition - of diameters and of the degree of stenosis.
    """

    inputNode: typing.Union[vtkMRMLSequenceNode, vtkMRMLScalarVolumeNode, None]  # noqa: UP007
    request: RequestParameters
    outputNode: typing.Union[vtkMRMLSequenceNode, vtkMRMLScalarVolumeNode, None]  # noqa: UP007
    outputName: str = ""
    derivedNode: typing.Union[vtkMRMLSequenceNode, vtkMRMLScalarVolumeNode, None]  # noqa: UP007
    exportFormat: ExportFormat = ExportFormat.DICOM
    exportFolder: str = ""
    exportDropIdentity: bool = False
    exportReviewed: bool = False
    calibration: str = ""
    referenceLine: typing.Union[vtkMRMLMarkupsLineNode, None]  # noqa: UP007
    frenchSize: Annotated[float, WithinRange(1, 40)] = 5
    knownDistance: Annotated[float, WithinRange(0.1, 1000)] = 10
    background: Annotated[float, WithinRange(0, 100)] = 20
    compareView: CompareView = CompareView.PAIR
    flickersByItself: bool = True
    flickerPerSecond: Annotated[float, WithinRange(0.5, 3)] = 1
    measuringMethod: MeasuringMethod = MeasuringMethod.MODEL_FIT
    stenosisDefinition: StenosisDefinition = StenosisDefinition.NASCET

    if typing.TYPE_CHECKING:  # what the wrapper adds

        def __init__(self, parameterNode) -> None: ...

        def connectGui(self, gui) -> int: ...

        def disconnectGui(self, tag: int | None) -> None: ...


def requestFrom(
    parameters: RequestParameters, request: type[DeblurRequest] = DeblurRequest, **choices
) -> DeblurRequest:
    """The choices in a parameter pack, and in place of some of them others by name.

    Raises:
        RequestError (a ValueError): one sentence, if one of them is not usable, or two contradict each other.
    """
    options = {name: one for name, one in request.every_option().items() if name not in choices}
    return request.of(**_choices(parameters, options), **choices)


def shownRequest(parameters: RequestParameters) -> DeblurRequest:
    """The choices to show a run by; what the user says of the run alone where others are not usable."""
    try:
        return requestFrom(parameters)
    except ValueError:
        return DeblurRequest(facts=factsFrom(parameters))


def factsFrom(parameters: RequestParameters) -> UserFacts:
    """What the user says about the run; nothing where that is not usable, which `requestFrom` tells."""
    try:
        return UserFacts(**_choices(parameters, dict(UserFacts.options())))
    except ValueError:
        return UserFacts()


def _choices(parameters: RequestParameters, options: dict[str, Option]) -> dict:
    return {
        name: _choice(name, option, getattr(parameters, name)) for name, option in options.items() if option.in_panel
    }


def _choice(name: str, option: Option, value):
    if isinstance(option, OneOf):
        return value.value or None
    if isinstance(option, Number):
        return None if option.optional and not value else value
    return value if isinstance(option, Flag) else option.parsed(name, value)
