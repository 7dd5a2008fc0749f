"""A person ends a doubt: succeeded, failed, or one more attempt. The first in log order counts, once, for ever."""

from __future__ import annotations

import pytest
from builders import CHECKER, MAKER, OPERATOR, ORG, REQUEST_ID, T0, an_approved, an_operators_resolution
from stages.calling import Story, ends
from wiring import REMEMBER_MS, TERMS, an_execution, data_of, events, letters, said

from pipeline.domain.calls import Result
from pipeline.domain.messages import Ended
from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Ending
from pipeline.domain.remnants import Finished
from pipeline.domain.request_types import RequestType

GOODWILL = RequestType.GOODWILL_POINTS
DOUBT = ends(Ending.UNCLEAR, http_status=504)
WAYS_OUT = {"succeeded": "approved", "failed": "failed"}
RESOLVER = {"rw-resolver": str(OPERATOR), "rw-resolution": "looked it up"}
STATE = {"rw-kind": "state", "rw-stage": "execution"}


def in_doubt(*answers, kind=GOODWILL, first=DOUBT, **more):
    """A request whose only call came to a doubt; what follows is asked for by people."""
    story = Story(kind, first, *answers, **more)
    story.approve()
    while not story.states:
        story.wait()
    assert story.states == ["IntouchAPITask"]
    return story


@pytest.mark.parametrize("decision", WAYS_OUT)
@pytest.mark.parametrize("kind", [GOODWILL, RequestType.RETRO_TRANSACTION])
def test_a_doubt_is_ended(decision, kind):
    """Without a call: announced like an ending after a decision, with who resolved it and why in headers."""
    story = in_doubt(kind=kind)
    said_then = an_operators_resolution(decision)
    step = story.take(said_then)

    [event] = events(step)
    data = data_of(event)
    assert (data["currentRequestState"], data["previousRequestState"]) == (WAYS_OUT[decision], "AdminTask")
    assert (data["checkerId"], data["comment"]) == (CHECKER, "a comment")
    assert (event.api_request_id, data["updateTime"]) == (said_then.api_request_id, said_then.origin.time_ms)
    assert story.headers == STATE | RESOLVER | {"rw-reason": "resolved"}
    assert (step.note.outcome, step.note.reason, step.note.decision) == (Noted.ENDED, "resolved", decision)
    assert len(story.calls) == 1


@pytest.mark.parametrize("decision", WAYS_OUT)
def test_a_resolved_ending_is_handed_on_and_reduced(decision):
    """Approval hears of it under the decision's origin; what is left still knows the resolution."""
    story = in_doubt()
    said_then = an_operators_resolution(decision)
    step = story.take(said_then)

    at_ms = said_then.origin.time_ms
    assert step.handovers == (Ended(request_id=REQUEST_ID, origin=story.approved.decided.origin, at_ms=at_ms),)
    assert (story.begun, story.came_to.effect) == (None, "done" if decision == "succeeded" else "refused")
    assert isinstance(story.came_to, Finished)
    assert story.came_to.was_told_by(said_then.origin)
    assert story.due_ms() == at_ms + TERMS.remember_ms


def test_a_resolution_is_never_before_its_doubt():
    """The clock of a worker and the broker's may differ: updateTime does not go back."""
    story = in_doubt()
    [doubt] = story.came_to.doubts
    story.take(an_operators_resolution("failed", after_ms=doubt.at_ms - T0))

    doubt, end = (data_of(event)["updateTime"] for event in story.events)
    assert end == doubt > T0


@pytest.mark.parametrize("kind", RequestType)
@pytest.mark.parametrize(
    ("answer", "state", "headers"),
    [
        (ends(Ending.DONE, http_status=201), "approved", {"rw-http-status": "201", "rw-reason": "resolved"}),
        (ends(Ending.REFUSED, http_status=400), "failed", {"rw-http-status": "400", "rw-reason": "refused"}),
        (ends(Ending.ALREADY_THERE), "approved", {"rw-reason": "already-there"}),
    ],
)
def test_a_retry_ends_it(kind, answer, state, headers):
    """One more call with the same bytes and key; its end is told under the resolution."""
    first = ends(Ending.UNCLEAR, wait_ms=TERMS.retry_for_ms + 1)
    story = in_doubt(answer, kind=kind, first=first)
    before = story.calls[-1]
    step = story.take(an_operators_resolution("retry"))

    assert story.calls[1:] == [before._replace(attempt=2, good_until_ms=None)]
    assert story.states == ["IntouchAPITask", state]
    assert story.headers == STATE | RESOLVER | headers
    assert story.events[-1].api_request_id == "d" * 32
    assert (step.note.outcome, step.note.decision) == (Noted.ENDED, "retry")


