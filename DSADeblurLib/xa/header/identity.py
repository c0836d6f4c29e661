"""The UIDs that results refer to: as the file has them, or new ones where it has none that are legal."""

import hashlib
import uuid

from pydicom.dataset import Dataset
from pydicom.uid import UID

from DSADeblurLib.errors import XAReadError
from DSADeblurLib.xa.file.elements import printable, text_of
from DSADeblurLib.xa.file.stored_pixels import StoredPixels

_NAMES = {
    "StudyInstanceUID": "Study Instance UID",
    "SeriesInstanceUID": "Series Instance UID",
    "SOPInstanceUID": "SOP Instance UID",
}
_HEAD_BYTES = 2**16


def instance_uids(dataset: Dataset, stored: StoredPixels, make_new: bool) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return study, series and SOP instance UID by keyword, and remarks. Without a series results only refer to less.

    New UIDs follow from the old values, so that files with the same one stay together; a study without one from its
    series, an instance from how its file begins.

    Args:
        dataset: the header.
        stored: its file, open.
        make_new: the user wants new UIDs where those of the file cannot be used.

    Raises:
        XAReadError: one sentence, where a result could not be written and the user did not choose new UIDs.

    Source: PS3.5 9.1, B.2.
    """
    found = {keyword: text_of(dataset, keyword) for keyword in _NAMES}
    wrong = [
        keyword for keyword, value in found.items() if not UID(value).is_valid and (value or keyword[:6] != "Series")
    ]
    if not wrong:
        return found, ()
    values = {one: f" ('{printable(found[one])}')" if found[one] else "" for one in wrong}
    lacking = f"The file has no legal {' and '.join(_NAMES[one] + values[one] for one in wrong)}; "
    if not make_new:
        raise XAReadError(lacking + "choose new UIDs for its results.")
    head = hashlib.sha256(stored.file.read_at(0, _HEAD_BYTES)).hexdigest()
    kept = dict(found)
    for keyword in wrong:
        known = found[keyword] or (keyword == "StudyInstanceUID" and found["SeriesInstanceUID"]) or head
        kept[keyword] = f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{keyword} {known}').int}"
    return kept, (lacking + "results get new ones (user).",)
