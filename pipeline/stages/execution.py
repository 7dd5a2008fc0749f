"""Execution: makes the one call of an approved request, and tells how it ended. Takes an `Approved`, nothing less.

An intent is durable before bytes may leave, a result before anything is told. An intent without a result is a crash in
between: nobody knows whether Intouch did it, and nobody repeats it blindly. Two tables, so that a late intent of a
worker that lost its partition can never hide a result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.domain.desk import Intent, Result, read_intent, read_result
from pipeline.domain.events import Event, Teller
from pipeline.domain.marks import Kind, Mark
from pipeline.domain.messages import EXECUTION_INBOX, INTENTS, RESULTS, Approved, Due, Ended, Message, Resolution
from pipeline.domain.noted import Noted
from pipeline.domain.origins import AllowList
from pipeline.domain.outcomes import Effect, Outcome
from pipeline.domain.reasons import DeadReason, Reason
from pipeline.domain.remnants import Finished
from pipeline.domain.requests import Call, credentials_binding
from pipeline.domain.states import Move, State, after, told_previous
from pipeline.stages import Arrival, Memory, Note, Stage, Step, Write
from pipeline.stages.binding import Digest, digest_of
from pipeline.stages.inbox import Inbox, Undertaker

NAME = "execution"

_MOVES = {Effect.DONE: Move.SUCCEED, Effect.REFUSED: Move.FAIL, Effect.UNKNOWN: Move.DOUBT}


@dataclass(frozen=True, slots=True)
class Execution:
    """What the stage needs.

    `good_for_ms`: how long after its decision a first call may begin; `remember_ms`: how long an ending is remembered.
    """

    allowed: AllowList
    digest: Digest
    good_for_ms: int
    remember_ms: int
    undertaker: Undertaker
    teller: Teller

    def fold(self, arrival: Arrival, memory: Memory, message: Message) -> Step:
        """A call to be made, or what is known of one that was."""
        if isinstance(message, Resolution):
            return self._resolve(arrival, message)
        if isinstance(message, Due):
            return self._wake(arrival, memory, message)
        assert isinstance(message, Approved)
        intent, result = read_intent(memory[0]), read_result(memory[1])
        if isinstance(result, Finished):
            # Two tables, two writes: after a crash between them the intent may still be there.
            left = () if intent is None else (Write(INTENTS, None),)
            return Step(Note(Noted.REPEATED, message.about), afterwards=left)
        if result is not None:
            return self._tell(message, result)
        if intent is not None:
            # Begun by a process that did not live to tell: in doubt, whatever the type (until retries are built).
            lost = Outcome(effect=Effect.UNKNOWN, reason=Reason.IN_DOUBT, at_ms=arrival.time_ms)
            return self._remember(message, lost, intent.attempt)
        objection = self._objection(arrival, message)
        if objection is not None:
            return self._remember(message, Outcome(effect=Effect.REFUSED, reason=objection, at_ms=arrival.seen_ms), 0)
        begun = Intent(approved=message, attempt=1)
        return Step(Note(Noted.CALLING, message.about), memory=(Write(INTENTS, begun.value()),), call=_call_of(message))

    def on_outcome(self, arrival: Arrival, memory: Memory, approved: Approved, outcome: Outcome) -> Step:
        """How the call that this stage asked for ended."""
        intent = read_intent(memory[0])
        assert intent is not None
        return self._remember(approved, outcome, intent.attempt)

    def _resolve(self, arrival: Arrival, resolution: Resolution) -> Step:
        """Nothing can be resolved yet, so nobody is left to believe that it was."""
        step = self.undertaker.bury_carried(
            arrival,
            DeadReason.NOT_IN_DOUBT,
            source=resolution.origin,
            original=resolution.original,
            request_id=resolution.request_id,
            org_id=resolution.org_id,
        )
        return replace(step, note=step.note._replace(decision=resolution.decision))

    def due(self, mark: Mark) -> int | None:
        """When time may change the entry with this mark, epoch ms; None for never: what is in doubt stays."""
        return mark.since_ms + self.remember_ms if mark.kind is Kind.FINISHED else None

    def _wake(self, arrival: Arrival, memory: Memory, due: Due) -> Step:
        """Forgets an ending whose term is over, by the broker's time of the `Due`."""
        result = read_result(memory[1])
        if isinstance(result, Finished) and arrival.time_ms >= result.at_ms + self.remember_ms:
            return Step(Note(Noted.FORGOTTEN, due.request_id), memory=(Write(RESULTS, None),))
        return Step(Note(Noted.REPEATED, due.request_id))

    def _objection(self, arrival: Arrival, approved: Approved) -> Reason | None:
        """Why this call must not be begun at all. Asked before an intent is written: an intent means that bytes may
        have left.
        """
        pending = approved.pending
        if arrival.seen_ms - approved.decided.at_ms > self.good_for_ms:
            return Reason.APPROVAL_EXPIRED
        if not self.allowed.allows(pending.plan.host):
            return Reason.HOST_NOT_ALLOWED
        if digest_of(self.digest, pending.request, pending.plan, pending.texts) != pending.plan.digest:
            return Reason.DIGEST_MISMATCH
        return None

    def _remember(self, approved: Approved, outcome: Outcome, attempt: int) -> Step:
        """The outcome is remembered first; its time is never before the decision's, whatever a worker's clock says."""
        at_ms = max(outcome.at_ms, approved.decided.at_ms)
        result = Result(
            request_type=approved.pending.request.request_type,
            outcome=outcome.model_copy(update={"at_ms": at_ms}),
            attempt=attempt,
        )
        return replace(self._tell(approved, result), memory=(Write(RESULTS, result.value()),))

    def _tell(self, approved: Approved, result: Result) -> Step:
        """Made from what is remembered alone, so a repetition says the same bytes."""
        outcome = result.outcome
        events = self._event(approved, result)
        if outcome.effect is Effect.UNKNOWN:
            return Step(Note(Noted.IN_DOUBT, approved.about, outcome.reason), events=events)
        kind = approved.pending.request.request_type
        finished = Finished(request_type=kind, at_ms=outcome.at_ms, effect=outcome.effect)
        return Step(
            Note(Noted.ENDED, approved.about, outcome.reason or None),
            events=events,
            handovers=(Ended(request_id=approved.about, origin=approved.decided.origin, at_ms=outcome.at_ms),),
            afterwards=(Write(RESULTS, finished.value()), Write(INTENTS, None)),
        )

    def _event(self, approved: Approved, result: Result) -> tuple[Event, ...]:
        pending, decided, outcome = approved.pending, approved.decided, result.outcome
        move = _MOVES[outcome.effect]
        return self.teller.state(
            pending.request,
            pending.texts,
            after(State.INTOUCH_API_TASK, move),
            outcome.at_ms,
            extra={"reason": outcome.reason or None, "http_status": outcome.http_status},
            cause=decided.origin,
            api_request_id=decided.api_request_id,
            previous=told_previous(State.INTOUCH_API_TASK, move),
            checker_id=decided.checker_id,
            comment=decided.comment,
            attempt=result.attempt,
        )


def _call_of(approved: Approved) -> Call:
    pending = approved.pending
    request, plan, texts = pending.request, pending.plan, pending.texts
    return Call(
        request_id=request.request_id,
        request_type=request.request_type,
        method=plan.method,
        host=plan.host,
        path=plan.path,
        query=texts.query,
        headers=plan.headers,
        sealed_headers=plan.sealed_headers,
        binding=credentials_binding(request),
        body=texts.body,
    )


def execution(*, inbox: Inbox, parts: Execution) -> Stage:
    """The stage."""
    return Stage(NAME, (EXECUTION_INBOX,), (INTENTS, RESULTS), inbox.read, parts.fold, parts.on_outcome, parts.due)
