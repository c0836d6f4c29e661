"""Section of the panel where a model is chosen: a bundled one, or a folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from DSADeblurScene.slot import slot

if TYPE_CHECKING:
    from DSADeblurLib.restoration.card import ModelCard


def purposes() -> dict[str, str]:
    """What the bundled models are for, in a user's words. Their times are those of README, "How fast"."""
    return {
        "compact": _("For most runs: fast, and taught to keep faint vessels."),
        "quality": _("A little nearer to the truth on simulated runs; takes two thirds longer than compact."),
        "sequence": _("Least noise, by five frames at once; faint vessels may fade. Twice the time of compact."),
        "paper-small": _("A small copy of a published network, to compare with: less noise, and hardly less blur."),
    }


class ModelSection:
    """The list of models and what the chosen one is for.

    Args:
        onChosen: called with the name or the folder when the user chooses.
        showError: see RunSection.
    """

    def __init__(self, ui, onChosen: Callable[[str], None], showError: Callable) -> None:
        self._ui = ui
        self._onChosen = onChosen
        self.showError = showError
        self._cards: dict[str, ModelCard] = {}
        self._filling = False
        self.problem = ""
        ui.modelComboBox.connect("currentIndexChanged(int)", self._onIndexChanged)
        ui.browseModelButton.connect("clicked(bool)", self._onBrowse)

    def refresh(self) -> None:
        """Look again for bundled models."""
        from DSADeblurLib.restoration.card import ModelError, list_models

        try:
            cards = {card.name: card for card in list_models()}
        except (ModelError, OSError) as error:
            cards, self.problem = {}, str(error)
        else:
            self.problem = ""
        folders = {name: card for name, card in self._cards.items() if name not in cards}
        self._fill({**cards, **folders})

    @property
    def name(self) -> str:
        """That of the card of the model that is shown, or ""."""
        card = self._cards.get(self._ui.modelComboBox.currentText)
        return card.name if card is not None else ""

    def show(self, name: str) -> None:
        """Show a model as chosen; one that is not in the list is added as a folder."""
        from DSADeblurLib.restoration.card import ModelError, find_model, read_card

        if name not in self._cards:
            try:
                card = read_card(find_model(name))
            except (ModelError, OSError) as error:
                self.problem = str(error)
                self._ui.modelInfoLabel.text = self.problem
                return
            self._fill({**self._cards, name: card})
        self.problem = ""
        self._filling = True
        self._ui.modelComboBox.currentIndex = list(self._cards).index(name)
        self._filling = False
        card = self._cards[name]
        self._ui.modelInfoLabel.text = purposes().get(name, card.description)
        self._ui.modelInfoLabel.toolTip = " ".join((card.description, *card.limits))

    def _fill(self, cards: dict[str, ModelCard]) -> None:
        self._filling = True
        current = self._ui.modelComboBox.currentText
        self._cards = cards
        self._ui.modelComboBox.clear()
        for name in cards:
            self._ui.modelComboBox.addItem(name)
        if current in cards:
            self._ui.modelComboBox.currentIndex = list(cards).index(current)
        self._filling = False

    @slot
    def _onIndexChanged(self, index: int) -> None:
        if not self._filling and index >= 0:
            self._onChosen(list(self._cards)[index])

    @slot
    def _onBrowse(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder of a model package"), "")
        if folder:
            self._onChosen(str(folder))
