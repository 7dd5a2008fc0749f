"""Marks: what is written is read, at fixed places, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from builders import a_pending, a_refused, an_approved
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.desk import Declined, Intent, Result, Waiting
from pipeline.domain.marks import Kind, Mark, read_mark
from pipeline.domain.outcomes import Effect, Outcome
from pipeline.domain.remnants import Finished
from pipeline.domain.request_types import RequestType

TIMES = st.integers(0, 10**13 - 1)
MARKS = st.builds(Mark, st.sampled_from(Kind), st.sampled_from(RequestType), TIMES, st.none() | TIMES)

TYPE = RequestType.EARN_BADGE
WAITING = Waiting(pending=a_pending(TYPE), placed=5, since_ms=11, expires_ms=12)
APPROVED = an_approved(a_pending(TYPE), at_ms=13)
DECIDING = WAITING.ruled("approved", APPROVED.decided)


def result(effect: Effect) -> Result:
    return Result(request_type=TYPE, outcome=Outcome(effect=effect, reason="", at_ms=15), attempt=1)


ENTRIES = {
    Mark(Kind.WAITING, TYPE, 11, 12): WAITING,
    Mark(Kind.DECIDING, TYPE, 13): DECIDING,
    Mark(Kind.DECLINED, TYPE, a_refused().request.origin.time_ms): Declined(refused=a_refused(request_type=TYPE)),
    Mark(Kind.HANDED, TYPE, a_pending().request.origin.time_ms): DECIDING.reduced(),
    Mark(Kind.SETTLED, TYPE, 14): DECIDING.reduced(14),
    Mark(Kind.INTENT, TYPE, 13): Intent(approved=APPROVED, attempt=1),
    Mark(Kind.RESULT, TYPE, 15): result(Effect.DONE),
    Mark(Kind.IN_DOUBT, TYPE, 15): result(Effect.UNKNOWN),
    Mark(Kind.FINISHED, TYPE, 16): Finished(request_type=TYPE, at_ms=16, effect=Effect.DONE),
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


@given(st.binary(max_size=40) | st.sampled_from([b"W0", b"W2" + b"1" * 13, b"W9" + b"1" * 13 + b"\n", b"X0\n", b"{}"]))
def test_other_bytes_are_refused(value):
    """By one kind of error only: no entry of a newer version is taken for one of ours."""
    try:
        mark = read_mark(value)
    except ValueError:
        return
    assert read_mark(f"{mark}\n".encode()) == mark  # it was one by chance
