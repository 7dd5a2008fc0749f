"""The ledger: the first thing that approval learns of a requestId counts, and repetitions say the same or nothing.

Every kind of entry x every kind of message that claims the requestId x same or other origin.
"""

from __future__ import annotations

import itertools

import pytest
from builders import T0, a_pending, a_refused, a_submission, a_verdict, an_ended, an_origin
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

from pipeline.domain.desk import Deciding, Declined, Waiting, read_entry
from pipeline.domain.messages import Approved
from pipeline.domain.noted import Noted
from pipeline.domain.remnants import Settled
from pipeline.domain.request_types import RequestType

APPROVAL = an_approval()
AUTO = an_approval(a_policy(auto_approve=True))
LATER = an_origin(18, time_ms=T0 + 500)
OTHER_CALL = a_submission(pathParams={"a": 1})
LATE_MS = 30 * 86400 * 1000 + 60_000


def after(*records, stage=APPROVAL, shrinks=True):
    """The memory that these messages leave; without `shrinks`, the last one's afterwards is still to come."""
    memory = nothing(stage)
    for record in records:
        step = folded(stage, record, memory)
        memory = written(stage, memory, step.memory)
        if shrinks or record is not records[-1]:
            memory = written(stage, memory, step.afterwards)
    return memory


ENTRIES = {
    "waiting": after(a_pending()),
    "approved": after(a_pending(), a_verdict(), shrinks=False),
    "rejected": after(a_pending(), a_verdict("rejected"), shrinks=False),
    "expired": after(a_pending(), a_verdict(after_ms=LATE_MS), shrinks=False),
    "automatic": after(a_pending(), stage=AUTO, shrinks=False),
    "declined": after(a_refused(), shrinks=False),
    "settled": after(a_pending(), a_verdict()),
    "ended": after(a_pending(), a_verdict(), an_ended()),
    "refused": after(a_refused()),
}
BEING_TOLD = {"rejected", "expired", "declined"}
SAYS_ADMIN_TASK = {"waiting", "approved", "rejected", "expired", "automatic"}


def states(step):
    return [str(event.state) for event in events(step)]


def test_entries_are_what_they_are_called():
    """The memories below are of every kind there is."""
    kinds = {name: type(read_entry(memory[0])) for name, memory in ENTRIES.items()}

    assert [kinds[name] for name in ("waiting", "declined", "settled")] == [Waiting, Declined, Settled]
    assert {kinds[name] for name in ("approved", "rejected", "expired", "automatic")} == {Deciding}
    assert {kinds[name] for name in ("ended", "refused")} == {Settled}


def test_a_pending_request_is_placed_and_announced():
    """It waits from the broker's time of the inbox, and AdminTask is told with the call and the digest."""
    pending = a_pending(original="sealed")
    step = folded(APPROVAL, signed(pending, time_ms=T0 + 10))

    [event] = events(step)
    entry = read_entry(step.memory[0].value)
    assert isinstance(entry, Waiting)
    assert (entry.since_ms, entry.expires_ms) == (T0 + 10, T0 + 10 + 2_592_000_000)
    assert entry.pending == pending.model_copy(update={"original": None})
    assert (states(step), data_of(event)["updateTime"]) == (["AdminTask"], T0 + 10)
    assert dict(event.headers()) == {
        "rw-kind": b"state",
        "rw-stage": b"approval",
        "rw-call": b"POST https://eu.api.example.com /internal/goodwill/",
        "rw-payload-digest": pending.plan.digest.encode(),
    }
    assert (step.handovers, step.afterwards, step.note.outcome) == ((), (), Noted.PLACED)


def test_the_desk_is_never_earlier_than_the_submission():
    """Two brokers' clocks may disagree; updateTime never goes back."""
    step = folded(APPROVAL, signed(a_pending(), time_ms=T0 - 10))

    assert data_of(events(step)[0])["updateTime"] == T0


def test_only_a_status_change_tells_its_reason():
    """AdminTask copies body.reason, and goodwill's body has one, too."""
    told = {
        kind: data_of(events(folded(APPROVAL, a_pending(kind)))[0]).get("reason")
        for kind in (RequestType.CUSTOMER_STATUS_CHANGE, RequestType.GOODWILL_POINTS)
    }

    assert list(told.values()) == ["testing", None]


def test_auto_approval_is_announced_like_any_other():
    """AdminTask with its reason in a header, then the task; handed over at once, without a checker."""
    step = folded(AUTO, a_pending())

    assert states(step) == ["AdminTask", "IntouchAPITask"]
    assert dict(events(step)[0].headers())["rw-reason"] == b"auto-approved"
    assert not {"checkerId", "comment"} & set(data_of(events(step)[1]))
    assert events(step)[1].api_request_id == a_pending().request.api_request_id
    [approved] = step.handovers
    assert isinstance(approved, Approved)
    assert (approved.decided.origin, approved.decided.checker_id) == (an_origin(), None)
    assert (step.note.outcome, step.note.reason) == (Noted.DECIDED, "auto-approved")


@pytest.mark.parametrize(("late_ms", "told"), [(0, ["AdminTask", "IntouchAPITask"]), (1, ["AdminTask"])])
def test_what_is_older_than_memory_is_not_approved_by_itself(late_ms, told):
    """It may be a copy of a record whose request was called and forgotten: a person looks at it first."""
    at_ms = a_pending().request.origin.time_ms + REMEMBER_MS + late_ms
    step = folded(AUTO, signed(a_pending(), time_ms=at_ms))

    assert states(step) == told
    assert bool(step.handovers) is (late_ms == 0)


