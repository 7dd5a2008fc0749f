"""Execution: what is asked before a call, what is remembered around it, and what is told of its end.

How it goes on after an end that is none stands in `test_execution_tries` and its neighbours.
"""

from __future__ import annotations

import pytest
from builders import (
    CHECKER,
    HOST,
    PASSWORD,
    REQUEST_ID,
    T0,
    a_pending,
    a_request,
    a_submission,
    an_approved,
    an_origin,
    an_outcome,
)
from wiring import GOOD_FOR_MS, an_execution, data_of, events, folded, nothing, said, signed, written

from pipeline.domain.calls import Doubt, End, Intent, Result, read_begun, read_result
from pipeline.domain.messages import DECISIONS_SUBMITTED, Ended
from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Ending
from pipeline.domain.remnants import Finished
from pipeline.domain.request_types import RequestType
from pipeline.domain.requests import credentials_binding
from pipeline.domain.tries import Tried

EXECUTION = an_execution()
APPROVED = an_approved()
NOTHING = nothing(EXECUTION)
BEGUN = written(EXECUTION, NOTHING, folded(EXECUTION, APPROVED).memory)
DONE = an_outcome(http_status=201)
REFUSED = an_outcome(Ending.REFUSED, http_status=400)
UNCLEAR = an_outcome(Ending.UNCLEAR)
ENDINGS = {"done": DONE, "refused": REFUSED}
REASONS = {"done": None, "refused": "refused"}
REPEATABLE = set(RequestType) - {RequestType.GOODWILL_POINTS, RequestType.RETRO_TRANSACTION}


def answered(outcome, approved=APPROVED, memory=BEGUN):
    """The step that follows from the end of the call."""
    assert EXECUTION.on_outcome is not None
    return EXECUTION.on_outcome(signed(approved), memory, approved, outcome)


def test_a_call_is_begun():
    """An intent first, with the whole Approved; nothing is told before the call has ended."""
    step = folded(EXECUTION, APPROVED)

    intent = read_begun(written(EXECUTION, NOTHING, step.memory)[0])
    assert intent == Intent(approved=APPROVED, attempt=1, asked=0, begun_ms=T0 + 20)
    assert intent.approved.pending.texts == APPROVED.pending.texts
    assert (said(step), step.afterwards, step.note.outcome) == ([], (), Noted.CALLING)


@pytest.mark.parametrize("kind", RequestType)
def test_the_call_is_what_was_approved(kind):
    """Host, path, method, query, headers and the very bytes of the body; credentials are still sealed."""
    pending = a_pending(kind, submission=a_submission(kind, headers={"A": "b", "Authorization": PASSWORD}))
    call = folded(EXECUTION, an_approved(pending)).call

    assert call is not None
    assert (call.request_id, call.request_type) == (REQUEST_ID, kind)
    assert (call.method, call.host, call.path) == (pending.plan.method, HOST, pending.plan.path)
    assert (call.query, call.body) == (pending.texts.query, pending.texts.body)
    assert (call.headers, call.sealed_headers) == ((("A", "b"),), "sealed-headers")
    assert call.binding == credentials_binding(a_request())
    assert (call.attempt, call.is_repeatable) == (1, kind in REPEATABLE)
    assert PASSWORD not in repr(call)


@pytest.mark.parametrize("name", ENDINGS)
def test_an_ending_is_remembered_then_told(name):
    """The result first; then the event, Ended to approval, and last both tables are reduced."""
    outcome = ENDINGS[name]
    step = answered(outcome)

    after = written(EXECUTION, BEGUN, step.memory)
    end = End(attempt=1, at_ms=T0 + 3000, effect=outcome.effect, reason=REASONS[name], http_status=outcome.http_status)
    tried = Tried(attempt=1, tries=1, first_ms=T0 + 3000)
    assert read_result(after[1]) == Result(
        request_type=RequestType.GOODWILL_POINTS, approval=APPROVED.decided.origin, tried=tried, end=end
    )
    assert step.handovers == (Ended(request_id=REQUEST_ID, origin=APPROVED.decided.origin, at_ms=T0 + 3000),)
    reduced = written(EXECUTION, after, step.afterwards)
    assert reduced[0] is None
    assert read_result(reduced[1]) == Finished.of(
        RequestType.GOODWILL_POINTS, T0 + 3000, outcome.effect, approval=APPROVED.decided.origin, words=[]
    )
    assert step.note.outcome is Noted.ENDED


