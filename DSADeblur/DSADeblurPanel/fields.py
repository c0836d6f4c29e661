"""Finds the field of the panel where a choice is made, opens its group and gives it the focus."""

from __future__ import annotations


def focusOn(ui, choice: str) -> None:
    """Give the focus to the field of a choice; nothing happens where the panel has none.

    choice: name of a choice of DSADeblurLib.request.DeblurRequest, or "".
    """
    field = fieldOf(ui, choice) if choice else None
    if field is None:
        return
    group = field.parentWidget()
    while group is not None:
        if group.inherits("ctkCollapsibleButton"):
            group.collapsed = False
        group = group.parentWidget()
    field.setFocus()


def fieldOf(ui, choice: str):
    """The widget that is bound to a choice, or None."""
    named = (one for one in vars(ui).values() if one.property("SlicerParameterName") == f"request.{choice}")
    return next(named, ui.modelComboBox if choice == "model" else None)