def test_a_refusal_ends_in_failed():
    """One sentence, all errors, the task that refused, at the submission's time."""
    refused = a_refused()
    two = refused.model_copy(update={"faults": refused.faults * 3})
    step = folded(APPROVAL, two.carrying(refused.texts))

    [event] = events(step)
    data = data_of(event)
    assert (data["currentRequestState"], data["previousRequestState"]) == ("failed", "ValidatePayload")
    assert (data["comment"], len(data["errors"])) == ("path: must be another (and 2 more)", 3)
    assert data_of(events(folded(APPROVAL, refused))[0])["comment"] == "path: must be another"
    assert data["updateTime"] == T0
    assert dict(event.headers())["rw-reason"] == b"bad-path"
    assert isinstance(read_entry(step.memory[0].value), Declined)
    assert isinstance(read_entry(step.afterwards[0].value), Settled)


@pytest.mark.parametrize("name", ENTRIES)
def test_the_same_pending_again(name):
    """On a desk that keeps it, the same bytes are said again; on what is left later, nothing. Nothing is written."""
    stage = AUTO if name == "automatic" else APPROVAL
    first = folded(stage, a_pending())

    again = folded(stage, signed(a_pending(), offset=99, time_ms=T0 + 9999), ENTRIES[name])

    assert said(again) == (said(first) if name in SAYS_ADMIN_TASK else [])
    assert again.memory == ()
    assert again.note.outcome is Noted.REPEATED


@pytest.mark.parametrize("name", ENTRIES)
def test_the_same_submission_refused_later(name):
    """A second look under other settings changes nothing: the first one counts."""
    again = folded(APPROVAL, signed(a_refused(), offset=99), ENTRIES[name])

    assert said(again) == (said(folded(APPROVAL, a_refused())) if name == "declined" else [])
    assert again.memory == ()


@pytest.mark.parametrize("name", sorted(set(ENTRIES) - {"declined", "refused"}))
def test_the_same_key_and_payload_again(name):
    """Another submission with this key and the same digest: nothing new happens, and nothing is told."""
    again = folded(APPROVAL, a_pending(origin=LATER, is_keyed=True, original="sealed-2"), ENTRIES[name])

    assert (said(again), again.memory, bool(again.afterwards)) == ([], (), name in BEING_TOLD)
    assert again.note.outcome is Noted.REPEATED


SECONDS = {
    "other payload": a_pending(submission=OTHER_CALL, origin=LATER, is_keyed=True, original="sealed-2"),
    "refused": a_refused(origin=LATER, is_keyed=True, original="sealed-2"),
}


@pytest.mark.parametrize(("name", "second"), list(itertools.product(ENTRIES, SECONDS)))
def test_the_same_key_for_another_request(name, second):
    """It becomes a dead letter by its own place; the first request is untouched, but for how long it is remembered."""
    step = folded(APPROVAL, SECONDS[second], ENTRIES[name])

    [letter] = letters(step)
    assert (letter.reason, letter.source, letter.sealed) == ("idempotency-conflict", LATER, "sealed-2")
    assert (letter.request_id, letter.org_id) == (a_pending().about, 51250)
    assert (events(step), step.handovers, bool(step.afterwards)) == ([], (), name in BEING_TOLD)
    assert bool(step.memory) == (name == "refused")  # the one that had ended before


@pytest.mark.parametrize("second", [a_pending, a_refused])
def test_a_key_that_is_used_again_begins_the_term_anew(second):
    """What came to nothing must not become a request when its record is read again, while retention still holds it,
    and the first request is forgotten. Found by the simulator: the public topics replayed after the term.
    """
    used_ms = T0 + REMEMBER_MS - 1000
    again = second(origin=an_origin(18, time_ms=used_ms), is_keyed=True, original="sealed-2")
    step = folded(APPROVAL, signed(again, offset=50), ENTRIES["ended"])
    longer = written(APPROVAL, ENTRIES["ended"], step.memory)

    assert folded(APPROVAL, a_due(APPROVAL, used_ms + REMEMBER_MS - 1), longer).memory == ()
    assert folded(APPROVAL, a_due(APPROVAL, used_ms + REMEMBER_MS), longer).note.outcome is Noted.FORGOTTEN
    assert folded(APPROVAL, signed(again, offset=50), longer).memory == ()


@pytest.mark.parametrize("name", sorted(BEING_TOLD))
def test_a_key_that_is_used_while_the_ending_is_told(name):
    """As long as the events topic takes nothing, so long is an ending not reduced; the term counts from the use."""
    used_ms = T0 + 10**10
    again = a_refused(origin=an_origin(18, time_ms=used_ms), is_keyed=True, original="sealed-2")
    [left] = folded(APPROVAL, signed(again, offset=50, time_ms=used_ms + 5), ENTRIES[name]).afterwards

    assert read_entry(left.value).ended_ms == used_ms + 5


@pytest.mark.parametrize("name", ENTRIES)
def test_an_ending_begins_the_term_of_memory(name):
    """Once: only for a request that went to execution, and it is told to nobody."""
    step = folded(APPROVAL, an_ended(T0 + 7000), ENTRIES[name])

    assert said(step) == []
    if name in {"approved", "automatic", "settled"}:
        entry = read_entry(step.memory[0].value)
        assert isinstance(entry, Settled)
        assert (entry.ruling, entry.ended_ms) == ("approved", T0 + 7000)
        assert entry.first == an_origin()
    else:
        assert step.memory == ()


def test_an_ending_of_nothing():
    """Forgotten already: nothing happens."""
    step = folded(APPROVAL, an_ended())

    assert (said(step), step.memory) == ([], ())


def test_memory_is_small_when_all_is_told():
    """What stays does not grow with the request."""
    for name in ("settled", "ended", "refused"):
        assert len(ENTRIES[name][0]) < 450
        assert b"points" not in ENTRIES[name][0]
