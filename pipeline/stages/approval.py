"""Approval: keeps the desk and the ledger. The first thing it learns of a requestId counts, and it remembers it.

So nothing can give one request two endings before the call. The rules of a verdict are a table, asked in the contract's
order (section 4). Whatever is told is made from what is remembered, never from the record that repeats it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.domain.desk import Deciding, Declined, Entry, Waiting, read_entry
from pipeline.domain.events import Event, Teller
from pipeline.domain.ids import Origin
from pipeline.domain.marks import Kind, Mark
from pipeline.domain.messages import (
    APPROVAL_INBOX,
    DESK,
    Approved,
    Decided,
    Due,
    Ended,
    Message,
    Pending,
    Refused,
    Verdict,
)
from pipeline.domain.noted import Noted
from pipeline.domain.policy import Policies
from pipeline.domain.reasons import DeadReason, Reason
from pipeline.domain.remnants import Settled
from pipeline.domain.states import Move, State, after, told_previous
from pipeline.domain.verdicts import objection_of_stranger, objection_to, was_made_unseen
from pipeline.stages import Arrival, Memory, Note, Stage, Step, Write
from pipeline.stages.inbox import Inbox, Undertaker

NAME = "approval"


@dataclass(frozen=True, slots=True)
class Approval:
    """What the stage needs: the deployment's policies, what to do with losers, and a voice."""

    policies: Policies
    remember_ms: int  # how long an ended request is remembered, from its ending
    undertaker: Undertaker
    teller: Teller

    def fold(self, arrival: Arrival, memory: Memory, message: Message) -> Step:
        """One message against what the desk holds of its request."""
        known = read_entry(memory[0])
        if isinstance(message, Pending):
            return self._place(arrival, known, message)
        if isinstance(message, Refused):
            return self._decline(arrival, known, message)
        if isinstance(message, Verdict):
            return self._settle(arrival, known, message)
        if isinstance(message, Due):
            return self._wake(arrival, known, message)
        assert isinstance(message, Ended)
        return _end(arrival, known, message)

    # -- what arrives from validation and intake

    def _place(self, arrival: Arrival, known: Entry | None, pending: Pending) -> Step:
        if known is None:
            return self._first(arrival, pending)
        if known.first != pending.request.origin:
            return self._again(arrival, known, pending, is_same=known.has_digest(pending.plan.digest))
        note = Note(Noted.REPEATED, pending.about)
        if isinstance(known, Waiting):
            return Step(note, events=self._admin_task(known))
        if not isinstance(known, Deciding):
            return Step(note)
        if known.is_automatic:
            return self._tell(arrival, known, note)
        return Step(note, events=self._admin_task(known))

    def _first(self, arrival: Arrival, pending: Pending) -> Step:
        request = pending.request
        policy, since_ms = self.policies[request.request_type], max(arrival.time_ms, request.origin.time_ms)
        desk = Waiting(
            pending=pending.model_copy(update={"original": None}),  # nobody will ask for it again
            placed=arrival.offset,
            since_ms=since_ms,
            expires_ms=since_ms + policy.expires_after_s * 1000,
        )
        # What is older than memory is may be a copy of what was called and forgotten: a person must look at that.
        is_old = arrival.time_ms > request.origin.time_ms + self.remember_ms
        if is_old or not policy.auto_approve:
            note = Note(Noted.PLACED, request.request_id)
            return Step(note, memory=_remember(desk), events=self._admin_task(desk))
        decided = Decided(origin=request.origin, at_ms=since_ms, api_request_id=request.api_request_id)
        note = Note(Noted.DECIDED, request.request_id, Reason.AUTO_APPROVED, decision="approved")
        return self._rule(arrival, desk.ruled("approved", decided), note)

    def _decline(self, arrival: Arrival, known: Entry | None, refused: Refused) -> Step:
        code = refused.faults[0].code
        if known is None:
            declined = Declined(refused=refused.model_copy(update={"original": None}))
            note = Note(Noted.REFUSED, refused.about, code)
            return self._told_declined(arrival, declined, note, is_new=True)
        if known.first != refused.request.origin:
            return self._again(arrival, known, refused, is_same=False)
        note = Note(Noted.REPEATED, refused.about, code)
        return self._told_declined(arrival, known, note) if isinstance(known, Declined) else Step(note)

    def _again(self, arrival: Arrival, known: Entry, other: Pending | Refused, *, is_same: bool) -> Step:
        """Another submission claims the requestId by its idempotency key; the first one is untouched."""
        if is_same:
            step = Step(Note(Noted.REPEATED, other.about))
        else:
            step = self.undertaker.bury_carried(
                arrival,
                DeadReason.IDEMPOTENCY_CONFLICT,
                source=other.request.origin,
                original=other.original,
                request_id=other.about,
                org_id=other.request.org_id,
            )
        return _remembering_longer(step, arrival, known, other.request.origin)

    # -- verdicts

    def _settle(self, arrival: Arrival, known: Entry | None, verdict: Verdict) -> Step:
        if known is None or was_made_unseen(known, verdict, arrival.offset):
            return self.undertaker.bury_decision(arrival, verdict, DeadReason.UNKNOWN_REQUEST)
        if stranger := objection_of_stranger(known, verdict):
            return self.undertaker.bury_decision(arrival, verdict, stranger)
        if known.decided_by == verdict.origin:
            note = Note(Noted.REPEATED, verdict.request_id, decision=verdict.decision)
            return self._tell(arrival, known, note) if isinstance(known, Deciding) else Step(note)
        is_late = isinstance(known, Waiting | Deciding) and verdict.origin.time_ms >= known.expires_ms
        if is_late and isinstance(known, Waiting):
            return self._expire(arrival, known.ruled("expired", None), verdict)
        if is_late and isinstance(known, Deciding) and known.ruling == "expired":
            return self._expire(arrival, known, verdict, is_new=False)
        if not isinstance(known, Waiting):
            return self.undertaker.bury_decision(arrival, verdict, DeadReason.NOT_WAITING)
        wants_digest = self.policies[known.request.request_type].require_digest
        if objection := objection_to(known, verdict, wants_digest=wants_digest):
            return self.undertaker.bury_decision(arrival, verdict, objection)
        decided = Decided(
            origin=verdict.origin,
            at_ms=verdict.origin.time_ms,  # after the desk's, or it would be unknown-request
            api_request_id=verdict.api_request_id,
            checker_id=verdict.person_id,
            comment=verdict.comment,
        )
        note = Note(Noted.DECIDED, verdict.request_id, decision=verdict.decision)
        return self._rule(arrival, known.ruled(verdict.decision, decided), note)

    def _expire(self, arrival: Arrival, desk: Deciding, verdict: Verdict, *, is_new: bool = True) -> Step:
        """A verdict that came too late expires the request in its step, and dies as one that nobody waited for."""
        lost = self.undertaker.bury_decision(arrival, verdict, DeadReason.NOT_WAITING)
        told = self._rule(arrival, desk, lost.note) if is_new else self._tell(arrival, desk, lost.note)
        return replace(told, events=told.events + lost.events)

    # -- time

    def due(self, mark: Mark) -> int | None:
        """When time may change the entry with this mark, epoch ms; None for never."""
        if mark.kind is Kind.SETTLED:
            return mark.since_ms + self.remember_ms
        return mark.due_ms if mark.kind is Kind.WAITING else None

    def _wake(self, arrival: Arrival, known: Entry | None, due: Due) -> Step:
        """Judged by the broker's time of the `Due`, so that every replay agrees."""
        if isinstance(known, Waiting) and arrival.time_ms >= known.expires_ms:
            note = Note(Noted.EXPIRED, due.request_id, Reason.EXPIRED)
            return self._rule(arrival, known.ruled("expired", None), note)
        if isinstance(known, Deciding) and known.ruling == "expired" and arrival.time_ms >= known.expires_ms:
            return self._tell(arrival, known, Note(Noted.REPEATED, due.request_id, Reason.EXPIRED))
        ended_ms = known.ended_ms if isinstance(known, Settled) else None
        if ended_ms is not None and arrival.time_ms >= ended_ms + self.remember_ms:
            # Overtaken where the term was made shorter while this Due was under way: the next one forgets it.
            return Step(Note(Noted.FORGOTTEN, due.request_id), memory=(Write(DESK, None, may_be_overtaken=True),))
        return Step(Note(Noted.REPEATED, due.request_id))

    # -- steps

    def _rule(self, arrival: Arrival, desk: Deciding, note: Note) -> Step:
        """The request is decided now: remembered first, told next."""
        return replace(self._tell(arrival, desk, note), memory=_remember(desk))

    def _tell(self, arrival: Arrival, desk: Deciding, note: Note) -> Step:
        """All that follows from a decision, made from memory alone: a repetition says the same bytes."""
        events = self._admin_task(desk) if desk.is_automatic else ()
        handovers: tuple[Approved, ...] = ()
        if desk.ruling == "approved":
            assert desk.decided is not None
            handovers = (Approved(pending=desk.pending, decided=desk.decided),)
            events += self._intouch_task(desk, desk.decided)
        else:
            events += self._rejected(desk)
        left = _remember(desk.reduced(arrival.time_ms))
        return Step(note, events=events, handovers=handovers, afterwards=left)

    def _told_declined(self, arrival: Arrival, declined: Declined, note: Note, *, is_new: bool = False) -> Step:
        refused, request = declined.refused, declined.request
        faults = refused.faults
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        events = self.teller.state(
            request,
            refused.texts,
            after(refused.task, Move.REFUSE),
            request.origin.time_ms,
            extra={"reason": faults[0].code},
            previous=told_previous(refused.task, Move.REFUSE),
            comment=f"{faults[0].field}: {faults[0].message}{more}",
            faults=faults,
        )
        memory = _remember(declined) if is_new else ()
        return Step(note, memory=memory, events=events, afterwards=_remember(declined.reduced(arrival.time_ms)))

    # -- events

    def _admin_task(self, desk: Waiting | Deciding) -> tuple[Event, ...]:
        pending, plan = desk.pending, desk.pending.plan
        return self.teller.state(
            pending.request,
            pending.texts,
            after(State.VALIDATE_PAYLOAD, Move.ACCEPT),
            desk.since_ms,
            extra={
                "reason": Reason.AUTO_APPROVED if isinstance(desk, Deciding) and desk.is_automatic else None,
                "call": f"{plan.method} {plan.host} {plan.path}",
                "digest": plan.digest,
            },
            reason=plan.reason,
        )

    def _intouch_task(self, desk: Deciding, decided: Decided) -> tuple[Event, ...]:
        return self.teller.progress(
            desk.request,
            desk.pending.texts,
            after(State.ADMIN_TASK, Move.APPROVE),
            decided.at_ms,
            cause=decided.origin,
            api_request_id=decided.api_request_id,
            previous=told_previous(State.ADMIN_TASK, Move.APPROVE),
            checker_id=decided.checker_id,
            comment=decided.comment,
        )

    def _rejected(self, desk: Deciding) -> tuple[Event, ...]:
        decided, move = desk.decided, Move.EXPIRE if desk.decided is None else Move.REJECT
        facts = (
            {"comment": "expired"}
            if decided is None
            else {
                "cause": decided.origin,
                "api_request_id": decided.api_request_id,
                "checker_id": decided.checker_id,
                "comment": decided.comment,
            }
        )
        return self.teller.state(
            desk.request,
            desk.pending.texts,
            after(State.ADMIN_TASK, move),
            desk.ruled_ms,
            extra={"reason": Reason.EXPIRED if decided is None else None},
            previous=told_previous(State.ADMIN_TASK, move),
            **facts,
        )


