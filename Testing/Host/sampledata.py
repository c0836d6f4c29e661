"""Test-only stand-in for Slicer's module SampleData: it takes what the application takes, and no more."""

from __future__ import annotations

import shutil
import types
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import dicomhost
import slicer


@dataclass(frozen=True)
class SampleDataSource:
    """One entry; one name, address and type for each file."""

    sampleName: str | None
    uris: list[str]
    fileNames: list[str]
    nodeNames: list[str | None]
    loadFileTypes: list[str | None]
    customDownloader: object


class SampleDataLogic:
    """The signature is that of Slicer 5.12."""

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileTypes=None,
        loadFiles=None,
        loadFileProperties={},  # noqa: B006
        checksums=None,
        loadFileType=None,
    ) -> None:
        if not all(isinstance(one, str) for one in (uris, fileNames, nodeNames)):
            raise TypeError("this stand-in takes entries of one file")
        entry = SampleDataSource(sampleName, [uris], [fileNames], [nodeNames], [loadFileTypes], customDownloader)
        categories = vars(slicer.modules).setdefault("sampleDataSources", {})
        entries = categories.setdefault(category, [])
        if entry not in entries:
            entries.append(entry)


def install() -> types.ModuleType:
    """The module, to be put into sys.modules."""
    module = types.ModuleType("SampleData")
    module.SampleDataSource, module.SampleDataLogic = SampleDataSource, SampleDataLogic
    module.downloadSample = downloadSample
    return module


def click(category: str, name: str):
    """What the button of an entry does."""
    source = _find(name, slicer.modules.sampleDataSources[category])
    return source.customDownloader(source)


def downloadSample(sampleName: str):
    """The node of an entry: its file is fetched and read as a volume; customDownloader is not asked."""
    source = _find(sampleName, [one for entries in slicer.modules.sampleDataSources.values() for one in entries])
    if source.loadFileTypes != [None]:
        raise ValueError(f"this stand-in reads no {source.loadFileTypes[0]}")
    path = Path(slicer.app.temporaryPath) / source.fileNames[0]
    with urllib.request.urlopen(source.uris[0]) as remote, open(path, "wb") as file:
        shutil.copyfileobj(remote, file)
    node = dicomhost.loadStack(path, known=False)
    node.SetName(source.nodeNames[0])
    return node


def _find(name: str, sources) -> SampleDataSource:
    return next(source for source in sources if source.sampleName == name)
