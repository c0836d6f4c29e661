"""Make the OpenVINO export of packages again: `python -m DSADeblurLib.restoration.export_packages FOLDER ...`."""

from __future__ import annotations

import sys

from DSADeblurLib.extras import is_installed
from DSADeblurLib.restoration.card import find_model
from DSADeblurLib.restoration.package import load_model
from DSADeblurLib.restoration.save_package import save_model


def main(folders: list[str]) -> int:
    """Make the export of each package again and put it into the package and its card."""
    if not folders or not is_installed("openvino"):
        print("Name the folders of model packages." if not folders else "OpenVINO is not installed.", file=sys.stderr)
        return 2
    for folder in map(find_model, folders):
        model = load_model(folder)
        card = save_model(folder, model.network, model.card)
        print(f"{folder}: {card.name}, {', '.join(name for name in card.openvino if name != 'made_from')}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
