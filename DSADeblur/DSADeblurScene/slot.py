"""The one boundary between the application and our code: what signals, timers and observers call."""

from __future__ import annotations

import functools
import inspect
import logging
import traceback
from collections.abc import Callable

from slicer.i18n import tr as _


def slot(function: Callable) -> Callable:
    """Decorator of what the application calls. Nothing is raised into the application, which would only print it.

    An error is logged, and told through `showError(sentence, details)` of the object, where it has one. A function
    that takes fewer arguments than it gets is called with as many as it takes, as PythonQt does.
    """
    parameters = inspect.signature(function).parameters.values()
    count = sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in parameters)

    @functools.wraps(function)
    def guarded(*arguments):
        try:
            return function(*arguments[:count])
        except Exception as error:
            logging.exception(f"Error in {function.__qualname__}")
            showError = getattr(arguments[0], "showError", None) if arguments else None
            if showError is not None:
                text = _("Something went wrong ({error}); it is in the log as well.")
                showError(text.format(error=f"{type(error).__name__}: {error}"), traceback.format_exc())

    # PythonQt counts the arguments of what it calls, and must not count those of the function inside.
    del guarded.__wrapped__
    return guarded
