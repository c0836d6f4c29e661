"""What the panel remembers in the scene, and how its choices become options of a job."""

from __future__ import annotations

import enum
import typing
from typing import Annotated

from slicer import vtkMRMLMarkupsLineNode, vtkMRMLScalarVolumeNode, vtkMRMLSequenceNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from DSADeblurLib.restoration.settings import DEFAULT_MODEL, DeblurSettings
from DSADeblurLib.user_facts import UserFacts
from DSADeblurScene.input import readInput
from DSADeblurScene.job import Options


class DeviceChoice(enum.Enum):
    """Where the network runs."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"

    def label(self) -> str:
        return {"auto": _("Automatic"), "cpu": _("CPU"), "cuda": _("GPU (CUDA)")}[self.value]


class PrecisionChoice(enum.Enum):
    """Number format of the convolutions."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"

    def label(self) -> str:
        return _("Automatic") if self is PrecisionChoice.AUTO else self.value


class TileChoice(enum.Enum):
    """Side of the square tiles in pixels; 0 lets the worker choose."""

    AUTO = 0
    PIXELS_128 = 128
    PIXELS_256 = 256
    PIXELS_512 = 512
    PIXELS_1024 = 1024

    def label(self) -> str:
        return _("{size} pixels").format(size=self.value) if self.value else _("Automatic")


class SubtractionChoice(enum.Enum):
    """Whether a mask is subtracted before deblurring."""

    AUTO = "auto"
    ALWAYS = "always"
    FIND = "find"
    NEVER = "never"

    def label(self) -> str:
        names = {"always": _("Subtract"), "find": _("Subtract, find the mask"), "never": _("Do not subtract")}
        return names.get(self.value) or _("As the header says")


class RegistrationChoice(enum.Enum):
    """How the mask is moved onto each frame; the values are DSADeblurLib.xa.subtraction.plan.REGISTRATIONS."""

    NONE = "none"
    SHIFT = "shift"
    DEFORMATION = "deformation"

    def label(self) -> str:
        names = {"none": _("None"), "shift": _("One shift for each frame")}
        return names.get(self.value) or _("Shift and smooth deformation")


class OrderChoice(enum.Enum):
    """Whether the difference is deblurred or its two parts; the values are DSADeblurLib.pipeline.ORDERS."""

    SUBTRACT_FIRST = "subtract-first"
    DEBLUR_FIRST = "deblur-first"

    def label(self) -> str:
        return _("Subtract, then deblur") if self is OrderChoice.SUBTRACT_FIRST else _("Deblur, then subtract")


class PolarityChoice(enum.Enum):
    """Of MONOCHROME1 and signed pixels; the values are DSADeblurLib.xa.file.stored_pixels.POLARITIES."""

    HEADER = ""
    KEEP = "keep"
    INVERT = "invert"

    def label(self) -> str:
        names = {"keep": _("Values rise with the X-rays"), "invert": _("Values fall with the X-rays")}
        return names.get(self.value) or _("As the header says")


class RelationshipChoice(enum.Enum):
    """What the pixel values are: Pixel Intensity Relationship (0028,1040)."""

    HEADER = ""
    LIN = "LIN"
    LOG = "LOG"
    DISP = "DISP"

    def label(self) -> str:
        names = {"LIN": _("Linear in X-ray intensity"), "LOG": _("Logarithmic"), "DISP": _("For display only")}
        return names.get(self.value) or _("As the header says")


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


class CompressionChoice(enum.Enum):
    """Lossless compression of an exported DICOM object."""

    NONE = "none"
    JPEG_LS = "jpeg-ls"
    JPEG_2000 = "jpeg-2000"
    RLE = "rle"

    def label(self) -> str:
        names = {"none": _("None"), "jpeg-ls": _("JPEG-LS, lossless"), "jpeg-2000": _("JPEG 2000, lossless")}
        return names.get(self.value) or _("RLE, lossless")


