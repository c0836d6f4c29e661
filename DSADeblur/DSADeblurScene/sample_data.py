"""Offers the bundled simulated run in Slicer's Sample Data module; nothing is downloaded."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from DSADeblurLib.paths import sample_data_folder
from DSADeblurScene.slot import slot

CATEGORY = "DSA Deblur"


@slot
def registerSampleData() -> None:
    """Add one entry for each bundled run; called when the application has started.

    The button in the Sample Data module calls `loadSample`. SampleData.downloadSample() of a script does not know of
    it in any version: it reads the file as a stack of frames, which the module takes as well.
    """
    import SampleData

    for path in (sample_data_folder() / name for name in sampleRuns()):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=path.stem,
            uris=path.as_uri(),
            fileNames=path.name,
            nodeNames=path.stem,
            customDownloader=loadSample,
        )


def loadSample(source) -> list[str]:
    """Index the bundled files in the DICOM database, where they lie, and load the run of a sample data source.

    Returns:
        Ids of the loaded nodes.

    Raises:
        RuntimeError: one sentence, if there is no DICOM database; it is shown in a window as well.
    """
    with slicer.util.tryWithErrorDisplay(_("The sample was not loaded."), waitCursor=True):
        return loadRun(source.fileNames[0])


def sampleRuns() -> list[str]:
    """File names of the bundled runs."""
    return sorted(path.name for path in sample_data_folder().glob("*.dcm"))


def loadRun(fileName: str) -> list[str]:
    """As `loadSample`, for the name of a bundled file, and without a window of its own."""
    import pydicom
    from DICOMLib import DICOMUtils

    database = getattr(slicer, "dicomDatabase", None)
    if database is None or not database.isOpen:
        raise RuntimeError(_("There is no DICOM database yet: open the DICOM module once, then load the sample again."))
    folder = sample_data_folder()
    DICOMUtils.importDicom(str(folder), database)
    dataset = pydicom.dcmread(folder / fileName, stop_before_pixels=True)
    return DICOMUtils.loadSeriesByUID([str(dataset.SeriesInstanceUID)])
