"""The boundary that turns any failure to read a file into one error with one sentence."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.errors import InvalidDicomError

from DSADeblurLib.errors import XAReadError, XAWriteError


@contextmanager
def reading() -> Iterator[None]:
    """Turn every failure inside the block into one `XAReadError`.

    Headers come from outside and pydicom raises a dozen kinds of exception on broken ones (AttributeError, TypeError,
    struct.error, RecursionError, ...), so this is the one place that catches them all. pydicom's warnings are
    silenced here: what matters to the user is in the warnings of the run.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (XAReadError, XAWriteError):
        raise
    except InvalidDicomError as error:
        raise XAReadError("Not a DICOM file.") from error
    except FileNotFoundError as error:
        raise XAReadError("The file does not exist.") from error
    except IsADirectoryError as error:
        raise XAReadError("This is a folder, not a file.") from error
    except PermissionError as error:
        raise XAReadError("The file may not be read: permission denied.") from error
    except OSError as error:
        raise XAReadError(f"The file cannot be read: {error.strerror or error}.") from error
    except MemoryError as error:
        raise XAReadError("Not enough memory to read this file.") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or "no reason given"
        raise XAReadError(f"The file is damaged or not conformant ({type(error).__name__}: {reason}).") from error
