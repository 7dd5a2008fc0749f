"""A call that has not come to an end: tried again where that has no second effect, as often and as long as allowed."""

from __future__ import annotations

import pytest
from builders import BODIES, BODY, CHECKER, T0, a_pending, a_submission, an_approved, changed
from stages.calling import CALL_MS, Story, bound_of, ends
from wiring import TERMS, a_due, an_execution, data_of, events, folded, said

from pipeline.domain.calls import Result, Trying
from pipeline.domain.marks import Kind, read_mark
from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Ending
from pipeline.domain.remnants import Finished
from pipeline.domain.request_types import RequestType

DONE, UNCLEAR, NOT_NOW, REFUSED = Ending.DONE, Ending.UNCLEAR, Ending.NOT_NOW, Ending.REFUSED
ONCE = (RequestType.GOODWILL_POINTS, RequestType.RETRO_TRANSACTION)
REPEATABLE = tuple(kind for kind in RequestType if kind not in ONCE)
BADGE = RequestType.EARN_BADGE
TRIES = TERMS.max_attempts


def tried(kind, *answers, **more):
    """The Approved arrives; a Due takes the call up again for as long as the story has answers."""
    story = Story(kind, *answers, **more)
    story.approve()
    while story.answers:
        story.wait()
    return story


@pytest.mark.parametrize("kind", REPEATABLE)
def test_unclear_then_done(kind):
    """A repeatable call is made again with the same bytes, one attempt further, and there is one ending."""
    story = tried(kind, ends(UNCLEAR, http_status=502, wait_ms=700), ends(DONE, http_status=200))

    first, second = story.calls
    assert second == first._replace(attempt=2, good_until_ms=bound_of(kind))
    assert story.states == ["approved"]
    assert story.headers == {"rw-kind": "state", "rw-stage": "execution", "rw-http-status": "200"}
    assert isinstance(story.came_to, Finished)


@pytest.mark.parametrize("kind", ONCE)
def test_unclear_is_in_doubt_at_once(kind):
    """Where a second call may have a second effect, nobody makes one, whatever arrives and however much time passes."""
    story = tried(kind, ends(UNCLEAR, http_status=504))
    copy, due = story.approve(), story.take("due", after_ms=10**9)

    assert len(story.calls) == 1
    assert story.due_ms() is None
    assert set(story.states) == {"IntouchAPITask"}
    assert said(copy) == said(due) == story.told[None] != []
    assert story.headers["rw-http-status"] == "504"


@pytest.mark.parametrize("kind", RequestType)
def test_what_had_no_effect_is_tried_again(kind):
    """Also a call that may not be repeated: a 429 says that nothing was applied."""
    story = tried(kind, ends(NOT_NOW, http_status=429, wait_ms=1000), DONE)

    assert ([call.attempt for call in story.calls], story.states) == ([1, 2], ["approved"])


def test_between_two_tries_nothing_is_told():
    """What has ended so is remembered and acknowledged: with its wait, and with the age of its approval."""
    story = Story(BADGE, ends(NOT_NOW, http_status=429, wait_ms=1000))
    step = story.approve()

    assert (said(step), step.afterwards, step.note.outcome) == ([], (), Noted.AGAIN)
    assert isinstance(story.came_to, Trying)
    assert (story.came_to.ending, story.came_to.http_status, story.came_to.held_ms) == (NOT_NOW, 429, None)
    mark = read_mark(story.memory[1])
    assert (mark.kind, mark.since_ms, mark.origin) == (Kind.TRYING, story.approved.decided.at_ms, None)
    assert mark.due_ms == story.due_ms() == story.now_ms + 5 + 1000


def test_a_due_before_its_time_changes_nothing():
    """The broker's time of the record decides; a moment later the call is made."""
    story = Story(BADGE, ends(NOT_NOW, wait_ms=1000), DONE)
    story.approve()
    early = story.take("due", after_ms=story.due_ms() - 1 - story.now_ms)

    assert (early.call, early.memory, said(early), len(story.calls)) == (None, (), [], 1)
    story.take("due", after_ms=1)
    assert (len(story.calls), story.states) == (2, ["approved"])


def test_the_same_approved_does_not_shorten_the_wait():
    """A copy of it finds that another try will follow, and leaves it at that."""
    story = Story(BADGE, ends(NOT_NOW, wait_ms=1000))
    story.approve()
    copy = story.take(story.approved, after_ms=10**6)

    assert (copy.call, copy.memory, said(copy)) == (None, (), [])


@pytest.mark.parametrize(
    ("last", "state", "reason"), [(NOT_NOW, "failed", "retries-exhausted"), (REFUSED, "failed", "refused")]
)
@pytest.mark.parametrize("kind", RequestType)
def test_tries_run_out(kind, last, state, reason):
    """After as many as are allowed, none of which had an effect, it failed; the reason is a header."""
    story = tried(kind, *[NOT_NOW] * (TRIES - 1), last)

    assert (len(story.calls), story.states, story.headers["rw-reason"]) == (TRIES, [state], reason)
    assert story.due_ms() == story.came_to.at_ms + TERMS.remember_ms


