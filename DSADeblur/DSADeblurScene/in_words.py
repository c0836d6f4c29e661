"""How long something takes, and what a deblurring has done, in a user's words."""

from __future__ import annotations

from slicer.i18n import tr as _

from DSADeblurLib.used import Used


def duration(seconds: float) -> str:
    """A time span as text, such as "45 s" or "3 min 20 s"."""
    seconds = int(round(seconds))
    if seconds < 60:
        return _("{seconds} s").format(seconds=max(1, seconds))
    return _("{minutes} min {seconds} s").format(minutes=seconds // 60, seconds=seconds % 60)


def done(used: Used, seconds: float) -> str:
    """Done: 12 frames in 3 s on the CPU. Blur taken: 3.1 x 3.1 pixels.

    seconds: by the wall, from the press of the button.
    """
    count, device = len(used.frame_numbers), _("GPU") if used.device == "cuda" else _("CPU")
    text = (
        _("Done: one frame in {time} on the {device}.")
        if count == 1
        else _("Done: {count} frames in {time} on the {device}.")
    )
    text = text.format(count=count, time=duration(seconds), device=device)
    if used.blur_px is None:
        return text
    rows, columns = used.blur_px
    return text + " " + _("Blur taken: {rows:.1f} x {columns:.1f} pixels.").format(rows=rows, columns=columns)


def details(used: Used) -> str:
    """What did it, for whoever wants to know."""
    return _("Model {model}: {summary}; the network took {seconds:.1f} s.").format(
        model=used.model, summary=used.summary(), seconds=used.seconds
    )
