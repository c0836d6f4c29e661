"""The runs of a study and whose they are: from a table (CSV), or a folder with one subfolder a group."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from DSADeblurLib.errors import DSADeblurError
from DSADeblurLib.request import RequestError, UserFacts
from DSADeblurLib.study.definition import Mark
from DSADeblurLib.xa import check_derived, find_inputs, may_be_dicom, read_files, runs_of

COLUMNS = ("file", "group", "patient", "question", "training", "mark_frame", "mark_row", "mark_column")
_YES, _NO = ("yes", "true", "1", "x"), ("", "no", "false", "0")


@dataclass(frozen=True)
class Original:
    """A run to be read: its files in order, its group and patient, and what is asked about it."""

    files: tuple[Path, ...]
    group: str
    patient: str
    question: str = ""
    training: bool = False
    mark: Mark | None = None

    @property
    def name(self) -> str:
        """For sentences."""
        return self.files[0].name


def find_runs(source: Path, facts: UserFacts, groups: Iterable[str] | None = None) -> list[Original]:
    """Read which runs a study has, and look at each whether it can be used; nothing is written.

    Args:
        source: a table with the columns file (or folder of one-frame files, relative to the table), group and patient,
            and if wanted the others of `COLUMNS`; or a folder, whose subfolders are the groups, and the patient is who
            the header says.
        facts: what the user says of all runs.
        groups: those that are expected; any other one is a mistake.

    Raises:
        RequestError: one sentence that names the file or line.
    """
    originals = _in_folder(source) if source.is_dir() else _in_table(source)
    if not originals:
        raise RequestError(f"There is no run in {source}.")
    if groups is not None and (unknown := sorted({one.group for one in originals} - set(groups))):
        raise RequestError(f"The group {unknown[0]!r} is none of {', '.join(groups)}.")
    return _checked(originals, facts)


def _in_folder(folder: Path) -> list[Original]:
    files = [path for path in find_inputs([folder]) if may_be_dicom(path)]
    originals = []
    for run in runs_of(files):
        inside = run[0].relative_to(folder).parts
        if len(inside) < 2:
            raise RequestError(f"{run[0].name} lies in no group: put it into a subfolder of {folder}, or use a table.")
        originals.append(Original(run, inside[0], ""))
    return originals


def _in_table(path: Path) -> list[Original]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"The table {path} cannot be read: {error}.") from error
    heading = text.partition("\n")[0]
    rows = csv.DictReader(text.splitlines(), delimiter=max(",;\t", key=heading.count))
    names = rows.fieldnames or []
    if missing := [name for name in COLUMNS[:3] if name not in names]:
        raise RequestError(f"{path.name} has no column '{missing[0]}'; it has {', '.join(names) or 'none'}.")
    if other := [name for name in names if name not in COLUMNS]:
        raise RequestError(f"{path.name} has a column '{other[0]}'; it may have {', '.join(COLUMNS)}.")
    return [
        _of_row(path, {name: (row[name] or "").strip() for name in names}, f"Line {line} of {path.name}")
        for line, row in enumerate(rows, start=2)
    ]


def _of_row(table: Path, row: dict[str, str], where: str) -> Original:
    for name in COLUMNS[:3]:
        if not row[name]:
            raise RequestError(f"{where} has no {name}.")
    training = row.get("training", "").lower()
    if training not in _YES + _NO:
        raise RequestError(f"{where}: training is yes or no, not {training!r}.")
    places = [row.get(name, "") for name in COLUMNS[5:]]
    mark = None
    if any(places):
        try:
            mark = Mark(int(places[0]), float(places[1]), float(places[2]))
        except ValueError:
            raise RequestError(f"{where}: a mark is a frame number, a row and a column.") from None
    try:
        runs = runs_of(path for path in find_inputs([table.parent / row["file"]]) if may_be_dicom(path))
    except RequestError as error:
        raise RequestError(f"{where}: {error}") from error
    if len(runs) != 1:
        raise RequestError(f"{where}: {row['file']} holds {len(runs) or 'no'} runs; name one.")
    return Original(runs[0], row["group"], row["patient"], row.get("question", ""), training in _YES, mark)


def _checked(originals: list[Original], facts: UserFacts) -> list[Original]:
    """The same with patients, once it is sure that each run can be read and belongs to one patient in one group."""
    seen: dict[tuple[str, ...], str] = {}
    key_of: dict[tuple[str, ...], str] = {}
    group_of: dict[str, str] = {}
    checked = []
    for one in originals:
        try:
            with read_files(one.files, facts) as run:
                check_derived(run, range(1, run.number_of_frames + 1))
                instances, person = run.source.instances or (run.source.sop_instance_uid,), _person(one)
                size = (run.number_of_frames, run.image_rows, run.image_columns)
        except (DSADeblurError, OSError) as error:
            raise RequestError(f"{one.name} cannot be read: {error}") from error
        if instances in seen:
            raise RequestError(f"{one.name} is the same run as {seen[instances]}; a study has each once.")
        seen[instances] = one.name
        patient = one.patient or "/".join(person)
        if (other := key_of.setdefault(person, patient)) != patient:
            raise RequestError(f"{one.name}: its patient is called {patient} here and {other} elsewhere; use one name.")
        if (other := group_of.setdefault(patient, one.group)) != one.group:
            raise RequestError(f"{one.name}: patient {patient} is in the groups {other} and {one.group}; choose one.")
        if one.mark is not None:
            _check_mark(one.name, one.mark, size)
        checked.append(Original(one.files, one.group, patient, one.question, one.training, one.mark))
    return checked


def _person(one: Original) -> tuple[str, ...]:
    """Who the header says it is; a run of nobody is a patient of its own."""
    from pydicom import dcmread

    header = dcmread(one.files[0], stop_before_pixels=True, specific_tags=["PatientID", "IssuerOfPatientID"])
    number = str(header.get("PatientID") or "").strip()
    return (number, str(header.get("IssuerOfPatientID") or "").strip()) if number else (str(one.files[0]),)


def _check_mark(name: str, mark: Mark, size: tuple[int, int, int]) -> None:
    frames, rows, columns = size
    if not (1 <= mark.frame <= frames and 0 <= mark.row < rows and 0 <= mark.column < columns):
        raise RequestError(f"{name}: the mark lies outside its {frames} frames of {rows} x {columns} pixels.")
