"""The synchronous half of the pump: from a record to a step, and from a step to the records that it posts.

Nothing here waits or sends. What a fold remembers is held locally at once and posted by the runner, in the same order.

What no topic takes would be refused after each restart, for ever, and every good record behind it would wait. The
stages keep all they make far below that size; should one of them fail to, the record whose fold it was is buried, and
nothing of that fold is remembered or told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from pipeline.domain.deadletters import DeadLetter
from pipeline.domain.ids import Origin
from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Ending, Outcome
from pipeline.domain.reasons import DeadReason
from pipeline.domain.requests import Call
from pipeline.postings import POSTING_BYTES_MAX, Phase, Posting, position, position_header
from pipeline.stages import Memory, Note, Post, Stage, Step, Unusable, Write
from pipeline.surroundings import Delivered, Surroundings
from pipeline.underway import Answered, Asked, Work


class Folding:
    """One stage with its tables."""

    def __init__(self, stage: Stage, around: Surroundings) -> None:
        self._stage, self._around = stage, around

    def fold(self, record: Delivered) -> tuple[Any, Step]:
        """The message that the record holds (None for a dead letter), and what follows from it."""
        try:
            message = self._stage.read(record.arrival)
        except Unusable as unusable:
            return None, unusable.step
        return message, self._fitting(record, self._stage.fold(record.arrival, self._memory(record), message))

    def fold_again(self, asked: Asked) -> Asked:
        """What it relied on may have changed while it waited for a slot."""
        record = asked.record
        arrival = record.arrival._replace(seen_ms=self._around.time_ms())
        step = self._stage.fold(arrival, self._memory(record), asked.message)
        return asked._replace(step=self._fitting(record, step))

    def is_still_wanted(self, call: Call) -> bool:
        """Its origin is there, and its approval is not too old."""
        return not (self._is_late(call) or self._around.gate.holds(call))

    def refused_as_late(self, call: Call) -> Outcome | None:
        """The outcome of a call that is not begun, because its intent took too long to become durable; else None."""
        if not self._is_late(call):
            return None
        return Outcome(
            ending=Ending.APPROVAL_EXPIRED if call.attempt == 1 else Ending.TOO_LATE, at_ms=self._around.time_ms()
        )

    def _is_late(self, call: Call) -> bool:
        return call.good_until_ms is not None and self._around.time_ms() > call.good_until_ms

    def check_call(self, step: Step) -> None:
        """ValueError for a step with a call that this pump cannot make, or that says more than its intent."""
        if self._stage.on_outcome is None or self._around.caller is None:
            raise ValueError(
                f"{self._stage.name}: asks for a call, and nobody is there to make it or to fold its outcome"
            )
        if not step.memory or step.events or step.handovers or step.afterwards:
            raise ValueError(
                f"{self._stage.name}: with a call goes its intent and nothing else; the rest follows the outcome"
            )

    def settle(self, answered: Answered) -> Work:
        """The outcome folded; or what follows instead of the call that is not made."""
        record, message, step = answered.asked
        if answered.outcome is None:
            return self.work(record, step)
        assert self._stage.on_outcome is not None
        step = self._stage.on_outcome(record.arrival, self._memory(record), message, answered.outcome)
        if step.call is not None:
            raise ValueError(
                f"{self._stage.name}: an outcome asks for another call at once; hand over a message instead"
            )
        return self.work(record, step, Phase.OUTCOME)

    def work(self, record: Delivered, step: Step, phase: Phase = Phase.MEMORY) -> Work:
        """The step with all that it posts; its changelog records are noted."""
        told, handed = self._posted(step.events), self._posted(step.handovers)
        # After a call, its outcome must be remembered whatever its size: the end of the process, and then doubt.
        if phase is Phase.MEMORY and (large := next((put for put in (*told, *handed) if _is_large(put)), None)):
            step = self._buried(record, step, large.topic)
            told, handed = self._posted(step.events), []
        return Work(record, step, self.note(record, step.memory, phase), told, handed)

    def _posted(self, posts: Iterable[Post]) -> list[Posting]:
        return [self._around.outlet.posting(post) for post in posts]

    def _fitting(self, record: Delivered, step: Step) -> Step:
        """The same, unless it wants to remember more than a changelog takes."""
        for write in (*step.memory, *step.afterwards):
            if len(write.value or b"") > POSTING_BYTES_MAX:
                return self._buried(record, step, write.table)
        return step

    def _buried(self, record: Delivered, step: Step, topic: str) -> Step:
        """What becomes of a record with a fold that says more than a topic takes: it is named and hashed."""
        arrival = record.arrival
        letter = DeadLetter(
            reason=DeadReason.TOO_LARGE,
            stage=self._stage.name,
            source=Origin(arrival.topic, arrival.partition, arrival.offset, arrival.time_ms),
            dead_at_ms=arrival.time_ms,
            sealed=None,
            sha256=hashlib.sha256(arrival.value or b"").hexdigest(),
            detail=f"What follows from this record is larger than {topic} takes.",
            request_id=step.note.request_id,
        )
        return Step(Note(Noted.DEAD, step.note.request_id, DeadReason.TOO_LARGE), events=(letter,))

    def note(self, record: Delivered, writes: Iterable[Write], phase: Phase) -> list[Posting]:
        """Hold what shall be held, at once. A reduction that something later has overtaken is left out."""
        puts = []
        for write in writes:
            at = position(record.arrival.offset, Phase.GIVES_WAY if write.gives_way else phase, record.generation)
            table = self._around.tables[self._stage.tables.index(write.table)]
            partition, key = record.arrival.partition, record.arrival.key
            if key is None:
                raise ValueError(f"{self._stage.name}: wants to remember a record without a key")
            if table.note(partition, key, at, write.value):
                puts.append(Posting(table.changelog, partition, key, write.value, position_header(at)))
            elif phase is not Phase.AFTERWARDS and not write.may_be_overtaken:
                # Told and not remembered would be a second ending one day; the replay law forbids it, so this is a bug.
                raise ValueError(f"{self._stage.name}: wants to remember although something later is remembered")
        return puts

    def _memory(self, record: Delivered) -> Memory:
        partition, key = record.arrival.partition, record.arrival.key
        return tuple(None if key is None else table.recall(partition, key) for table in self._around.tables)


def _is_large(posting: Posting) -> bool:
    return posting.size > POSTING_BYTES_MAX
