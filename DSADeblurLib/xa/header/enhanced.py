"""Enhanced XA and XRF objects read as classic ones: functional groups turned into the attributes of the XA IOD."""

import copy
import math
from collections.abc import Iterator

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.valuerep import format_number_as_ds

from DSADeblurLib.xa.file.elements import integers_of, items_of, moment_of, numbers_of, text_of, texts_of

ENHANCED_XA, ENHANCED_XRF = "1.2.840.10008.5.1.4.1.1.12.1.1", "1.2.840.10008.5.1.4.1.1.12.2.1"
ENHANCED_CLASSES = (ENHANCED_XA, ENHANCED_XRF)
# Functional group -> attributes to take from it (PS3.3 C.7.6.16.2, C.8.19.6); () takes all.
_GROUPS = {
    "FramePixelDataPropertiesSequence": ("ImagerPixelSpacing", "PixelIntensityRelationshipSign"),
    "XRayGeometrySequence": ("DistanceSourceToDetector", "DistanceSourceToIsocenter"),
    "ProjectionPixelCalibrationSequence": ("ObjectPixelSpacingInCenterOfBeam",),
    "FrameVOILUTSequence": (),
    "FrameDisplayShutterSequence": (),
    "CollimatorShapeSequence": (),
    "XAXRFFrameCharacteristicsSequence": (),
    "FrameAnatomySequence": ("AnatomicRegionSequence",),
    "IrradiationEventIdentificationSequence": ("IrradiationEventUID",),
}
_CLASSIC_NAMES = {
    "DistanceSourceToIsocenter": "DistanceSourceToPatient",
    "ObjectPixelSpacingInCenterOfBeam": "PixelSpacing",
}
# What differs from frame to frame although a classic object has one value for the run.
_MENTIONED = {
    "ImagerPixelSpacing": "Imager Pixel Spacing",
    "DistanceSourceToDetector": "Source to detector distance",
    "DistanceSourceToIsocenter": "Source to isocentre distance",
    "CollimatorShape": "Collimator",
    "CollimatorLeftVerticalEdge": "Collimator",
    "CollimatorRightVerticalEdge": "Collimator",
    "CollimatorUpperHorizontalEdge": "Collimator",
    "CollimatorLowerHorizontalEdge": "Collimator",
    "ShutterShape": "Shutter",
    "ShutterLeftVerticalEdge": "Shutter",
    "ShutterRightVerticalEdge": "Shutter",
    "WindowCenter": "Window",
    "WindowWidth": "Window",
}
_MOTION = (
    ("PositionerPositionSequence", "PositionerPrimaryAngle", "PositionerPrimaryAngleIncrement"),
    ("PositionerPositionSequence", "PositionerSecondaryAngle", "PositionerSecondaryAngleIncrement"),
    ("TablePositionSequence", "TableTopVerticalPosition", "TableVerticalIncrement"),
    ("TablePositionSequence", "TableTopLongitudinalPosition", "TableLongitudinalIncrement"),
    ("TablePositionSequence", "TableTopLateralPosition", "TableLateralIncrement"),
)
_EXPOSURE = (
    ("XRayTubeCurrentInmA", "XRayTubeCurrent"),
    ("ExposureTimeInms", "ExposureTime"),
    ("ExposureInmAs", "Exposure"),
)


def make_classic(dataset: Dataset, frames: int) -> None:
    """Say at the top level of an enhanced object, as a classic one does, what its functional groups say.

    One value for the run is that of the first frame; `differences` tells where it is not that of all. The pixel
    intensity relationship is only taken where it holds for all frames: OTHER with a table to linear intensity is the
    classic DISP, LIN and LOG stay, anything else is left to be asked for. The functional groups stay, and objects of
    other classes are not changed.
    """
    if text_of(dataset, "SOPClassUID") not in ENHANCED_CLASSES:
        return
    for sequence, wanted in _GROUPS.items():
        first = next(_items(dataset, sequence, frames))
        if first is None:
            continue
        for keyword in map(keyword_for_tag, first.keys()):
            if keyword and (not wanted or keyword in wanted):
                _copy_classic(first, keyword, dataset)
    _relationship(dataset, frames)
    _times(dataset, frames)
    _motion(dataset, frames)
    _masks(dataset, frames)
    _other_plane(dataset)
    for keyword, classic in _EXPOSURE:
        value = numbers_of(dataset, keyword)
        if value and len(value) == 1 and classic not in dataset and 0 <= value[0] < 2**31:
            setattr(dataset, classic, round(value[0]))


def differences(dataset: Dataset, frames: int) -> tuple[str, ...]:
    """Return a sentence for each fact of which a classic object has one value and this one has several."""
    if text_of(dataset, "SOPClassUID") not in ENHANCED_CLASSES:
        return ()
    sentences = []
    described = len(items_of(dataset, "PerFrameFunctionalGroupsSequence"))
    if described != frames:
        sentences.append(
            f"Functional groups describe {described} frames, file holds {frames}: "
            "what they say of single frames is not used."
        )
    for sequence in _GROUPS:
        items = list(_items(dataset, sequence, frames))
        for keyword, name in _MENTIONED.items():
            if len({texts_of(item, keyword) for item in items if item is not None}) > 1:
                sentences.append(f"{name} differs between frames; that of frame 1 is used.")
    if len(set(_relationships(dataset, frames))) > 1:
        sentences.append("Pixel intensity relationship differs between frames.")
    return tuple(dict.fromkeys(sentences))