def _end(arrival: Arrival, known: Entry | None, ended: Ended) -> Step:
    """The term of an approved request begins when approval hears of its ending; execution has told that.

    Its key may have been used in between, and a replay of that use may come a whole retention later.
    """
    note, ended_ms = Note(Noted.ENDED, ended.request_id), max(ended.at_ms, arrival.time_ms)
    if isinstance(known, Deciding) and known.ruling == "approved":
        # The reduction is under way: what was told must be durable, or execution could not have ended it.
        known = known.reduced(ended_ms)
    if isinstance(known, Settled) and known.ended_ms is None:
        return Step(note, memory=_remember(known.model_copy(update={"ended_ms": ended_ms})))
    return Step(Note(Noted.REPEATED, ended.request_id))


def _remembering_longer(step: Step, arrival: Arrival, known: Entry, used: Origin) -> Step:
    """The term begins anew with each use of the key: or its replay would find nothing, and become a request."""
    if isinstance(known, Declined) or (isinstance(known, Deciding) and known.ruling != "approved"):
        # It is being told, and then reduced; this reduction is a later one, so it counts.
        return replace(step, afterwards=_remember(known.reduced(arrival.time_ms)))
    if isinstance(known, Settled) and known.ended_ms is not None and known.ended_ms < used.time_ms:
        entry = known.model_copy(update={"ended_ms": used.time_ms})
        return replace(step, memory=(Write(DESK, entry.value(), may_be_overtaken=True),))
    return step


def _remember(entry: Entry) -> tuple[Write, ...]:
    return (Write(DESK, entry.value()),)


def approval(*, inbox: Inbox, parts: Approval) -> Stage:
    """The stage."""
    return Stage(NAME, (APPROVAL_INBOX,), (DESK,), inbox.read, parts.fold, due=parts.due)
