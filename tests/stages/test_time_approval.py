"""Time on the desk: what waits too long expires, what has ended is forgotten, and nothing else ever is.

Every kind of entry x a Due before, at and after its time. Whoever brings the end, a Due or a late verdict, tells it in
the same bytes.
"""

from __future__ import annotations

import itertools

import pytest
from builders import REQUEST_ID, T0, a_pending, a_refused, a_verdict, an_ended, an_origin
from hypothesis import given, settings
from hypothesis import strategies as st
from stages.repetition import Inbox
from wiring import (
    REMEMBER_MS,
    a_due,
    a_policy,
    an_approval,
    data_of,
    events,
    folded,
    letters,
    nothing,
    said,
    signed,
    written,
)

from pipeline.domain.desk import Deciding, read_entry
from pipeline.domain.marks import Kind, read_mark
from pipeline.domain.messages import DESK
from pipeline.domain.noted import Noted
from pipeline.domain.policy import Policy
from pipeline.domain.remnants import Settled
from pipeline.stages import Arrival, Write

APPROVAL = an_approval()
AUTO = an_approval(a_policy(auto_approve=True))
TERM_MS = Policy().expires_after_s * 1000
EXPIRES_MS = T0 + 10 + TERM_MS  # the desk's time is the broker's of approval's inbox
ENDED_MS = T0 + 7000
LATE = a_verdict(offset=60, after_ms=TERM_MS + 60_000)


def due(time_ms: int, offset: int = 99) -> Arrival:
    return a_due(APPROVAL, time_ms, offset=offset)


def after(*records, stage=APPROVAL, shrinks=True):
    """The memory that these messages leave; without `shrinks`, the last one's afterwards is still to come."""
    memory = nothing(stage)
    for record in records:
        step = folded(stage, record, memory)
        memory = written(stage, memory, step.memory)
        if shrinks or record is not records[-1]:
            memory = written(stage, memory, step.afterwards)
    return memory


WAITING = after(a_pending())
EXPIRED = after(a_pending(), due(EXPIRES_MS), shrinks=False)
# The memory, and when a Due changes it or says something (None: never).
ENTRIES = {
    "nothing": (nothing(APPROVAL), None),
    "waiting": (WAITING, EXPIRES_MS),
    "expired, not told": (EXPIRED, EXPIRES_MS),
    "approved, not told": (after(a_pending(), a_verdict(), shrinks=False), None),
    "rejected, not told": (after(a_pending(), a_verdict("rejected"), shrinks=False), None),
    "automatic, not told": (after(a_pending(), stage=AUTO, shrinks=False), None),
    "declined, not told": (after(a_refused(), shrinks=False), None),
    "handed over": (after(a_pending(), a_verdict()), None),
    "ended": (after(a_pending(), a_verdict(), an_ended(ENDED_MS)), ENDED_MS + REMEMBER_MS),
    "rejected": (after(a_pending(), a_verdict("rejected")), T0 + 1000 + REMEMBER_MS),
    "expired": (after(a_pending(), due(EXPIRES_MS + 9)), EXPIRES_MS + 9 + REMEMBER_MS),
    "refused": (after(a_refused()), T0 + 10 + REMEMBER_MS),
}
FORGETTABLE = ("ended", "rejected", "expired", "refused")
NEVER = tuple(name for name, (_, at_ms) in ENTRIES.items() if at_ms is None)
FAR_MS = T0 + 1000 * TERM_MS


@pytest.mark.parametrize("name", NEVER)
def test_time_does_not_change(name):
    """What waits for execution or is being told stays for however long that takes; of nothing, nothing comes."""
    step = folded(APPROVAL, due(FAR_MS), ENTRIES[name][0])

    assert (said(step), step.memory, step.afterwards) == ([], (), ())
    assert step.note.outcome is Noted.REPEATED


