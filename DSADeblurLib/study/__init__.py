"""Blinded reader studies: created, read, merged, closed, analysed and planned.

`create` makes a study's folder and, apart from it, its key; `reading_session.Session` is what a window needs to let a
reader answer; `merge_copies` and `seal` join and close; `analysis` has the statistics, `study_report` draws them, and
`sample_size` plans. What is needed to read a study needs neither pandas nor a network.
"""

from DSADeblurLib.study.definition import Definition, Item, read_definition
from DSADeblurLib.study.protocol import Protocol, Question
from DSADeblurLib.study.reading_session import Session, Shown

__all__ = ["Definition", "Item", "Protocol", "Question", "Session", "Shown", "read_definition"]
