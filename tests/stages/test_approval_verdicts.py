"""Verdicts: the first valid one counts, all others become dead letters, and whatever is told comes from memory."""

from __future__ import annotations

import pytest
from builders import CHECKER, MAKER, T0, a_pending, a_refused, a_request, a_verdict
from wiring import a_policy, an_approval, data_of, events, folded, letters, said, signed, written

from pipeline.domain.desk import Deciding, read_entry
from pipeline.domain.messages import Approved
from pipeline.domain.noted import Noted
from pipeline.domain.remnants import Settled
from pipeline.domain.request_types import RequestType

APPROVAL = an_approval()
TERM_MS = 2_592_000_000
NOTHING = (None,)
DESK = written(APPROVAL, NOTHING, folded(APPROVAL, a_pending()).memory)


def decided(verdict, memory=DESK):
    """(while its step is under way, when all is done)"""
    step = folded(APPROVAL, verdict, memory)
    under_way = written(APPROVAL, memory, step.memory)
    return under_way, written(APPROVAL, under_way, step.afterwards)


def test_approval_hands_over_the_whole_request():
    """The task is told, and Approved holds what lay on the desk and who decided."""
    verdict = a_verdict()
    step = folded(APPROVAL, verdict, DESK)

    [event], [approved] = events(step), step.handovers
    assert isinstance(approved, Approved)
    assert approved.pending == a_pending()
    assert approved.decided.model_dump() == {
        "origin": verdict.origin,
        "at_ms": T0 + 1000,
        "api_request_id": verdict.api_request_id,
        "checker_id": CHECKER,
        "comment": "a comment",
    }
    data = data_of(event)
    assert (data["currentRequestState"], data["previousRequestState"]) == ("IntouchAPITask", "AdminTask")
    assert (data["checkerId"], data["comment"], data["updateTime"]) == (CHECKER, "a comment", T0 + 1000)
    assert (event.api_request_id, event.headers()[0]) == (verdict.api_request_id, ("rw-kind", b"progress"))
    assert (step.note.outcome, step.note.decision) == (Noted.DECIDED, "approved")


def test_rejection_ends_the_request():
    """rejected, from the desk, with the checker's words; nothing is handed over."""
    step = folded(APPROVAL, a_verdict("rejected"), DESK)

    [event] = events(step)
    data = data_of(event)
    assert (data["currentRequestState"], data["previousRequestState"]) == ("rejected", "AdminTask")
    assert (data["checkerId"], data["comment"], event.api_request_id) == (CHECKER, "a comment", "c" * 32)
    assert event.headers() == (("rw-kind", b"state"), ("rw-stage", b"approval"))
    assert step.handovers == ()
    entry = read_entry(step.afterwards[0].value)
    assert isinstance(entry, Settled)
    assert (entry.ruling, entry.ended_ms) == ("rejected", T0 + 1000)


@pytest.mark.parametrize("after_ms", [-5, 0, 10])
def test_what_died_as_unknown_never_wins(after_ms):
    """A crash of intake writes a verdict once more, behind the request that it could not know: its own time tells."""
    early = a_verdict(after_ms=after_ms)
    first, copy = folded(APPROVAL, signed(early, offset=0)), folded(APPROVAL, signed(early, offset=9), DESK)

    for step in (first, copy):
        assert [(letter.reason, letter.source) for letter in letters(step)] == [("unknown-request", early.origin)]
        assert (step.memory, step.handovers, events(step)) == ((), (), [])


def test_a_verdict_that_is_later_than_the_desk_counts():
    """By a millisecond, and never with a time before the desk's: updateTime does not go back."""
    step = folded(APPROVAL, a_verdict(after_ms=11), DESK)

    assert data_of(events(step)[0])["updateTime"] == T0 + 11


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_the_same_verdict_again(decision):
    """Before it is reduced it says the same bytes, also as another copy of its origin; afterwards nothing."""
    verdict = a_verdict(decision)
    first, (under_way, done) = folded(APPROVAL, verdict, DESK), decided(verdict)

    copy = signed(verdict, offset=99, time_ms=T0 + 9999)
    assert said(folded(APPROVAL, copy, under_way)) == said(first)
    assert folded(APPROVAL, copy, under_way).memory == ()
    assert said(folded(APPROVAL, copy, done)) == []
    assert folded(APPROVAL, copy, done).note.outcome is Noted.REPEATED