@pytest.mark.parametrize("name", [name for name in ENTRIES if name not in NEVER])
def test_a_due_before_its_time_does_nothing(name):
    """A wrong clock, or a stranger, posts Dues in vain: the broker's time of the record decides."""
    memory, at_ms = ENTRIES[name]
    step = folded(APPROVAL, due(at_ms - 1), memory)

    assert (said(step), step.memory, step.afterwards) == ([], (), ())
    assert step.note.outcome is Noted.REPEATED


def test_an_ending_that_is_found_late_is_remembered_for_a_whole_term():
    """All workers were away for days. A submission with the key of a waiting request came in, after its expiry and
    before anybody found that. Its dead letter says that the key is taken, so its record, read again within its
    retention, must not find the key free. Found by the simulator: seed 23317.
    """
    used_ms, found_ms = EXPIRES_MS + REMEMBER_MS - 100, EXPIRES_MS + REMEMBER_MS + 1
    second = signed(a_refused(origin=an_origin(18, time_ms=used_ms), is_keyed=True, original="sealed-2"), offset=50)
    left = after(a_pending(), second, due(found_ms, 51))

    assert folded(APPROVAL, due(found_ms), left).note.outcome is Noted.REPEATED
    assert folded(APPROVAL, due(used_ms + REMEMBER_MS), left).note.outcome is Noted.REPEATED
    assert [letter.reason for letter in letters(folded(APPROVAL, second, left))] == ["idempotency-conflict"]
    assert folded(APPROVAL, due(found_ms + REMEMBER_MS), left).note.outcome is Noted.FORGOTTEN


@pytest.mark.parametrize("late_ms", [0, 1, TERM_MS])
def test_what_waits_too_long_expires(late_ms):
    """`rejected`, comment and header `expired`, at the time that was remembered and with the maker's apiRequestId."""
    step = folded(APPROVAL, due(EXPIRES_MS + late_ms), WAITING)

    [event] = events(step)
    data = data_of(event)
    assert (data["currentRequestState"], data["previousRequestState"]) == ("rejected", "AdminTask")
    assert (data["comment"], data["updateTime"]) == ("expired", EXPIRES_MS)
    assert not {"checkerId", "errors"} & set(data)
    assert event.api_request_id == a_pending().request.api_request_id
    assert dict(event.headers()) == {"rw-kind": b"state", "rw-stage": b"approval", "rw-reason": b"expired"}
    assert (letters(step), step.handovers) == ([], ())
    assert (step.note.outcome, step.note.reason, step.note.decision) == (Noted.EXPIRED, "expired", None)
    [held], [left] = step.memory, step.afterwards
    assert isinstance(read_entry(held.value), Deciding)
    assert read_entry(left.value) == Settled(
        org_id=a_pending().request.org_id,
        request_type=a_pending().request.request_type,
        first=a_pending().request.origin,
        digest=read_entry(left.value).digest,
        ruling="expired",
        ended_ms=EXPIRES_MS + late_ms,
    )


def test_a_late_verdict_and_a_due_tell_the_same():
    """Whichever of them is first in the inbox, the ending is one event, byte for byte, and leaves one memory."""
    late = signed(LATE, time_ms=EXPIRES_MS + 5)
    by_due, by_verdict = folded(APPROVAL, due(EXPIRES_MS + 5), WAITING), folded(APPROVAL, late, WAITING)

    assert said(by_due) == said(by_verdict)[:1]
    assert (by_due.memory, by_due.afterwards) == (by_verdict.memory, by_verdict.afterwards)


@pytest.mark.parametrize("time_ms", [EXPIRES_MS, EXPIRES_MS + TERM_MS])
def test_an_expiry_is_told_again(time_ms):
    """After a crash between remembering and telling, the same Due or another one says the same, and writes nothing."""
    again = folded(APPROVAL, due(time_ms, offset=120), EXPIRED)

    assert said(again) == said(folded(APPROVAL, due(EXPIRES_MS), WAITING))
    assert again.memory == ()
    assert again.note.outcome is Noted.REPEATED