@pytest.mark.parametrize(
    ("outcome", "state", "headers"),
    [
        (DONE, "approved", {"rw-http-status": b"201"}),
        (REFUSED, "failed", {"rw-http-status": b"400", "rw-reason": b"refused"}),
    ],
)
def test_endings_say_what_the_documents_print(outcome, state, headers):
    """From AdminTask, by the checker, with the decision's words and apiRequestId; the failure's reason is a header."""
    [event] = events(answered(outcome))
    data = data_of(event)

    assert (data["currentRequestState"], data["previousRequestState"]) == (state, "AdminTask")
    assert (data["checkerId"], data["comment"], data["updateTime"]) == (CHECKER, "a comment", T0 + 3000)
    assert event.api_request_id == "c" * 32
    assert dict(event.headers()) == {"rw-kind": b"state", "rw-stage": b"execution"} | headers


def test_ending_of_an_automatic_approval():
    """No checker, no comment, the submission's apiRequestId."""
    auto = an_approved(checker_id=None, comment=None, api_request_id="a" * 32, origin=an_origin())
    [event] = events(answered(DONE, auto, written(EXECUTION, NOTHING, folded(EXECUTION, auto).memory)))

    assert not {"checkerId", "comment"} & set(data_of(event))
    assert event.api_request_id == "a" * 32


def test_in_doubt():
    """IntouchAPITask again, as a state; nothing is handed over, nothing is reduced: it waits for a person."""
    step = answered(UNCLEAR)

    result = read_result(written(EXECUTION, BEGUN, step.memory)[1])
    doubt = Doubt(attempt=1, since=0, since_ms=T0 + 10, at_ms=T0 + 3000, ending=Ending.UNCLEAR)
    assert (result.doubts, result.end) == ((doubt,), None)
    [event] = events(step)
    data = data_of(event)
    assert (data["currentRequestState"], data["previousRequestState"]) == ("IntouchAPITask", "IntouchAPITask")
    assert dict(event.headers()) == {"rw-kind": b"state", "rw-stage": b"execution", "rw-reason": b"in-doubt"}
    assert (step.handovers, step.afterwards) == ((), ())
    assert (step.note.outcome, step.note.reason) == (Noted.IN_DOUBT, "in-doubt")


def test_in_doubt_is_told_although_progress_is_silenced():
    """The setting excepts it."""
    silent = an_execution(tells_progress=False)
    assert silent.on_outcome is not None

    assert len(events(silent.on_outcome(signed(APPROVED), BEGUN, APPROVED, UNCLEAR))) == 1


@pytest.mark.parametrize("outcome", [DONE, REFUSED, UNCLEAR], ids=lambda outcome: outcome.effect)
def test_a_result_that_was_not_told_is_told_again(outcome):
    """The same bytes, without a call and without a write, by whatever copy of the hop."""
    first = answered(outcome)
    memory = written(EXECUTION, BEGUN, first.memory)

    again = folded(EXECUTION, signed(APPROVED, offset=99, time_ms=T0 + 10**6, seen_ms=T0 + 10**9), memory)

    assert said(again) == said(first)
    assert (again.call, again.memory, again.afterwards) == (None, (), first.afterwards)


@pytest.mark.parametrize("outcome", ENDINGS.values(), ids=ENDINGS)
def test_what_is_finished_says_nothing(outcome):
    """No second call, no second ending."""
    first = answered(outcome)
    memory = written(EXECUTION, written(EXECUTION, BEGUN, first.memory), first.afterwards)

    again = folded(EXECUTION, signed(APPROVED, offset=99), memory)

    assert (said(again), again.call, again.memory, again.afterwards) == ([], None, (), ())
    assert again.note.outcome is Noted.REPEATED


def refused_for(step):
    """Why the call was not begun; it is remembered as a result, without an intent."""
    intent, raw = written(EXECUTION, NOTHING, step.memory)
    result = read_result(raw)
    assert isinstance(result, Result)
    assert result.end is not None
    assert (intent, step.call, result.end.effect, result.tried.tries) == (None, None, "refused", 0)
    assert data_of(events(step)[0])["currentRequestState"] == "failed"
    assert dict(events(step)[0].headers())["rw-reason"].decode() == result.end.reason
    return result.end.reason


@pytest.mark.parametrize(("late_ms", "is_good"), [(0, True), (1, False)])
def test_an_approval_is_good_for_a_time(late_ms, is_good):
    """A first call that would begin later is not made; the worker's own clock counts."""
    seen_ms = APPROVED.decided.at_ms + GOOD_FOR_MS + late_ms
    step = folded(EXECUTION, signed(APPROVED, seen_ms=seen_ms))

    assert (step.call is not None) == is_good
    if not is_good:
        assert refused_for(step) == "approval-expired"
        assert data_of(events(step)[0])["updateTime"] == seen_ms