AGAIN = [Ending.UNCLEAR, Ending.LOST, Ending.NOT_NOW, Ending.UNREACHED, Ending.REDIRECT, Ending.BAD_HEADER]


@pytest.mark.parametrize("kind", [GOODWILL, RequestType.EARN_BADGE])
@pytest.mark.parametrize("answer", AGAIN)
def test_a_retry_that_does_not_end_it_is_a_doubt_again(answer, kind):
    """Never tried again by itself, nor held: a further doubt, under the decision's apiRequestId, to be resolved."""
    first = ends(Ending.UNCLEAR, wait_ms=TERMS.retry_for_ms + 1)
    story = in_doubt(answer, kind=kind, first=first)
    step = story.take(an_operators_resolution("retry"))

    assert (story.states, story.due_ms()) == (["IntouchAPITask"] * 2, None)
    assert isinstance(story.came_to, Result)
    assert story.headers == STATE | RESOLVER | {"rw-reason": "in-doubt"}
    assert [event.api_request_id for event in story.events] == ["c" * 32] * 2
    assert len({event.value() for event in story.events}) == 2
    assert (step.note.outcome, step.note.decision, step.handovers) == (Noted.IN_DOUBT, "retry", ())
    story.take(an_operators_resolution("succeeded", offset=61, after_ms=10**6))
    assert story.states[2:] == ["approved"]


@pytest.mark.parametrize("changes", [{"hosts": ()}, {"digest": lambda **_: "another"}], ids=["host", "digest"])
def test_a_retry_that_may_not_be_made_is_a_doubt_again(changes):
    """The allow-list and the digest are asked once more; no call, and no intent: the doubt is as old as its call."""
    story = in_doubt()
    story.stage = an_execution(**changes)
    begun = story.begun
    story.take(an_operators_resolution("retry"))

    assert (len(story.calls), story.states, story.begun) == (1, ["IntouchAPITask"] * 2, begun)
    assert story.headers == STATE | RESOLVER | {"rw-reason": "in-doubt"}


def test_a_retry_is_made_although_the_origin_is_away():
    """Whoever asks for it wants to know now."""
    story = in_doubt(Ending.DONE)
    story.door.is_shut = True
    story.take(an_operators_resolution("retry"))

    assert story.states == ["IntouchAPITask", "approved"]


def test_a_doubt_can_be_resolved_long_after():
    """The kept Approved is enough; a retry is no first call, so neither the approval's age matters nor its tries'."""
    story = in_doubt(Ending.DONE, kind=RequestType.EARN_BADGE, first=ends(Ending.UNCLEAR, wait_ms=TERMS.retry_for_ms))
    story.take(an_operators_resolution("retry", after_ms=50 * REMEMBER_MS), after_ms=50 * REMEMBER_MS)

    assert story.states == ["IntouchAPITask", "approved"]


def test_retries_go_on_for_as_long_as_people_ask():
    """Each is a resolution of its own; the attempts are counted on."""
    answers = [Ending.UNCLEAR] * (TERMS.max_attempts + 1)
    story = in_doubt(*answers, Ending.DONE)
    for number in range(len(answers) + 1):
        story.take(an_operators_resolution("retry", offset=60 + number))

    assert [call.attempt for call in story.calls] == list(range(1, len(answers) + 3))
    assert story.states == ["IntouchAPITask"] * (len(answers) + 1) + ["approved"]
    assert len(set(story.came_to.words)) == len(answers) + 1


# -- without effect

CHANGES = {
    "wrong-org": {"org_id": 1},
    "wrong-type": {"request_type": "earn-badge"},
    "maker-is-checker": {"person_id": MAKER},
    "out-of-scope": {"entities": ("7",)},
    "digest-mismatch": {"digest": "0" * 64},
}


@pytest.mark.parametrize("decision", ["succeeded", "failed", "retry"])
@pytest.mark.parametrize("reason", CHANGES)
def test_a_refused_resolution_changes_nothing(reason, decision):
    """It is a dead letter under its own origin; the request stays in doubt, and the next one counts."""
    story = in_doubt()
    before = story.memory
    step = story.take(an_operators_resolution(decision, **CHANGES[reason]))

    [letter] = letters(step)
    org = CHANGES[reason].get("org_id", ORG)
    assert (letter.reason, letter.sealed, letter.source.offset) == (reason, "sealed-resolution-60", 60)
    assert (letter.request_id, letter.org_id) == (REQUEST_ID, org)
    assert (step.memory, step.handovers, step.afterwards, step.call) == ((), (), (), None)
    assert (step.note.outcome, step.note.reason, step.note.decision) == (Noted.DEAD, reason, decision)
    assert story.memory == before
    story.take(an_operators_resolution(offset=61))
    assert story.states == ["IntouchAPITask", "approved"]