@pytest.mark.parametrize("first", ["approved", "rejected"])
@pytest.mark.parametrize("second", ["approved", "rejected"])
def test_the_first_verdict_counts(first, second):
    """Another record loses, even with the same content, before and after the first one is told."""
    for memory in decided(a_verdict(first)):
        step = folded(APPROVAL, a_verdict(second, offset=41), memory)

        [letter] = letters(step)
        assert (letter.reason, letter.source.offset, letter.sealed) == ("not-waiting", 41, "sealed-verdict-41")
        assert (events(step), step.handovers, step.memory, step.afterwards) == ([], (), (), ())
        assert (step.note.outcome, step.note.decision) == (Noted.DEAD, second)


LOSERS = {
    "wrong-org": a_verdict(org_id=1),
    "wrong-type": a_verdict(request_type="EARN_BADGE"),
    "maker-is-checker": a_verdict(person_id=MAKER),
    "out-of-scope": a_verdict(entities=("1",)),
    "digest-mismatch": a_verdict(digest="0" * 64),
}


@pytest.mark.parametrize("reason", LOSERS)
def test_a_refused_verdict_leaves_the_request_untouched(reason):
    """It dies with its reason and its sealed original, and a later valid one counts."""
    step = folded(APPROVAL, LOSERS[reason], DESK)

    [letter] = letters(step)
    assert (letter.reason, letter.source, letter.sealed) == (reason, LOSERS[reason].origin, "sealed-verdict-40")
    assert (letter.request_id, letter.org_id) == (a_request().request_id, LOSERS[reason].org_id)
    assert (step.memory, step.handovers, step.afterwards, events(step)) == ((), (), (), [])


def test_a_digest_may_be_required():
    """By the type's policy; the right one then counts."""
    strict = an_approval(a_policy(require_digest=True))

    assert letters(folded(strict, a_verdict(), DESK))[0].reason == "digest-required"
    assert folded(strict, a_verdict(digest=a_pending().plan.digest), DESK).handovers


@pytest.mark.parametrize("wants_digest", [False, True])
@pytest.mark.parametrize("digest", ["", "x", a_pending().plan.digest[:-1]])
def test_an_empty_digest_is_another_one(digest, wants_digest):
    """Whoever sends the header has it compared, required or not."""
    stage = an_approval(a_policy(require_digest=wants_digest))

    assert letters(folded(stage, a_verdict(digest=digest), DESK))[0].reason == "digest-mismatch"


@pytest.mark.parametrize("memory", [*decided(a_verdict()), *decided(a_verdict("rejected"))])
def test_strangers_learn_nothing_of_a_decided_request(memory):
    """Another org is told wrong-org, not whether the request waits."""
    assert letters(folded(APPROVAL, a_verdict(org_id=1, offset=41), memory))[0].reason == "wrong-org"


def test_nobody_decides_what_was_refused():
    """A request that ended before the desk does not wait."""
    step = folded(APPROVAL, a_refused())
    for writes in (step.memory, step.afterwards):
        memory = written(APPROVAL, NOTHING, writes)

        assert letters(folded(APPROVAL, a_verdict(), memory))[0].reason == "not-waiting"


def test_an_unknown_request():
    """A decision on it is not kept."""
    step = folded(APPROVAL, a_verdict())

    assert letters(step)[0].reason == "unknown-request"
    assert step.memory == ()