@pytest.mark.parametrize("at", range(TRIES))
def test_tries_run_out_after_one_that_may_have_had_an_effect(at):
    """Whichever of them it was: it is in doubt."""
    answers = [NOT_NOW] * TRIES
    answers[at] = UNCLEAR
    story = tried(BADGE, *answers)

    assert (len(story.calls), story.states) == (TRIES, ["IntouchAPITask"])
    assert isinstance(story.came_to, Result)
    assert (story.headers["rw-reason"], story.due_ms()) == ("in-doubt", None)


def test_a_wait_that_would_end_too_late_is_not_begun():
    """A Retry-After beyond the time to retry ends it at once."""
    at_most = TERMS.retry_for_ms - CALL_MS

    assert tried(BADGE, ends(NOT_NOW, wait_ms=at_most)).states == []
    assert tried(BADGE, ends(NOT_NOW, wait_ms=at_most + 1)).states == ["failed"]
    assert tried(BADGE, ends(UNCLEAR, wait_ms=at_most + 1)).states == ["IntouchAPITask"]


@pytest.mark.parametrize(("answer", "state"), [(NOT_NOW, "failed"), (UNCLEAR, "IntouchAPITask")])
@pytest.mark.parametrize("late_ms", [0, 1])
def test_a_try_that_would_begin_too_late_is_not_made(answer, state, late_ms):
    """Nobody looked in time, after a crash or behind a lag: a status, say, must not be set again hours later."""
    story = Story(RequestType.CUSTOMER_STATUS_CHANGE, answer, DONE)
    began_ms = story.now_ms + 15
    story.approve()
    story.take("due", after_ms=began_ms + TERMS.retry_for_ms + late_ms - 5 - story.now_ms)

    assert len(story.calls) == 2 - late_ms
    assert story.states == [state if late_ms else "approved"]
    assert late_ms == 0 or story.headers["rw-reason"] in {"retries-exhausted", "in-doubt"}


def test_a_try_that_waits_for_a_slot_is_not_made_too_late():
    """It was asked for in time and waits until the bound is over: folded again then, it is not made."""
    story = Story(RequestType.CUSTOMER_STATUS_CHANGE, UNCLEAR)
    story.approve()
    asked = a_due(story.stage, story.due_ms(), offset=9)
    call = folded(story.stage, asked, story.memory).call
    again = folded(story.stage, asked._replace(seen_ms=call.good_until_ms + 1), story.memory)

    assert call.good_until_ms == bound_of(RequestType.CUSTOMER_STATUS_CHANGE)
    assert (again.call, [str(event.state) for event in events(again)]) == (None, ["IntouchAPITask"])


@pytest.mark.parametrize(
    ("redemptions", "states", "reason"), [(1, ["approved"], "already-there"), (2, ["IntouchAPITask"], "in-doubt")]
)
def test_already_there_after_an_unclear_try(redemptions, states, reason):
    """Our own try had the effect, where the call is about one item; about several, nobody knows which."""
    kind = RequestType.POINTS_REDEMPTION
    items = [BODIES[kind]["root"]["redeem"]] * redemptions
    pending = a_pending(kind, submission=changed(a_submission(kind), f"{BODY}.root.redeem", items))
    story = tried(kind, UNCLEAR, Ending.ALREADY_THERE, approved=an_approved(pending))

    assert (story.states, story.headers["rw-reason"]) == (states, reason)


def test_already_there_on_a_first_try():
    """Somebody else's: refused."""
    story = tried(BADGE, Ending.ALREADY_THERE)

    assert (story.states, story.headers["rw-reason"]) == (["failed"], "refused")


def test_an_ending_after_tries_is_told_like_any_other():
    """By the checker, with the decision's apiRequestId, at the time of the attempt that brought it about."""
    story = tried(BADGE, ends(NOT_NOW, wait_ms=1000), DONE)
    [event] = story.events
    data = data_of(event)

    assert (data["checkerId"], data["comment"], event.api_request_id) == (CHECKER, "a comment", "c" * 32)
    assert data["updateTime"] == story.came_to.at_ms > T0 + 2000
    assert event.attempt == 2  # which enters its id


def test_everything_is_asked_again_before_every_attempt():
    """The allow-list and the digest; what was sent before may have had its effect, so that is a doubt."""
    for answer, state in ((NOT_NOW, "failed"), (UNCLEAR, "IntouchAPITask")):
        for changes in ({"hosts": ()}, {"digest": lambda **_: "another"}):
            story = Story(BADGE, answer)
            story.approve()
            story.stage = an_execution(**changes)
            story.wait()

            assert (len(story.calls), story.states) == (1, [state])


def test_an_old_approval_is_good_for_further_tries():
    """Only a first call may come too late for its approval."""
    story = Story(BADGE, NOT_NOW, DONE, terms=TERMS._replace(good_for_ms=500))
    story.approve()
    story.take("due", after_ms=1000)

    assert story.states == ["approved"]
