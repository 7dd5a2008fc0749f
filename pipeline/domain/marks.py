"""The first line of whatever is remembered: what it is, of which type, since when, and when time alone may change it.

A hundred thousand entries must be looked through every few seconds, for those that are due and for the metrics. So what
that needs stands at fixed places, and nothing else is read for it. What follows from being due is the stage's business.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pipeline.domain.request_types import RequestType


class Kind(StrEnum):
    """What an entry is, in one letter."""

    WAITING = "W"  # on the desk
    DECIDING = "D"  # decided, and not all of it told
    DECLINED = "R"  # refused before the desk, and not told
    HANDED = "H"  # approved, and execution has not told the ending
    SETTLED = "S"  # ended; `since_ms` is when that was known, or its key was used last
    INTENT = "I"  # a call may be under way
    HELD = "Q"  # its origin is away; `since_ms` is the approval, and the origin is named
    TRYING = "T"  # a call has ended, and another may follow
    RESULT = "O"  # a call has ended, and not all of it is told
    IN_DOUBT = "P"  # nobody knows how the call ended
    FINISHED = "F"  # the ending is told; `since_ms` is the ending


_TYPES = tuple(RequestType)
_MS_DIGITS = 13  # epoch milliseconds until the year 2286
_SINCE, _DUE, _ORIGIN = 2, 2 + _MS_DIGITS, 2 + 2 * _MS_DIGITS
_PLACES = {f"{kind}{number}".encode(): (kind, name) for kind in Kind for number, name in enumerate(_TYPES)}


class Mark(NamedTuple):
    """One entry's mark. `due_ms` is None where time changes nothing, or where a term of the settings says when.

    `origin` is the one that the entry waits for; only with a `due_ms`.
    """

    kind: Kind
    request_type: RequestType
    since_ms: int
    due_ms: int | None = None
    origin: str | None = None

    def __str__(self) -> str:
        due = "" if self.due_ms is None else f"{self.due_ms:0{_MS_DIGITS}d}"
        return f"{self.kind}{_TYPES.index(self.request_type)}{self.since_ms:0{_MS_DIGITS}d}{due}{self.origin or ''}"


def read_mark(value: bytes) -> Mark:
    """The mark of an entry's bytes; raises `ValueError` for bytes that are no entry of ours."""
    place = _PLACES.get(value[:_SINCE])
    if place is None:
        raise ValueError("not an entry of this pipeline, or of a newer version of it: it does not begin with a mark")
    since_ms = int(value[_SINCE:_DUE])
    if value[_DUE : _DUE + 1] == b"\n":
        return Mark(*place, since_ms)
    origin = value[_ORIGIN : value.index(b"\n", _ORIGIN)].decode() or None
    return Mark(*place, since_ms, int(value[_DUE:_ORIGIN]), origin)