@pytest.mark.parametrize("after_ms", [1000, TERM_MS + 60_000])
def test_an_early_verdict_does_not_win_when_it_is_told_again(after_ms):
    """Found by reading: a verdict ahead of its request in the inbox lost; folded again after a crash it met the desk,
    won, and was told before AdminTask. It stays unknown, byte for byte; on an expiring desk, too.
    """
    early = signed(a_verdict(after_ms=after_ms), offset=5)
    memory = written(APPROVAL, NOTHING, folded(APPROVAL, signed(a_pending(), offset=6)).memory)
    expired, _ = decided(signed(a_verdict(offset=41, after_ms=TERM_MS + 60_000), offset=7), memory)

    for later in (memory, expired):
        again = folded(APPROVAL, early, later)
        assert said(again) == said(folded(APPROVAL, early))
        assert (again.memory, again.afterwards) == ((), ())


LATE = a_verdict(after_ms=TERM_MS + 10)


def test_a_late_verdict_expires_the_request():
    """Published when the term was over: rejected, as expired, and the verdict dies as one that nobody waited for."""
    step = folded(APPROVAL, LATE, DESK)

    [event], [letter] = events(step), letters(step)
    data = data_of(event)
    assert (data["currentRequestState"], data["previousRequestState"]) == ("rejected", "AdminTask")
    assert (data["comment"], data["updateTime"]) == ("expired", T0 + 10 + TERM_MS)
    assert "checkerId" not in data
    assert (event.api_request_id, dict(event.headers())["rw-reason"]) == ("a" * 32, b"expired")
    assert (letter.reason, letter.source) == ("not-waiting", LATE.origin)
    assert step.handovers == ()
    assert isinstance(read_entry(step.memory[0].value), Deciding)
    entry = read_entry(step.afterwards[0].value)
    assert isinstance(entry, Settled)
    assert (entry.ruling, entry.ended_ms, entry.decided_by) == ("expired", T0 + 10 + TERM_MS, None)


def test_a_verdict_of_the_last_millisecond_counts():
    """It is judged by the time at which it was published, however late it is folded."""
    verdict = signed(a_verdict(after_ms=TERM_MS + 9), time_ms=T0 + 2 * TERM_MS)

    assert folded(APPROVAL, verdict, DESK).handovers


def test_a_late_verdict_again():
    """Before the reduction it says the same bytes; afterwards only that nobody waited."""
    first, (under_way, done) = folded(APPROVAL, LATE, DESK), decided(LATE)

    again, later = folded(APPROVAL, LATE, under_way), folded(APPROVAL, LATE, done)
    assert said(again) == said(first)
    assert again.memory == ()
    assert (events(later), [letter.reason for letter in letters(later)]) == ([], ["not-waiting"])


def test_a_late_stranger_expires_nothing():
    """Wrong org and wrong type are asked first: nobody outside can end a request."""
    for reason in ("wrong-org", "wrong-type"):
        late = LOSERS[reason].model_copy(update={"origin": LATE.origin})
        step = folded(APPROVAL, late, DESK)
        assert (letters(step)[0].reason, events(step), step.memory) == (reason, [], ())


def test_checker_of_a_status_change_is_told_only_by_setting():
    """The documented samples have none."""
    desk = written(APPROVAL, NOTHING, folded(APPROVAL, a_pending(RequestType.CUSTOMER_STATUS_CHANGE)).memory)
    told = [
        data_of(events(folded(stage, a_verdict("rejected"), desk))[0]).get("checkerId")
        for stage in (APPROVAL, an_approval(tells_every_checker=True))
    ]

    assert told == [None, CHECKER]


def test_silenced_progress_hands_over_all_the_same():
    """The setting concerns observers, not the call."""
    step = folded(an_approval(tells_progress=False), a_verdict(), DESK)

    assert (events(step), len(step.handovers)) == ([], 1)


def test_automatic_approval_leaves_nothing_to_decide():
    """A checker comes too late, also before it is told."""
    auto = an_approval(a_policy(auto_approve=True))
    memory = written(auto, NOTHING, folded(auto, a_pending()).memory)

    assert letters(folded(auto, a_verdict("rejected"), memory))[0].reason == "not-waiting"