@pytest.mark.parametrize("name", ["expired, not told", "expired"])
@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_nobody_waits_for_a_verdict_after_the_expiry(name, decision):
    """It is buried, by its own source, and the request stays as it ended; so is one that was published in time."""
    for after_ms in (1000, TERM_MS + 60_000):
        verdict = a_verdict(decision, offset=61, after_ms=after_ms)
        step = folded(APPROVAL, verdict, ENTRIES[name][0])

        [letter] = letters(step)
        assert (letter.reason, letter.source) == ("not-waiting", verdict.origin)
        assert {event.value() for event in events(step)} <= {said(folded(APPROVAL, due(EXPIRES_MS), WAITING))[0][2]}
        assert (step.handovers, step.memory) == ((), ())


@pytest.mark.parametrize(("name", "late_ms"), list(itertools.product(FORGETTABLE, [0, 1, TERM_MS])))
def test_what_has_ended_is_forgotten(name, late_ms):
    """By a tombstone, a term after its ending was known, and nobody is told."""
    memory, at_ms = ENTRIES[name]
    step = folded(APPROVAL, due(at_ms + late_ms), memory)

    assert step.memory == (Write(DESK, None, may_be_overtaken=True),)
    assert (said(step), step.afterwards) == ([], ())
    assert (step.note.outcome, step.note.request_id) == (Noted.FORGOTTEN, REQUEST_ID)


@pytest.mark.parametrize("name", FORGETTABLE)
def test_what_was_forgotten_is_unknown(name):
    """A verdict then comes for a request that nobody knows; the same Due again finds nothing."""
    memory, at_ms = ENTRIES[name]
    gone = written(APPROVAL, memory, folded(APPROVAL, due(at_ms), memory).memory)

    [letter] = letters(folded(APPROVAL, LATE, gone))
    assert letter.reason == "unknown-request"
    assert folded(APPROVAL, due(at_ms), gone).memory == ()


@pytest.mark.parametrize("name", [name for name in ENTRIES if name != "nothing"])
def test_who_looks_through_memory_sees_the_same_time(name):
    """From the mark alone, `due` says when a Due has an effect; an expiry that is not told is its own Due's to tell."""
    memory, at_ms = ENTRIES[name]
    mark = read_mark(memory[0])

    assert APPROVAL.due(mark) == (None if mark.kind is Kind.DECIDING else at_ms)


POOL = {
    "pending": a_pending(),
    "refused": a_refused(),
    "approve": a_verdict(offset=40),
    "reject": a_verdict("rejected", offset=41),
    "late": LATE,
    "due": "due",
}
MOMENTS = st.tuples(st.sampled_from(sorted(POOL)), st.sampled_from([10, TERM_MS - 100, TERM_MS, REMEMBER_MS]))
BATCHES = st.lists(st.lists(MOMENTS, min_size=1, max_size=3), min_size=1, max_size=4)


@settings(max_examples=300)
@given(st.sampled_from(["pending", "refused"]), BATCHES, st.booleans())
def test_time_is_repeated_like_anything_else(first, batches, is_automatic):
    """Dues among messages of all kinds, at any time: folded again after every write, each says what it said, until the
    request is forgotten. No request has two endings. (Nobody asks about what was never there: a message comes first.)
    """
    inbox, done = Inbox(an_approval(a_policy(auto_approve=is_automatic))), 0
    told = set()
    for batch in [[(first, 10)], *batches]:
        steps = [inbox.fold(POOL[name], after_ms=after_ms) for name, after_ms in _until_forgotten(inbox, batch)]
        told |= {event.value() for step in steps for event in events(step) if event.state in {"rejected", "failed"}}
        inbox.reduce(inbox.past[done:])
        done = len(inbox.past)

    assert len(told) <= 1


def _until_forgotten(inbox, moments):
    """These moments, until the request is not remembered any more: after that, another life would begin."""
    for moment in moments:
        if inbox.offset and inbox.memory == nothing(APPROVAL):
            return
        yield moment