@parameterNodeWrapper
class DSADeblurParameterNode:
    """What the panel remembers, also in a saved scene.

    inputNode - the run.
    model - name of a bundled model or a folder.
    sharpness, noiseReduction - percent; with both at 0 the input returns, see DSADeblurLib.restoration.controls.
    firstFrame, lastFrame - counted from 1; 0 stands for the first and the last of the run.
    maskFrames - text such as "1-3, 5"; empty for those of the header.
    shiftMask, maskShiftRows, maskShiftColumns - whether the mask is moved by hand, and by how many pixels.
    flipShift - take the header's shift of the mask with the other signs.
    focalSpot, magnification, detectorSpacing - mm, factor, mm; 0 for what the header says.
    derivedNode - the last result, for the compare and export buttons.
    exportFolder - of exported files.
    exportReviewed - a person looked at every frame of the last result, and no text is burned in.
    calibration - kind of calibration; empty for the default of the run's header.
    referenceLine - drawn across a catheter, or along a known distance.
    frenchSize - of that catheter; knownDistance - that distance in mm.
    background - percent of the anatomy shown with a subtracted run.
    """

    inputNode: typing.Union[vtkMRMLSequenceNode, vtkMRMLScalarVolumeNode, None]  # noqa: UP007
    model: str = DEFAULT_MODEL
    sharpness: Annotated[float, WithinRange(0, 100)] = 100 * DeblurSettings.sharpness
    noiseReduction: Annotated[float, WithinRange(0, 100)] = 100 * DeblurSettings.noise_reduction
    firstFrame: Annotated[int, WithinRange(0, 100000)] = 0
    lastFrame: Annotated[int, WithinRange(0, 100000)] = 0
    subtraction: SubtractionChoice = SubtractionChoice.AUTO
    maskFrames: str = ""
    shiftMask: bool = False
    maskShiftRows: Annotated[float, WithinRange(-200, 200)] = 0
    maskShiftColumns: Annotated[float, WithinRange(-200, 200)] = 0
    flipShift: bool = False
    registration: RegistrationChoice = RegistrationChoice.NONE
    order: OrderChoice = OrderChoice.SUBTRACT_FIRST
    relationship: RelationshipChoice = RelationshipChoice.HEADER
    polarity: PolarityChoice = PolarityChoice.HEADER
    focalSpot: Annotated[float, WithinRange(0, 5)] = 0
    magnification: Annotated[float, WithinRange(0, 3)] = 0
    detectorSpacing: Annotated[float, WithinRange(0, 0.6)] = 0
    device: DeviceChoice = DeviceChoice.AUTO
    precision: PrecisionChoice = PrecisionChoice.AUTO
    tile: TileChoice = TileChoice.AUTO
    derivedNode: typing.Union[vtkMRMLSequenceNode, vtkMRMLScalarVolumeNode, None]  # noqa: UP007
    exportFormat: ExportFormat = ExportFormat.DICOM
    exportFolder: str = ""
    exportCompression: CompressionChoice = CompressionChoice.NONE
    exportDropIdentity: bool = False
    exportReviewed: bool = False
    calibration: str = ""
    referenceLine: typing.Union[vtkMRMLMarkupsLineNode, None]  # noqa: UP007
    frenchSize: Annotated[float, WithinRange(1, 40)] = 5
    knownDistance: Annotated[float, WithinRange(0.1, 1000)] = 10
    background: Annotated[float, WithinRange(0, 100)] = 20


def optionsFrom(parameters: DSADeblurParameterNode) -> Options:
    """The choices in a parameter node.

    Raises:
        ValueError: one sentence, if one of them is not usable.
    """
    first, last = parameters.firstFrame, parameters.lastFrame
    frames = None
    if first or last:
        frames = (first or 1, last or numberOfFrames(parameters.inputNode))
    settings = DeblurSettings(
        device=parameters.device.value,
        precision=parameters.precision.value,
        tile=parameters.tile.value or None,
        sharpness=parameters.sharpness / 100,
        noise_reduction=parameters.noiseReduction / 100,
        frames=frames,
    )
    return Options(
        model=parameters.model,
        settings=settings,
        subtraction=parameters.subtraction.value,
        maskFrames=parseFrameNumbers(parameters.maskFrames),
        maskShift=(parameters.maskShiftRows, parameters.maskShiftColumns) if parameters.shiftMask else None,
        flipShift=parameters.flipShift,
        registration=parameters.registration.value,
        order=parameters.order.value,
        said=userFacts(parameters),
    )


def userFacts(parameters: DSADeblurParameterNode) -> UserFacts:
    """What the user says about the run where its header is silent or wrong."""
    return UserFacts(
        focal_spot_mm=parameters.focalSpot or None,
        magnification=parameters.magnification or None,
        detector_spacing_mm=parameters.detectorSpacing or None,
        relationship=parameters.relationship.value or None,
        polarity=parameters.polarity.value or None,
    )


def numberOfFrames(node) -> int:
    """Frames of a run in the scene."""
    return len(readInput(node).frames)


def parseFrameNumbers(text: str) -> tuple[int, ...] | None:
    """Frame numbers from a text such as "1-3, 5"; None when it is empty.

    Raises:
        ValueError: one sentence, if it cannot be read.
    """
    numbers: list[int] = []
    for part in text.replace(";", ",").split(","):
        if not part.strip():
            continue
        try:
            first, dash, last = part.partition("-")
            first = int(first)
            last = int(last) if dash else first
        except ValueError:
            first, last = 0, 0
        if not 1 <= first <= last <= 100000:
            raise ValueError(
                _("Mask frames must be numbers such as 1-3, 5, not {text}.").format(text=repr(text))
            ) from None
        numbers.extend(range(first, last + 1))
    return tuple(dict.fromkeys(numbers)) or None
