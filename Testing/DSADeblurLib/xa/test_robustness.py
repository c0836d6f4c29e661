"""Whatever a file contains, reading it gives a run or one XAReadError."""

import random

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import JPEGLSLossless

from DSADeblurLib.xa import Provenance, Run, XAReadError, XAWriteError, plan_subtraction, read_run
from DSADeblurLib.xa.derived.derived_object import write_derived
from DSADeblurLib.xa.file.frame_stack import FrameStack

pytestmark = pytest.mark.slow

_KEYWORDS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "ImageType",
    "Modality",
    "PatientName",
    "SpecificCharacterSet",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PixelIntensityRelationship",
    "FrameTime",
    "FrameIncrementPointer",
    "FrameTimeVector",
    "FocalSpots",
    "DistanceSourceToDetector",
    "DistanceSourceToPatient",
    "ImagerPixelSpacing",
    "EstimatedRadiographicMagnificationFactor",
    "MaskSubtractionSequence",
    "WindowCenter",
    "WindowWidth",
    "DerivationDescription",
    "DerivationCodeSequence",
    "PositionerMotion",
    "PositionerPrimaryAngleIncrement",
    "SeriesNumber",
    "ModalityLUTSequence",
    "RadiationSetting",
    "ContributingEquipmentSequence",
    "LossyImageCompression",
)
_QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    from DSADeblurLib.lab.simulation.xa_object import write_simulated_run

    folder = tmp_path_factory.mktemp("originals")
    frames = np.random.default_rng(0).integers(0, 4096, (3, 16, 18), dtype=np.uint16)
    options = {
        "frame_time_ms": 100,
        "focal_spot_mm": 0.6,
        "sid_mm": 1100,
        "sod_mm": 720,
        "imager_pixel_spacing_mm": 0.154,
        "mask_frames": [1],
        "contrast_frames": [2, 3],
    }
    native = write_simulated_run(folder / "native.dcm", frames, transfer_syntax="1.2.840.10008.1.2.1", **options)
    packed = write_simulated_run(
        folder / "packed.dcm", frames, relationship="LOG", transfer_syntax=JPEGLSLossless, **options
    )
    return native.read_bytes(), packed.read_bytes()


def _use_everything(path):
    """Read a file as far as it goes; only the two errors of the package may come out."""
    try:
        run = read_run(path)
        assert isinstance(run, Run) and isinstance(run.frames, FrameStack)
        assert all(isinstance(one, str) and one for one in run.warnings)
        run.as_dict(), run.acquisition.rows(), plan_subtraction(run)
        for frame in run.frames:
            assert frame.shape == run.frames.shape[1:]
        write_derived(
            path.with_name("derived.dcm"),
            run,
            run.frames,
            frame_numbers=range(1, len(run.frames) + 1),
            provenance=Provenance("model", "0" * 64, "1"),
        )
    except (XAReadError, XAWriteError) as error:
        message = str(error)
        assert message and "\n" not in message and len(message) < 400


@_QUIET
@given(seed=st.integers(0, 2**32), packed=st.booleans())
def test_changed_bytes(originals, tmp_path, seed, packed):
    rng = random.Random(seed)
    data = bytearray(originals[packed])
    for _ in range(rng.choice((1, 3, 20))):
        at = rng.randrange(128, len(data))
        action = rng.randrange(4)
        if action == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif action == 1:
            data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xf0\xff\xff\xff"))
        elif action == 2:
            del data[at : at + rng.randrange(1, 40)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 20))
    path = tmp_path / "changed.dcm"
    path.write_bytes(data)
    _use_everything(path)


@_QUIET
@given(cut=st.integers(0, 4000), packed=st.booleans())
def test_cut_files(originals, tmp_path, cut, packed):
    path = tmp_path / "cut.dcm"
    path.write_bytes(originals[packed][:cut])
    _use_everything(path)


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, while the test writes what is wrong on purpose
@_QUIET
@given(
    changes=st.dictionaries(
        st.sampled_from(_KEYWORDS),
        st.one_of(
            st.binary(max_size=24),
            st.sampled_from(
                (
                    b"nan",
                    b"-1",
                    b"0",
                    b"inf\\1",
                    b"1e400",
                    b"1\\2\\3",
                    b"\0\0",
                    b"ABC",
                    b"99999999999",
                    b"YES\\NO",
                    b"1.2.840.10008.5.1.4.1.1.7.3",
                )
            ),
        ),
        min_size=1,
        max_size=3,
    ),
    packed=st.booleans(),
)
def test_changed_values(originals, tmp_path, changes, packed):
    path = tmp_path / "values.dcm"
    path.write_bytes(originals[packed])
    dataset = pydicom.dcmread(path)
    for keyword, value in changes.items():
        tag = Tag(tag_for_keyword(keyword))
        value += b" " * (len(value) % 2)
        vr = dictionary_VR(tag)
        dataset._dict[tag] = RawDataElement(tag, vr if vr != "SQ" else "UN", len(value), value, 0, False, True)
    try:
        dataset.save_as(path)
    except Exception:
        # pydicom decodes some values before it writes them; what it cannot write cannot be tested here.
        return
    _use_everything(path)
