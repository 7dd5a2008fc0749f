"""Marks: what is written is read, at fixed places, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from builders import HOST, a_pending, a_refused, an_approved
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.calls import Doubt, End, Intent, Parked, Result, Trying
from pipeline.domain.desk import Declined, Waiting
from pipeline.domain.marks import Kind, Mark, read_mark
from pipeline.domain.outcomes import Effect, Ending
from pipeline.domain.remnants import Finished
from pipeline.domain.request_types import RequestType
from pipeline.domain.tries import Tried

TIMES = st.integers(0, 10**13 - 1)
LINES = st.text(st.characters(blacklist_characters="\n", codec="utf-8"), min_size=1)
TYPES, KINDS = st.sampled_from(RequestType), st.sampled_from(Kind)
TIMELESS = st.builds(Mark, KINDS, TYPES, TIMES, st.none(), st.none())
MARKS = TIMELESS | st.builds(Mark, KINDS, TYPES, TIMES, TIMES, st.none() | LINES)

TYPE = RequestType.EARN_BADGE
WAITING = Waiting(pending=a_pending(TYPE), placed=5, since_ms=11, expires_ms=12)
APPROVED = an_approved(a_pending(TYPE), at_ms=13)
DECIDING = WAITING.ruled("approved", APPROVED.decided)


DOUBTS = tuple(Doubt(attempt=at, since=at, since_ms=at, at_ms=at, ending=Ending.LOST) for at in (14, 15))
RESULT = Result(request_type=TYPE, approval=APPROVED.decided.origin, tried=Tried(attempt=1), doubts=DOUBTS)
TRYING = Trying(
    since=3, request_type=TYPE, host=HOST, approved_ms=13, tried=Tried(attempt=1), due_ms=20, ending=Ending.UNREACHED
)
ENTRIES = {
    Mark(Kind.WAITING, TYPE, 11, 12): WAITING,
    Mark(Kind.DECIDING, TYPE, 13): DECIDING,
    Mark(Kind.DECLINED, TYPE, a_refused().request.origin.time_ms): Declined(refused=a_refused(request_type=TYPE)),
    Mark(Kind.HANDED, TYPE, a_pending().request.origin.time_ms): DECIDING.reduced(14),
    Mark(Kind.SETTLED, TYPE, 14): WAITING.ruled("expired", None).reduced(14),
    Mark(Kind.INTENT, TYPE, 13): Intent(approved=APPROVED, attempt=1, asked=17, begun_ms=18),
    Mark(Kind.HELD, TYPE, 13, 19, HOST): Parked(approved=APPROVED, since=3, due_ms=19),
    Mark(Kind.HELD, TYPE, 13, 20, HOST): TRYING.model_copy(update={"held_ms": 16}),
    Mark(Kind.TRYING, TYPE, 13, 20): TRYING,
    Mark(Kind.RESULT, TYPE, 16): RESULT.model_copy(update={"end": End(attempt=1, at_ms=16, effect=Effect.DONE)}),
    Mark(Kind.IN_DOUBT, TYPE, 15): RESULT,
    Mark(Kind.FINISHED, TYPE, 16): Finished(request_type=TYPE, at_ms=16, effect=Effect.DONE, approval="d3/40"),
}


@given(MARKS, st.binary())
def test_what_is_written_is_read(mark, rest):
    """A mark comes back as it was, whatever stands behind it, text that looks like a mark included."""
    assert read_mark(f"{mark}\n".encode() + rest) == mark


@pytest.mark.parametrize("mark", ENTRIES, ids=lambda mark: mark.kind.name)
def test_every_entry_begins_with_its_mark(mark):
    """Whatever is remembered, of every kind there is, says so in its first line."""
    value = ENTRIES[mark].value()

    assert read_mark(value) == mark
    assert value.partition(b"\n")[0] == str(mark).encode()
    assert {each.kind for each in ENTRIES} == set(Kind)


@given(
    st.binary(max_size=40)
    | st.sampled_from([b"W0", b"W2" + b"1" * 13, b"W9" + b"1" * 13 + b"\n", b"X0\n", b"{}"])
    | st.sampled_from(
        [b"Q2" + b"1" * 13 + each for each in (b"1" * 13, b"1" * 12 + b"x" + b"\n", b"1" * 13 + b"\xff\n")]
    )
)
def test_other_bytes_are_refused(value):
    """By one kind of error only: no entry of a newer version is taken for one of ours."""
    try:
        mark = read_mark(value)
    except ValueError:
        return
    assert read_mark(f"{mark}\n".encode()) == mark  # it was one by chance
