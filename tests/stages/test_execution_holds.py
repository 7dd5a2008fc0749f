"""While an origin is away: requests wait without an attempt, for so long since their approval, and use up no tries."""

from __future__ import annotations

import pytest
from builders import HOST
from stages.calling import CALL_MS, Door, Story, ends
from wiring import TERMS, said

from pipeline.domain.calls import Parked, Trying
from pipeline.domain.marks import Kind, read_mark
from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Ending
from pipeline.domain.request_types import RequestType

DONE, UNCLEAR, NOT_NOW, UNREACHED = Ending.DONE, Ending.UNCLEAR, Ending.NOT_NOW, Ending.UNREACHED
BADGE, GOODWILL = RequestType.EARN_BADGE, RequestType.GOODWILL_POINTS
SHORT = TERMS._replace(hold_ms=10_000)


def parked(kind=GOODWILL, *answers, **more):
    """Approved while its origin is away."""
    story = Story(kind, *answers, **more)
    story.door.is_shut = True
    story.approve()
    return story


def unreached(kind, *answers, **more):
    """Approved, and the origin is not reached."""
    story = Story(kind, UNREACHED, *answers, **more)
    story.approve()
    return story


HELD = {"before a call": parked, "not reached": unreached}


@pytest.mark.parametrize("kind", RequestType)
def test_a_request_is_held_before_its_call(kind):
    """No call, no event: remembered as waiting for this origin since its approval, and acknowledged."""
    story = Story(kind)
    story.door.is_shut = True
    step = story.approve()

    assert (story.calls, said(step), step.afterwards, step.note.outcome) == ([], [], (), Noted.HELD)
    assert isinstance(story.begun, Parked)
    assert (story.begun.approved, story.came_to) == (story.approved, None)
    mark = read_mark(story.memory[0])
    assert (mark.kind, mark.request_type, mark.origin) == (Kind.HELD, kind, HOST)
    assert mark.since_ms == story.approved.decided.at_ms


def test_what_was_not_begun_gives_way_to_a_call():
    """For the same record another owner may find the origin there, or the host allowed: a late write of the first one
    must hide neither its intent nor its outcome.

    The story: a request that was parked by a process that died was called by the next one, ended in doubt, and was
    parked again by the late write: nobody could resolve it, and a crash during the call would have made a second one.
    """
    held, forbidden, called = Story(GOODWILL), Story(GOODWILL, hosts=()), Story(GOODWILL, DONE)
    held.door.is_shut = True

    assert [write.gives_way for write in held.approve().memory] == [True]
    assert [write.gives_way for write in forbidden.approve().memory] == [True]
    assert [write.gives_way for write in called.approve().memory] == [False]


@pytest.mark.parametrize("kind", RequestType)
def test_a_call_that_reached_nobody_is_held(kind):
    """Nothing was sent, so also one that may not be repeated waits; its mark says for whom."""
    story = unreached(kind)

    assert isinstance(story.came_to, Trying)
    assert (story.states, story.came_to.tried.tries) == ([], 0)
    mark = read_mark(story.memory[1])
    assert (mark.kind, mark.origin, mark.since_ms) == (Kind.HELD, HOST, story.approved.decided.at_ms)


@pytest.mark.parametrize("kind", RequestType)
@pytest.mark.parametrize("how", HELD)
def test_it_is_called_when_the_origin_is_back(how, kind):
    """A Due takes it up: as its first attempt, because nothing was sent before."""
    story = HELD[how](kind)
    story.door.is_shut = False
    story.answers.append(ends(DONE))
    story.wait()

    assert (story.calls[-1].attempt, story.states) == (1, ["approved"])


@pytest.mark.parametrize("how", HELD)
def test_while_the_origin_is_away_a_due_changes_nothing(how):
    """However often somebody asks; and nobody is asked to ask before the hold term is over."""
    story = HELD[how](BADGE)
    story.door.is_shut = True
    calls = len(story.calls)
    first, second = story.take("due", after_ms=5000), story.take("due")

    assert (len(story.calls), said(first), said(second), second.memory) == (calls, [], [], ())
    assert second.note.outcome is Noted.HELD
    assert story.due_ms() == story.approved.decided.at_ms + TERMS.hold_ms


@pytest.mark.parametrize("kind", RequestType)
@pytest.mark.parametrize("how", HELD)
def test_held_for_too_long(how, kind):
    """So long after the approval it failed, because Intouch was not there; without another attempt."""
    story = HELD[how](kind)
    story.door.is_shut = True
    calls = len(story.calls)
    story.wait()

    assert (len(story.calls), story.states) == (calls, ["failed"])
    assert story.headers == {"rw-kind": "state", "rw-stage": "execution", "rw-reason": "intouch-unavailable"}
    assert story.came_to.at_ms == story.approved.decided.at_ms + TERMS.hold_ms + 5


@pytest.mark.parametrize("how", HELD)
def test_not_held_a_moment_too_long(how):
    """The worker's clock counts, a millisecond before the term it still waits."""
    story = HELD[how](GOODWILL)
    story.door.is_shut = True
    story.take("due", after_ms=story.due_ms() - 6 - story.now_ms)

    assert story.states == []
    story.take("due", after_ms=1)
    assert story.states == ["failed"]


def test_not_reached_until_the_term_is_over():
    """Where nobody knows that the origin is away, each attempt finds out; they use up no tries."""
    answers = [ends(UNREACHED, wait_ms=900)] * 11
    story = Story(GOODWILL, *answers, terms=SHORT)
    story.approve()
    while not story.states:
        story.wait()

    assert len(story.calls) == 11 > SHORT.max_attempts
    assert {call.attempt for call in story.calls} == {1}
    assert (story.states, story.headers["rw-reason"]) == (["failed"], "intouch-unavailable")