def test_the_host_is_asked_again():
    """A host that was taken off the list meanwhile is not called."""
    assert refused_for(folded(an_execution(hosts=()), APPROVED)) == "host-not-allowed"


def test_credentials_that_no_key_opens_are_found_before_an_intent_is_written():
    """Or a crash in between would leave a call in doubt that was never made."""
    asked = []
    step = folded(an_execution(can_open=lambda call: asked.append(call.sealed_headers)), APPROVED)

    assert refused_for(step) == "bad-header"
    assert asked == [APPROVED.pending.plan.sealed_headers]
    assert written(EXECUTION, NOTHING, step.memory)[0] is None


CHANGES = {
    "body": lambda p: p.carrying(p.texts._replace(body=p.texts.body.replace("20", "21"))),
    "query": lambda p: p.carrying(p.texts._replace(query='{"a":1}')),
    "path params": lambda p: p.carrying(p.texts._replace(path_params='{"a":1}')),
    "entity": lambda p: p.carrying(p.texts._replace(entity="{}")),
    "maker": lambda p: p.model_copy(update={"request": p.request.model_copy(update={"maker_id": 1})}),
    "org": lambda p: p.model_copy(update={"request": p.request.model_copy(update={"org_id": 1})}),
    "type": lambda p: p.model_copy(update={"request": a_request(RequestType.EARN_BADGE)}),
    "method": lambda p: p.model_copy(update={"plan": p.plan.model_copy(update={"method": "PUT"})}),
    "path": lambda p: p.model_copy(update={"plan": p.plan.model_copy(update={"path": "/x"})}),
    "headers": lambda p: p.model_copy(update={"plan": p.plan.model_copy(update={"headers": (("A", "b"),)})}),
}


@pytest.mark.parametrize("part", CHANGES)
def test_whatever_differs_from_what_was_approved_is_not_sent(part):
    """Each part that the digest binds."""
    step = folded(EXECUTION, an_approved(CHANGES[part](a_pending())))

    assert refused_for(step) == "digest-mismatch"


def test_a_call_that_was_not_begun_is_told_as_it_was_remembered():
    """Folded again by a worker with another clock and another list, it says the same bytes."""
    first = folded(an_execution(hosts=()), APPROVED)
    memory = written(EXECUTION, NOTHING, first.memory)

    again = folded(EXECUTION, signed(APPROVED, offset=9, seen_ms=T0 + 10**9), memory)

    assert said(again) == said(first)
    assert (again.call, again.memory) == (None, ())


def test_the_end_of_a_call_is_never_before_its_decision():
    """A worker's clock may be wrong; updateTime never goes back."""
    step = answered(DONE.model_copy(update={"at_ms": 5}))

    assert data_of(events(step)[0])["updateTime"] == APPROVED.decided.at_ms


ANEW = an_approved(origin=an_origin(77, topic=DECISIONS_SUBMITTED, time_ms=T0 + 10**9), at_ms=T0 + 10**9)


@pytest.mark.parametrize("half", [(), (0,)], ids=["reduced", "half reduced"])
def test_a_name_that_is_used_again_is_another_request(half):
    """Approval had forgotten the first request of an idempotency key, execution had not: the next, approved anew, is
    called and ends. (It was taken for a repetition: no call, no ending, and the desk waited for ever.)
    """
    first = answered(DONE)
    told = written(EXECUTION, BEGUN, first.memory)
    memory = written(EXECUTION, told, tuple(first.afterwards[place] for place in half) or first.afterwards)
    arrival = signed(ANEW, offset=90, time_ms=T0 + 10**9 + 10, seen_ms=T0 + 10**9 + 20)
    begun = folded(EXECUTION, arrival, memory)

    assert begun.call is not None
    memory = written(EXECUTION, memory, begun.memory)
    ended = EXECUTION.on_outcome(arrival, memory, ANEW, DONE.model_copy(update={"at_ms": T0 + 10**9 + 50}))
    assert [data_of(event)["currentRequestState"] for event in events(ended)] == ["approved"]
    after = written(EXECUTION, written(EXECUTION, memory, ended.memory), ended.afterwards)
    assert read_result(after[1]).is_of(ANEW.decided.origin)
    assert folded(EXECUTION, signed(ANEW, offset=91), after).call is None
