"""The errors of this project that are one sentence for the user: what is wrong, and what to do."""


class DSADeblurError(Exception):
    """Something cannot be done. The message is one sentence for the user: what is wrong, and what to do.

    choice: name of that of `request.DeblurRequest` which mends it, or "".
    """

    def __init__(self, message: str = "", choice: str = "") -> None:
        super().__init__(message)
        self.choice = choice


class XAReadError(DSADeblurError):
    """An input cannot be used."""


class XASkipped(XAReadError):
    """A DICOM object is whole, but nothing to be deblurred: another kind, or colour. In a batch a note, no failure."""


class XAWriteError(DSADeblurError):
    """A derived object cannot be written."""


class PictureError(DSADeblurError):
    """A picture or film cannot be made."""


def printable_line(text: object) -> str:
    """Text on one line of a terminal, with what could control the terminal shown as Python writes it.

    File names and headers may hold anything, bytes that are no characters too.
    """
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in str(text))
