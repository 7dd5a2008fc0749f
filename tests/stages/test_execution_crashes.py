"""A process that dies around a call: between the intent and the outcome, and between the two writes of a reduction."""

from __future__ import annotations

import pytest
from builders import T0, a_pending, an_approved, an_operators_resolution, an_outcome
from stages.calling import Story, bound_of
from wiring import TERMS, a_due, an_execution, data_of, events, folded, nothing, said, signed, written

from pipeline.domain.calls import read_result
from pipeline.domain.messages import INTENTS, RESULTS
from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Effect, Ending
from pipeline.domain.remnants import Finished
from pipeline.domain.request_types import RequestType
from pipeline.stages import Write

DONE, LOST = Ending.DONE, Ending.LOST
ONCE = (RequestType.GOODWILL_POINTS, RequestType.RETRO_TRANSACTION)
REPEATABLE = tuple(kind for kind in RequestType if kind not in ONCE)
EXECUTION = an_execution()
NOTHING = nothing(EXECUTION)


@pytest.mark.parametrize("kind", REPEATABLE)
def test_a_lost_call_is_made_again(kind):
    """Where that has no second effect: soon, with the same bytes, and as a further attempt."""
    story = Story(kind, LOST, DONE)
    step = story.approve()

    assert (step.call, said(step), step.note.outcome) == (None, [], Noted.AGAIN)
    story.wait()
    first, second = story.calls
    assert second == first._replace(attempt=2, good_until_ms=bound_of(kind))
    assert story.states == ["approved"]


def test_a_lost_call_counts_the_tries_before_it():
    """What came of the one before may not have reached the results when this one began: the intent says it, too.

    The story: two processes died, and a request was called four times where three are allowed.
    """
    story = Story(RequestType.EARN_BADGE, Ending.NOT_NOW)
    story.approve()
    due = a_due(story.stage, story.now_ms + 10**4, offset=7)
    intent = written(story.stage, story.memory, folded(story.stage, due, story.memory).memory)[0]

    step = folded(story.stage, due, (intent, None))

    assert read_result(written(story.stage, (intent, None), step.memory)[1]).tried.tries == 2


@pytest.mark.parametrize("kind", ONCE)
def test_a_lost_call_is_in_doubt(kind):
    """Where nobody may make it again: at the broker's time of the message that asked for it."""
    story = Story(kind, LOST)
    step = story.approve()

    [event] = events(step)
    assert (story.states, story.due_ms()) == (["IntouchAPITask"], None)
    assert data_of(event)["updateTime"] == story.now_ms
    assert dict(event.headers()) == {"rw-kind": b"state", "rw-stage": b"execution", "rw-reason": b"in-doubt"}
    assert (step.handovers, step.afterwards, step.note.outcome) == ((), (), Noted.IN_DOUBT)


@pytest.mark.parametrize(
    ("then", "state", "reason"),
    [
        (Ending.ALREADY_THERE, "approved", "already-there"),
        (Ending.REFUSED, "failed", "refused"),
        (Ending.REDIRECT, "IntouchAPITask", "in-doubt"),
    ],
)
def test_a_lost_call_may_have_had_its_effect(then, state, reason):
    """So what the next one says is read in that light."""
    story = Story(RequestType.EARN_BADGE, LOST, then)
    story.approve()
    story.wait()

    assert (story.states, story.headers["rw-reason"]) == ([state], reason)


def test_crashes_use_up_attempts():
    """A call that kills its process is not made for ever: when the tries run out it is in doubt."""
    story = Story(RequestType.EARN_BADGE, *[LOST] * TERMS.max_attempts)
    story.approve()
    while not story.states:
        story.wait()

    assert (len(story.calls), story.states) == (TERMS.max_attempts, ["IntouchAPITask"])


def test_the_count_survives_a_crash():
    """What was tried before is remembered: it does not start anew."""
    story = Story(RequestType.EARN_BADGE, Ending.NOT_NOW, LOST, Ending.NOT_NOW)
    story.approve()
    began_ms = story.came_to.tried.first_ms
    story.wait()
    story.wait()

    tried = story.came_to.tried
    assert (tried.attempt, tried.tries, tried.first_ms, tried.is_ambiguous) == (3, 3, began_ms, True)


def test_what_came_before_the_lost_call_does_not_take_it_up():
    """The Approved comes again before the Due that asked for the second call: it waits for that."""
    story = Story(RequestType.EARN_BADGE, Ending.NOT_NOW)
    story.approve()
    asked = a_due(story.stage, story.now_ms + 10, offset=7)
    memory = written(story.stage, story.memory, folded(story.stage, asked, story.memory).memory)

    before = folded(story.stage, signed(story.approved, offset=1), memory)
    taken = folded(story.stage, asked, memory)
    assert (before.memory, said(before), before.call) == ((), [], None)
    assert read_result(written(story.stage, memory, taken.memory)[1]).tried.attempt == 2


