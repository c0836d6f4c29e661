"""Section of the panel where a model is chosen: a bundled one, or a folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from DSADeblurScene.slot import slot

if TYPE_CHECKING:
    from DSADeblurLib.restoration.card import ModelCard


class ModelSection:
    """The list of models and what the card of the chosen one says.

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
        self._ui.modelInfoLabel.text = self._cards[name].description

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