@pytest.mark.parametrize("kind", [BADGE, RequestType.CUSTOMER_STATUS_CHANGE])
@pytest.mark.parametrize("is_shut", [True, False])
def test_no_retry_after_makes_a_hold_longer(kind, is_shut):
    """A 503 that asks for a day: when the hold is over the request is looked at, and is in doubt at the latest then."""
    answer = ends(UNCLEAR, http_status=503, wait_ms=86_400_000)
    story = Story(kind, answer, answer)
    story.approve()
    story.door.is_shut = is_shut
    story.wait()

    assert story.now_ms < story.approved.decided.at_ms + TERMS.hold_ms + 1000
    assert (story.states, len(story.calls)) == (["IntouchAPITask"], 1 if is_shut else 2)


def test_held_for_too_long_after_an_unclear_try():
    """What was sent before may have had its effect: in doubt."""
    for shut in (True, False):
        story = Story(BADGE, UNCLEAR, UNREACHED, terms=SHORT)
        story.approve()
        story.door.is_shut = shut
        story.take("due")
        story.door.is_shut = True
        story.wait()

        assert (story.states, story.headers["rw-reason"]) == (["IntouchAPITask"], "in-doubt")


@pytest.mark.parametrize("reached_for", [0, 1])
def test_time_that_was_held_is_no_time_to_retry(reached_for):
    """Longer than the time to retry, between two tries: there are still tries left, as many as before."""
    story = Story(BADGE, NOT_NOW, *[UNREACHED] * reached_for, NOT_NOW, DONE)
    story.approve()
    story.door.is_shut = not reached_for
    story.take("due")
    story.door.is_shut = True
    story.take("due", after_ms=10 * TERMS.retry_for_ms)
    story.door.is_shut = False
    story.take("due", after_ms=10 * TERMS.retry_for_ms)
    story.wait()

    assert (story.states, story.calls[-1].attempt) == (["approved"], 3)


def test_reaching_for_an_origin_uses_up_no_time_to_retry():
    """What is held counts from when the attempt began, not from when it was given up."""
    story = Story(BADGE, NOT_NOW, UNREACHED)
    story.approve()
    story.wait()

    assert story.came_to.held_ms == story.now_ms + 5 - CALL_MS


def test_time_that_was_not_held_is_time_to_retry():
    """Only the wait for the origin is left out, not what was before."""
    story = Story(RequestType.CUSTOMER_STATUS_CHANGE, NOT_NOW, DONE)
    story.approve()
    story.door.is_shut = True
    story.take("due", after_ms=TERMS.retry_for_ms - 1000)
    story.door.is_shut = False
    story.take("due", after_ms=5000)

    assert story.states == ["approved"]
    late = Story(RequestType.CUSTOMER_STATUS_CHANGE, NOT_NOW)
    late.approve()
    late.door.is_shut = True
    late.take("due", after_ms=TERMS.retry_for_ms + 1000)
    assert (late.states, late.headers["rw-reason"]) == (["failed"], "retries-exhausted")


@pytest.mark.parametrize("kind", RequestType)
def test_a_call_that_may_be_repeated_goes_first(kind):
    """To find out whether the origin is back; the others wait on, although a Due asks."""
    story = parked(kind, *[DONE] * (kind not in {GOODWILL, RequestType.RETRO_TRANSACTION}))
    story.door.lets_repeatable_in = True
    before = len(story.answers)
    assert (story.due_ms() <= story.now_ms + 5) is bool(before)  # nobody else is asked about before its time
    step = story.take("due")

    assert story.states == ["approved"] * before
    assert before or step.note.outcome is Noted.HELD


@pytest.mark.parametrize("how", HELD)
def test_an_approval_expires_while_it_is_held(how):
    """A first call that would begin so late is not made; one that reached nobody was none."""
    story = HELD[how](GOODWILL, terms=TERMS._replace(good_for_ms=5000))
    story.take("due", after_ms=6000)

    assert (story.states, story.headers["rw-reason"]) == (["failed"], "approval-expired")


def test_a_held_try_does_not_expire():
    """Something was sent within the approval's time: what follows is no first call."""
    story = Story(BADGE, NOT_NOW, DONE, terms=TERMS._replace(good_for_ms=5000))
    story.approve()
    story.door.is_shut = True
    story.take("due")
    story.door.is_shut = False
    story.take("due", after_ms=6000)

    assert story.states == ["approved"]


def test_what_is_not_allowed_is_not_held():
    """The allow-list is asked first: there is nothing to wait for."""
    story = Story(GOODWILL, hosts=(), is_away=Door(is_shut=True))
    story.approve()

    assert (story.states, story.headers["rw-reason"]) == (["failed"], "host-not-allowed")


def test_a_hold_ends_although_nobody_looked():
    """A status was set or not (503), and all workers were down for a day with it held: setting it now could undo what
    came since. A hold stretches the time to retry by its own term at most. Found by the simulator.
    """
    story = Story(RequestType.CUSTOMER_STATUS_CHANGE, ends(UNCLEAR, http_status=503))
    story.approve()
    assert isinstance(story.came_to, Trying)
    story.take("due", after_ms=86_400_000)

    assert (len(story.calls), story.states, story.headers["rw-reason"]) == (1, ["IntouchAPITask"], "in-doubt")
