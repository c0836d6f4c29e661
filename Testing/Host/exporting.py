"""Runs to export on the stand-in for the application, and what an export leaves behind."""

from __future__ import annotations

from pathlib import Path

import scenes
import slicer

MASKED = {"mask_frames": (1, 2), "contrast_range": (3, 6)}


def load(path, frames=None, extra=None, **options):
    """A run whose header gives dciodvfy nothing to complain about."""
    return scenes.load(path, frames, extra={"StudyID": "1", **(extra or {})}, **options)


def export(node, folder="", format="dicom", progress=None, **options):
    from DSADeblurScene.export import Export, ExportOptions

    return Export(node, ExportOptions(format, str(folder), **options), progress).run()


def leftovers(folder) -> list:
    """What is in the folder of exports and in the application's temporary folder."""
    return [*Path(folder).iterdir(), *Path(slicer.app.temporaryPath).glob("dsad-*")]
