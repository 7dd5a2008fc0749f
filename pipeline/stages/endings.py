"""How the world learns what became of a call: the events of doubts and endings, made from what is remembered alone.

So a repetition says the same bytes. Each message tells what it brought about: the approval and its tries the first
doubt or the ending, a resolution what followed from it. Nothing is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.domain.calls import Doubt, End, Result, Word
from pipeline.domain.events import Event, Teller
from pipeline.domain.ids import Origin
from pipeline.domain.messages import INTENTS, RESULTS, Approved, Ended
from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Effect
from pipeline.domain.reasons import Reason
from pipeline.domain.remnants import Finished
from pipeline.domain.states import Move, State, after, told_previous
from pipeline.stages import Note, Step, Write

_MOVES = {Effect.DONE: Move.SUCCEED, Effect.REFUSED: Move.FAIL}


@dataclass(frozen=True, slots=True)
class Endings:
    """Execution's voice."""

    teller: Teller

    def remember(self, approved: Approved, result: Result, word: Word | None) -> Step:
        """What came of the approval, or of this resolution: remembered first, told next."""
        step = self.tell(approved, result, None if word is None else word.origin)
        last = result.end or result.doubts[-1]
        outcome = Noted.ENDED if result.end else Noted.IN_DOUBT
        reason = result.end.reason if result.end else Reason.IN_DOUBT
        note = Note(outcome, approved.about, reason, None if last.word is None else last.word.decision)
        return replace(step, note=note, memory=(Write(RESULTS, result.value()),))

    def tell(self, approved: Approved, result: Result, by: Origin | None) -> Step:
        """What the resolution with this origin brought about, or, for None, what came before any."""
        events: tuple[Event, ...] = ()
        for doubt in result.doubts:
            if _cause_of(doubt) == by:
                events += self._doubted(approved, doubt)
        note, end = Note(Noted.REPEATED, approved.about), result.end
        if end is None or _cause_of(end) != by:
            return Step(note, events=events)
        return Step(
            note,
            events=events + self._ended(approved, end),
            handovers=(Ended(request_id=approved.about, origin=approved.decided.origin, at_ms=end.at_ms),),
            afterwards=self.reduction(result),
        )

    @staticmethod
    def reduction(result: Result) -> tuple[Write, ...]:
        """What is left when the end is told."""
        end = result.end
        assert end is not None
        finished = Finished.of(
            result.request_type,
            end.at_ms,
            end.effect,
            approval=result.approval,
            words=[word.origin for word in result.words],
        )
        return Write(RESULTS, finished.value()), Write(INTENTS, None)

    def _doubted(self, approved: Approved, doubt: Doubt) -> tuple[Event, ...]:
        return self._event(approved, doubt, Move.DOUBT, Reason.IN_DOUBT, approved.decided.api_request_id)

    def _ended(self, approved: Approved, end: End) -> tuple[Event, ...]:
        api_request_id = approved.decided.api_request_id if end.word is None else end.word.api_request_id
        return self._event(approved, end, _MOVES[end.effect], end.reason, api_request_id)

    def _event(
        self, approved: Approved, told: Doubt | End, move: Move, reason: str | None, api_request_id: str
    ) -> tuple[Event, ...]:
        pending, decided, word = approved.pending, approved.decided, told.word
        return self.teller.state(
            pending.request,
            pending.texts,
            after(State.INTOUCH_API_TASK, move),
            told.at_ms,
            extra={
                "reason": reason,
                "http_status": told.http_status,
                "resolver": None if word is None else word.person_id,
                "resolution": None if word is None else word.comment,
            },
            cause=decided.origin if word is None else word.origin,
            api_request_id=api_request_id,
            previous=told_previous(State.INTOUCH_API_TASK, move),
            checker_id=decided.checker_id,
            comment=decided.comment,
            attempt=told.attempt,
        )


def _cause_of(told: Doubt | End) -> Origin | None:
    return None if told.word is None else told.word.origin
