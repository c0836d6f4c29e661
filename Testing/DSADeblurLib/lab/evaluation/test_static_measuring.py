"""Vessels of a still run: where they are found, and what is told of the values measured on its frames."""

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import ndimage

from DSADeblurLib.lab.evaluation.static_measuring import ORIGINAL, precision, print_precision, vessels


def test_vessels_are_found_on_their_middles_and_aimed_at_across():
    rows, columns = np.indices((160, 160)).astype(float)
    image = 100 - 60 * np.sqrt(np.maximum(1 - ((columns - 60 - 0.5 * rows) / 5) ** 2, 0))
    image = ndimage.gaussian_filter(image, 1.0) + 0.2 * np.random.default_rng(0).normal(size=image.shape)
    found = vessels(image)
    on = [aim for aim in found if abs(aim.point[1] - 60 - 0.5 * aim.point[0]) < 0.5]
    assert len(on) >= 4 and found[0] in on
    across = np.array([-1.0, 2.0]) / np.sqrt(5)
    assert all(abs(np.dot(aim.direction, across)) > 0.99 for aim in on)


def values() -> pd.DataFrame:
    """Eight vessels whose SD doubles and whose mean shifts on one image, and one that an image does not show."""
    rows = [
        {
            "run": "a",
            "site": site,
            "width": "5-9 px",
            "method": "model fit",
            "image": image,
            "sd": np.nan if site == 8 and image == "worse" else sd * (1 + 0.1 * site),
            "shift": shift,
            "change": 0.0,
            "missing": 0.0,
        }
        for image, sd, shift in ((ORIGINAL, 0.2, 0.0), ("same", 0.2, 0.05), ("worse", 0.4, 0.2))
        for site in range(9)
    ]
    return pd.DataFrame(rows)


def test_precision_worked_by_hand():
    found = precision(values()).set_index("image")
    assert set(found["n"]) == {8} and found["ratio"].to_dict() == pytest.approx({ORIGINAL: 1, "same": 1, "worse": 2})
    assert found.loc["worse", "sd"] == pytest.approx(0.4 * 1.35) and found.loc["worse", "p"] < 0.05
    console = Console(width=150, record=True)
    print_precision(values(), console)
    text = console.export_text()
    assert text.count("less precise, shifted") == 1 and "2.00" in text