@pytest.mark.parametrize("last", [LOST, DONE])
def test_times_never_go_back(last):
    """No end is before its decision, nor before the doubt that was told last, whatever clocks and records say."""
    for decided_ms in (T0 + 1000, T0 + 10**6):
        approved = an_approved(a_pending(RequestType.GOODWILL_POINTS), at_ms=decided_ms)
        story = Story(RequestType.GOODWILL_POINTS, LOST, last, approved=approved)
        story.approve()
        doubt_ms = max(decided_ms, T0 + 1010)
        story.take(an_operators_resolution("retry", after_ms=doubt_ms - T0), after_ms=-5000)

        assert [data_of(event)["updateTime"] for event in story.events] == [doubt_ms] * 2


def test_a_doubt_is_told_although_its_retry_is_under_way():
    """Found by reading: the process died before it told the doubt, and behind it the retry's intent was written. What
    came before the retry said nothing then, and the doubt was never announced.
    """
    story = Story(RequestType.GOODWILL_POINTS, Ending.UNCLEAR)
    story.approve()
    doubt = [event.value() for event in story.events]
    retry = signed(an_operators_resolution("retry"), offset=9)
    intent = folded(story.stage, retry, story.memory).memory[0].value

    again = folded(story.stage, signed(story.approved, offset=1), (intent, story.memory[1]))

    assert [event.value() for event in events(again)] == doubt
    assert (again.memory, again.call, again.handovers) == ((), None, ())


# -- half of a reduction

RESOLVED = an_operators_resolution("failed")


def told(kind, ending, said_then=None):
    """The stage's memory when the ending is remembered and told, and the two writes that are left to do."""
    approved = an_approved(a_pending(kind))
    memory = written(EXECUTION, NOTHING, folded(EXECUTION, approved).memory)
    assert EXECUTION.on_outcome is not None
    step = EXECUTION.on_outcome(signed(approved), memory, approved, an_outcome(ending))
    memory = written(EXECUTION, memory, step.memory)
    if said_then is not None:
        step = folded(EXECUTION, signed(said_then, offset=60), memory)
        memory = written(EXECUTION, memory, step.memory)
    return approved, step, memory


ENDS = {
    "done": (RequestType.EARN_BADGE, DONE),
    "refused": (RequestType.GOODWILL_POINTS, Ending.REFUSED),
    "resolved": (RequestType.GOODWILL_POINTS, Ending.UNCLEAR, RESOLVED),
}
COMES_AGAIN = {
    "done": signed(an_approved(a_pending(RequestType.EARN_BADGE))),
    "refused": signed(an_approved()),
    "resolved": signed(RESOLVED, offset=60),
}


def halves(end, left):
    """(the step that told the ending, memory with only this table's write left to do, memory with none left)"""
    _, first, memory = told(*ENDS[end])
    whole = written(EXECUTION, memory, first.afterwards)
    done = tuple(write for write in first.afterwards if write.table != left)
    assert whole[0] is None
    assert isinstance(read_result(whole[1]), Finished)
    return first, written(EXECUTION, memory, done), whole


@pytest.mark.parametrize("who", ["what ended it", "a copy of the approval", "a due"])
@pytest.mark.parametrize("end", ENDS)
def test_an_intent_that_was_left_is_forgotten(end, who):
    """A crash behind the first write of a reduction: whatever comes again is silent, and writes the other."""
    first, half, whole = halves(end, INTENTS)
    approval = COMES_AGAIN["done" if end == "done" else "refused"]
    messages = {"what ended it": COMES_AGAIN[end], "a copy of the approval": approval, "a due": a_due(EXECUTION, T0)}

    step = folded(EXECUTION, messages[who], half)

    assert (step.call, step.memory, said(step)) == (None, (), [])
    assert step.afterwards == first.afterwards[1:]
    assert written(EXECUTION, half, step.afterwards) == whole


@pytest.mark.parametrize("who", ["what ended it", "a due"])
@pytest.mark.parametrize("end", ENDS)
def test_a_result_that_was_left_is_reduced(end, who):
    """The same where the second write came first: only the approval itself still knows enough to tell the ending."""
    first, half, whole = halves(end, RESULTS)

    step = folded(EXECUTION, COMES_AGAIN[end] if who == "what ended it" else a_due(EXECUTION, T0 + 5000), half)

    assert (step.call, step.memory) == (None, ())
    assert said(step) == (said(first) if who == "what ended it" and end != "resolved" else [])
    assert written(EXECUTION, half, step.afterwards) == whole


def test_an_ending_without_an_intent_is_reduced_too():
    """What was refused before a call, and told: the same message finds nothing more to say when it comes again."""
    stage, approved = an_execution(hosts=()), an_approved()
    first = folded(stage, approved)
    memory = written(stage, NOTHING, first.memory)

    assert read_result(memory[1]).end.effect is Effect.REFUSED
    reduced = written(stage, memory, first.afterwards)
    again = folded(stage, approved, reduced)
    assert (said(again), again.memory, again.afterwards) == ([], (), ())
    assert first.afterwards[1] == Write(INTENTS, None)
