"""The one error of this package."""


class PictureError(Exception):
    """A picture or film cannot be made. The message is one sentence for the user."""