def _items(dataset: Dataset, sequence: str, frames: int) -> Iterator[Dataset | None]:
    """Yield the functional group's item that holds for each frame: its own, else the shared one, else None."""
    shared = [one for group in items_of(dataset, "SharedFunctionalGroupsSequence") for one in items_of(group, sequence)]
    per_frame = items_of(dataset, "PerFrameFunctionalGroupsSequence")
    for index in range(frames):
        own = items_of(per_frame[index], sequence) if len(per_frame) == frames else ()
        yield own[0] if own else (shared[0] if shared else None)


def _copy_classic(item: Dataset, keyword: str, dataset: Dataset) -> None:
    """Copy an element to the top level as classic objects have it: distances and edges are text there."""
    try:
        element = item[keyword]
        vr, value = element.VR, copy.deepcopy(element.value)
        if vr in ("FL", "FD"):
            vr, values = "DS", value if element.VM > 1 else [value]
            value = [format_number_as_ds(float(one)) for one in values if math.isfinite(one)]
        dataset.add_new(_CLASSIC_NAMES.get(keyword, keyword), vr, value)
    except Exception:
        # An element that pydicom cannot read is one that is not there.
        return


def _relationships(dataset: Dataset, frames: int) -> list[str]:
    return [
        text_of(item, "PixelIntensityRelationship") if item is not None else ""
        for item in _items(dataset, "FramePixelDataPropertiesSequence", frames)
    ]


def _relationship(dataset: Dataset, frames: int) -> None:
    found = set(_relationships(dataset, frames))
    tables = [
        item
        for item in _items(dataset, "PixelIntensityRelationshipLUTSequence", frames)
        if item is not None and text_of(item, "LUTFunction") == "TO_LINEAR"
    ]
    # Mostly it is one item for all frames, and tables are long.
    different = {id(item): item for item in tables}.values()
    shared = len({texts_of(item, "LUTData") for item in different}) == 1 and len(tables) == frames
    if len(found) != 1 or not found <= {"LIN", "LOG", "OTHER"}:
        return
    value = found.pop()
    if value == "OTHER" and shared:
        value = "DISP"
    dataset.PixelIntensityRelationship = value
    if shared and value != "LIN":
        table = copy.deepcopy(tables[0])
        del table["LUTFunction"]
        table.ModalityLUTType = "US"
        dataset.ModalityLUTSequence = [table]


def _times(dataset: Dataset, frames: int) -> None:
    """Turn the moments of the frames into a Frame Time Vector, unless the object has classic frame times."""
    if frames == 1 or text_of(dataset, "FrameTime") or texts_of(dataset, "FrameTimeVector"):
        return
    for keyword in ("FrameAcquisitionDateTime", "FrameReferenceDateTime"):
        items = list(_items(dataset, "FrameContentSequence", frames))
        found = (moment_of(item, keyword) for item in items if item is not None)
        moments = [one for one in found if one is not None]
        if len(moments) < len(items):
            continue
        steps = [(two - one).total_seconds() * 1000 for one, two in zip(moments, moments[1:], strict=False)]
        if min(steps) > 0:
            dataset.FrameIncrementPointer = 0x00181065
            dataset.FrameTimeVector = [format_number_as_ds(round(one, 3)) for one in (0.0, *steps)]
            return


def _motion(dataset: Dataset, frames: int) -> None:
    for sequence, position, increment in _MOTION:
        values = [numbers_of(item, position) if item is not None else () for item in _items(dataset, sequence, frames)]
        positions = [one[0] for one in values if one and len(one) == 1]
        if len(positions) < len(values):
            continue
        if position.startswith("Positioner"):
            setattr(dataset, position, format_number_as_ds(round(positions[0], 6)))
        offsets = [one - positions[0] for one in positions]
        moves = any(abs(one) > 1e-3 for one in offsets)
        stem = "PositionerMotion" if position.startswith("Positioner") else "TableMotion"
        if moves:
            setattr(dataset, increment, [format_number_as_ds(round(one, 6)) for one in offsets])
        if moves or not text_of(dataset, stem):
            setattr(dataset, stem, "DYNAMIC" if moves else "STATIC")


def _masks(dataset: Dataset, frames: int) -> None:
    """Let Frame Pixel Shift override the shift of the mask item with the same Subtraction Item ID (C.7.6.16.2.14)."""
    masks = items_of(dataset, "MaskSubtractionSequence")
    groups = (
        *items_of(dataset, "PerFrameFunctionalGroupsSequence"),
        *items_of(dataset, "SharedFunctionalGroupsSequence"),
    )
    shifts = [
        (integers_of(item, "SubtractionItemID"), texts_of(item, "MaskSubPixelShift"))
        for group in groups
        for item in items_of(group, "FramePixelShiftSequence")
    ]
    if masks and shifts:
        dataset.MaskSubtractionSequence = copied = [copy.deepcopy(one) for one in masks]
        for mask in copied:
            number = integers_of(mask, "SubtractionItemID")
            own = dict.fromkeys(shift for identity, shift in shifts if identity == number and number)
            if own:
                # Several pairs say that the shift differs between frames: no single shift is right, and none is used.
                mask.MaskSubPixelShift = [float(one) for shift in own for one in shift]
    modes = {text_of(item, "RecommendedViewingMode") for item in items_of(dataset, "FrameDisplaySequence")}
    if len(modes) == 1 and not text_of(dataset, "RecommendedViewingMode"):
        dataset.RecommendedViewingMode = modes.pop()


def _other_plane(dataset: Dataset) -> None:
    items = []
    for reference in items_of(dataset, "ReferencedOtherPlaneSequence"):
        item, purpose = copy.deepcopy(reference), Dataset()
        code = codes.DCM.OtherImageOfBiplanePair
        purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = code.value, "DCM", code.meaning
        item.PurposeOfReferenceCodeSequence = [purpose]
        items.append(item)
    if items:
        dataset.ReferencedImageSequence = items
