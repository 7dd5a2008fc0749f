"""Execution: makes the one call of an approved request, and tells how it ended. Takes an `Approved`, nothing less.

An intent is durable before bytes may leave, what came back before anything is told. An intent that nothing answers is a
crash in between: nobody knows whether Intouch did it. It is repeated only where that has no second effect; else it is
in doubt until a person resolves it. What is to be tried again, or waits for its origin, is remembered and acknowledged;
a `Due` takes it up again. What follows from which ending is a table in `domain.tries`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from pipeline.domain import resolutions
from pipeline.domain.attempts import Latest, Tryable, result_after, tried_in, trying_after
from pipeline.domain.calls import Begun, CameTo, End, Intent, Parked, Result, Trying, Word, read_begun, read_result
from pipeline.domain.ids import Origin
from pipeline.domain.marks import Kind, Mark
from pipeline.domain.messages import EXECUTION_INBOX, INTENTS, RESULTS, Approved, Due, Message, Resolution
from pipeline.domain.noted import Noted
from pipeline.domain.origins import AllowList
from pipeline.domain.outcomes import Effect, Ending, Outcome
from pipeline.domain.reasons import Reason
from pipeline.domain.remnants import Finished
from pipeline.domain.repeats import Manner, is_never_repeated, manner_of
from pipeline.domain.requests import Call
from pipeline.domain.tries import Act, Follows, Terms, Tried, what_follows, what_follows_a_retry
from pipeline.stages import Arrival, Memory, Note, Stage, Step, Write
from pipeline.stages.binding import Digest, call_of, digest_of
from pipeline.stages.endings import Endings
from pipeline.stages.inbox import Inbox, Undertaker

NAME = "execution"


class IsAway(Protocol):
    """Whether a call to this origin had better wait. It differs in a replay, so only what is remembered may use it."""

    def __call__(self, host: str, *, is_repeatable: bool, attempt: int = 1) -> bool:
        """A call that may be repeated, and was not yet, may go first to find out whether the origin is back."""
        ...


CanOpen = Callable[[Call], bool]  # do our keys open the credentials of this call?


@dataclass(frozen=True, slots=True)
class Execution:
    """What the stage needs."""

    allowed: AllowList
    digest: Digest
    can_open: CanOpen
    terms: Terms
    is_away: IsAway
    undertaker: Undertaker
    endings: Endings

    def fold(self, arrival: Arrival, memory: Memory, message: Message) -> Step:
        """A call to be made, or what is known of one that was."""
        begun, came_to = _remembered(memory, message)
        if isinstance(message, Resolution):
            return self._resolve(arrival, begun, came_to, message)
        if isinstance(message, Due):
            return self._wake(arrival, begun, came_to, message)
        assert isinstance(message, Approved)
        if begun is None and came_to is None:
            return self._begin(arrival, message, None, None)
        return self._again(arrival, begun, came_to, message.about, approved=message)

    def on_outcome(self, arrival: Arrival, memory: Memory, message: Message, outcome: Outcome) -> Step:
        """How the call that this stage asked for ended."""
        begun, came_to = _remembered(memory, message)
        assert isinstance(begun, Intent)
        assert not isinstance(came_to, Finished)
        return self._answered(arrival, begun, came_to, outcome)

    def due(self, mark: Mark) -> int | None:
        """When time may change the entry with this mark, epoch ms; None for never: what is in doubt stays."""
        if mark.kind is Kind.FINISHED:
            return mark.since_ms + self.terms.remember_ms
        # What may only go later than others is not asked about meanwhile: its fold would say no, again and again.
        if mark.origin and self.is_away(mark.origin, is_repeatable=not is_never_repeated(mark.request_type)):
            return mark.since_ms + self.terms.hold_ms
        return mark.due_ms

    # -- what arrives

    def _again(
        self,
        arrival: Arrival,
        begun: Begun | None,
        came_to: CameTo | None,
        about: str,
        *,
        approved: Approved | None = None,
        by: Origin | None = None,
    ) -> Step:
        """What a repetition of an earlier message finds: it tells what it told, or takes up what a crash left. `by`
        is the origin of a resolution.
        """
        note = Note(Noted.REPEATED, about)
        if isinstance(came_to, Finished):
            # Two tables, two writes: after a crash between them the intent may still be there.
            return Step(note, afterwards=() if begun is None else (Write(INTENTS, None),))
        if isinstance(begun, Intent) and begun.attempt > _attempt(came_to) and arrival.offset >= begun.asked:
            # Were it a call of ours, this message would wait for it: so the process that made it is gone. An earlier
            # message only tells what it told: the one that asked for this call comes again, too.
            lost = Outcome(ending=Ending.LOST, at_ms=arrival.time_ms, began_ms=begun.begun_ms, wait_ms=1)
            return self._answered(arrival, begun, came_to, lost)
        whole = approved or (None if begun is None else begun.approved)
        if not isinstance(came_to, Result):
            return Step(note)
        if whole is None:  # the other half of such a reduction: what is told is told
            return Step(note, afterwards=self.endings.reduction(came_to))
        return self.endings.tell(whole, came_to, by)

    def _wake(self, arrival: Arrival, begun: Begun | None, came_to: CameTo | None, due: Due) -> Step:
        """Time has come, by the broker's time of the `Due`: for another try, or to forget an ending."""
        if isinstance(came_to, Finished) and arrival.time_ms >= came_to.at_ms + self.terms.remember_ms:
            return Step(Note(Noted.FORGOTTEN, due.request_id), memory=(Write(RESULTS, None, may_be_overtaken=True),))
        waiting = begun if came_to is None else came_to
        if begun is None or not isinstance(waiting, Parked | Trying) or begun.attempt > _attempt(came_to):
            return self._again(arrival, begun, came_to, due.request_id)
        if arrival.offset <= waiting.since or arrival.time_ms < waiting.due_ms:
            return Step(Note(Noted.REPEATED, due.request_id))
        return self._begin(arrival, begun.approved, begun, waiting if isinstance(waiting, Trying) else None)

    def _resolve(self, arrival: Arrival, begun: Begun | None, came_to: CameTo | None, said: Resolution) -> Step:
        """A person's word on a request in doubt: the first in log order counts."""
        if resolutions.is_known(begun, came_to, said):
            return self._again(arrival, begun, came_to, said.about, by=said.origin)
        if objection := resolutions.objection_to(begun, came_to, arrival.offset, said):
            return self.undertaker.bury_decision(arrival, said, objection)
        assert isinstance(begun, Intent)
        assert isinstance(came_to, Result)
        word = resolutions.word_of(said)
        if said.decision == "retry":
            return self._begin(arrival, begun.approved, begun, came_to, word)
        end = End(
            attempt=begun.attempt,
            at_ms=max(came_to.doubts[-1].at_ms, said.origin.time_ms),
            effect=Effect.DONE if said.decision == "succeeded" else Effect.REFUSED,
            reason=Reason.RESOLVED,
            word=word,
        )
        return self.endings.remember(begun.approved, came_to.model_copy(update={"end": end}), word)

    # -- attempts

    def _begin(
        self, arrival: Arrival, approved: Approved, begun: Begun | None, came_to: Tryable, word: Word | None = None
    ) -> Step:
        """The next attempt, unless something forbids it or its origin is away. Asked before an intent is written: an
        intent means that bytes may have left.
        """
        plan, number = approved.pending.plan, 0 if begun is None else begun.attempt
        manner = manner_of(approved.pending.request.request_type, approved.pending.texts.body)
        held_until_ms = approved.decided.at_ms + self.terms.hold_ms  # no hold is longer, whoever was away
        tried = tried_in(came_to, min(arrival.seen_ms, held_until_ms))
        nth = tried.tries + 1
        is_held = word is None and self.is_away(plan.host, is_repeatable=manner.is_repeatable, attempt=nth)
        until_ms = tried.until_ms(self.terms) if word is None and not manner.is_keyed else None
        if nth == 1:
            until_ms = approved.decided.at_ms + self.terms.good_for_ms
        call = call_of(approved, nth, is_repeatable=manner.is_repeatable, good_until_ms=until_ms)
        ending = self._objection(arrival, approved, call)
        if ending is None and is_held and arrival.seen_ms >= held_until_ms:
            ending = Ending.UNREACHED
        if ending is not None:
            outcome = Outcome(ending=ending, at_ms=arrival.seen_ms)
            before = Tried() if came_to is None else came_to.tried
            step = self._settle(arrival, approved, Latest(number, word, came_to, before), manner, outcome)
            return replace(step, memory=tuple(write._replace(gives_way=True) for write in step.memory))
        if is_held:
            return self._hold(arrival, approved, begun, came_to)
        intent = Intent(
            approved=approved,
            attempt=number + 1,
            asked=arrival.offset,
            begun_ms=arrival.seen_ms,
            tried=tried,
            word=word,
        )
        return Step(Note(Noted.CALLING, approved.about), memory=(Write(INTENTS, intent.value()),), call=call)

    def _objection(self, arrival: Arrival, approved: Approved, call: Call) -> Ending | None:
        """Why this call must not be made at all."""
        pending = approved.pending
        is_late = call.good_until_ms is not None and arrival.seen_ms > call.good_until_ms
        if is_late and call.attempt == 1:
            return Ending.APPROVAL_EXPIRED
        if not self.allowed.allows(pending.plan.host):
            return Ending.HOST_NOT_ALLOWED
        if digest_of(self.digest, pending.request, pending.plan, pending.texts) != pending.plan.digest:
            return Ending.DIGEST_MISMATCH
        if not self.can_open(call):
            return Ending.BAD_HEADER
        return Ending.TOO_LATE if is_late else None

    def _hold(self, arrival: Arrival, approved: Approved, begun: Begun | None, came_to: Tryable) -> Step:
        """Not begun, because the origin is away: remembered, once, until it is back or was away for too long. Another
        owner may find it there and call, for the same message: then that counts.
        """
        note = Note(Noted.HELD, approved.about)
        if isinstance(came_to, Trying):
            held = came_to.model_copy(update={"held_ms": arrival.seen_ms, "since": arrival.offset})
            kept = Write(RESULTS, held.value(), gives_way=True)
            return Step(note, memory=() if came_to.held_ms is not None else (kept,))
        parked = Parked(approved=approved, since=arrival.offset, due_ms=arrival.seen_ms)
        kept = Write(INTENTS, parked.value(), gives_way=True)
        return Step(note, memory=() if isinstance(begun, Parked) else (kept,))

    def _answered(self, arrival: Arrival, begun: Intent, came_to: Tryable, outcome: Outcome) -> Step:
        approved = begun.approved
        manner = manner_of(approved.pending.request.request_type, approved.pending.texts.body)
        return self._settle(arrival, approved, Latest(begun.attempt, begun.word, came_to, begun.tried), manner, outcome)

    def _settle(self, arrival: Arrival, approved: Approved, latest: Latest, manner: Manner, outcome: Outcome) -> Step:
        """What follows from the end of the latest attempt: remembered first. Its time is never before the decision's,
        whatever a worker's clock says.
        """
        outcome = outcome.model_copy(update={"at_ms": max(outcome.at_ms, latest.not_before_ms, approved.decided.at_ms)})
        tried = latest.before.and_one(latest.attempt, outcome)
        judge = what_follows if latest.word is None else what_follows_a_retry
        act, reason = judge(outcome, tried, manner, self.terms, approved.decided.at_ms)
        if act in (Act.AGAIN, Act.HOLD):
            held_until_ms = approved.decided.at_ms + self.terms.hold_ms if act is Act.HOLD else None
            trying = trying_after(approved, tried, outcome, since=arrival.offset, held_until_ms=held_until_ms)
            note = Note(Noted.HELD if act is Act.HOLD else Noted.AGAIN, approved.about)
            return Step(note, memory=(Write(RESULTS, trying.value()),))
        result = result_after(
            approved, latest, tried, outcome, Follows(act, reason), since=(arrival.offset, arrival.time_ms)
        )
        return self.endings.remember(approved, result, latest.word)


def _remembered(memory: Memory, message: Message) -> tuple[Begun | None, CameTo | None]:
    """What is known of the request that the message is about; not of an earlier one of its name, that is finished."""
    begun, came_to = read_begun(memory[0]), read_result(memory[1])
    whole = message if isinstance(message, Approved) else begun.approved if begun is not None else None
    if not isinstance(came_to, Finished) or whole is None or came_to.is_of(whole.decided.origin):
        return begun, came_to
    is_its_own = begun is not None and begun.approved.decided.origin == whole.decided.origin
    return begun if is_its_own else None, None


def _attempt(came_to: CameTo | None) -> int:
    """The last attempt that is accounted for."""
    return 0 if came_to is None or isinstance(came_to, Finished) else came_to.tried.attempt


def execution(*, inbox: Inbox, parts: Execution) -> Stage:
    """The stage."""
    return Stage(NAME, (EXECUTION_INBOX,), (INTENTS, RESULTS), inbox.read, parts.fold, parts.on_outcome, parts.due)