def reason_of(step):
    """Of the only dead letter."""
    [letter] = letters(step)
    assert (step.memory, step.handovers, step.call) == ((), (), None)
    return letter.reason


@pytest.mark.parametrize("decision", ["succeeded", "failed", "retry"])
def test_what_is_not_in_doubt_cannot_be_resolved(decision):
    """Nothing known, held, to be tried again, ended, forgotten."""
    held, trying, ended = Story(GOODWILL), Story(GOODWILL, Ending.NOT_NOW), Story(GOODWILL, Ending.DONE)
    held.door.is_shut = True
    for story in (held, trying, ended):
        story.approve()
    forgotten = Story(GOODWILL, Ending.DONE)
    forgotten.approve()
    forgotten.wait()

    for story in (Story(GOODWILL), held, trying, ended, forgotten):
        assert reason_of(story.take(an_operators_resolution(decision))) == "not-in-doubt"


def test_what_was_said_too_early_stays_without_effect():
    """Before the doubt; also where its record is folded again when the doubt is there."""
    story = Story(RequestType.EARN_BADGE, Ending.UNCLEAR, ends(Ending.UNCLEAR, wait_ms=TERMS.retry_for_ms))
    story.approve()
    early = story.take(an_operators_resolution())
    story.wait()

    assert (reason_of(early), story.states) == ("not-in-doubt", ["IntouchAPITask"])


@pytest.mark.parametrize("decision", ["succeeded", "failed", "retry"])
def test_what_was_said_while_the_call_ran_has_no_effect(decision):
    """It waited for the call's end behind it, and nobody could know then that there would be a doubt."""
    story = in_doubt()
    [doubt] = story.came_to.doubts
    early = story.take(an_operators_resolution(decision, after_ms=doubt.at_ms - T0 - 1))

    assert (reason_of(early), len(story.calls), doubt.since_ms < doubt.at_ms - 1) == ("not-in-doubt", 1, True)


@pytest.mark.parametrize("second", ["succeeded", "failed", "retry"])
@pytest.mark.parametrize("first", ["succeeded", "failed"])
def test_the_first_in_log_order_counts(first, second):
    """Whatever the other one says, and whichever was published earlier by its own time."""
    story = in_doubt()
    story.take(an_operators_resolution(first, offset=60, after_ms=70_000))
    loser = story.take(an_operators_resolution(second, offset=61, after_ms=50_000))

    assert reason_of(loser) == "not-in-doubt"
    assert (story.states, len(story.calls)) == (["IntouchAPITask", WAYS_OUT[first]], 1)


@pytest.mark.parametrize("decision", ["succeeded", "failed", "retry"])
def test_the_same_record_again_has_the_effect_it_had(decision):
    """Also when the ending is told and reduced: it is silent then, and no dead letter."""
    story = in_doubt(Ending.DONE)
    said_then = an_operators_resolution(decision)
    story.take(said_then)
    again = story.take(said_then)

    assert (said(again), again.memory, again.afterwards) == ([], (), ())
    assert reason_of(story.take(an_operators_resolution(decision, offset=61))) == "not-in-doubt"


def test_the_same_retry_again_is_no_second_retry():
    """While it is in doubt once more: the same record tells that doubt again and calls nobody; another record does."""
    story = in_doubt(Ending.UNCLEAR, Ending.DONE)
    said_then = an_operators_resolution("retry")
    first, again = story.take(said_then), story.take(said_then)

    assert said(again) == said(first) != []
    assert len(story.calls) == 2
    story.take(an_operators_resolution("retry", offset=61))
    assert (len(story.calls), story.states[-1]) == (3, "approved")


def test_a_retry_may_be_lost_like_any_call():
    """A crash between its intent and its outcome: a doubt that is told under this resolution."""
    story = in_doubt(Ending.LOST)
    step = story.take(an_operators_resolution("retry"))

    assert (len(story.calls), story.states) == (2, ["IntouchAPITask"] * 2)
    assert story.headers == STATE | RESOLVER | {"rw-reason": "in-doubt"}
    assert data_of(events(step)[0])["updateTime"] == story.now_ms


def test_an_automatic_approval_can_be_resolved():
    """Nobody checked it: no checker and no comment, but somebody resolved it."""
    approved = an_approved(checker_id=None, comment=None)
    story = Story(GOODWILL, Ending.UNCLEAR, approved=approved)
    story.approve()
    story.take(an_operators_resolution("failed"))

    assert not {"checkerId", "comment"} & set(data_of(story.events[-1]))
    assert story.headers == STATE | RESOLVER | {"rw-reason": "resolved"}
