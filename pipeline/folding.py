"""The synchronous half of the pump: from a record to a step, and from a step to the changelog records that it notes.

Nothing here waits or sends. What a fold remembers is held locally at once and posted by the runner, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.domain.requests import Call
from pipeline.postings import Phase, Posting, position, position_header
from pipeline.stages import Memory, Stage, Step, Unusable, Write
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
        return message, self._stage.fold(record.arrival, self._memory(record), message)

    def fold_again(self, asked: Asked) -> Asked:
        """What it relied on may have changed while it waited for a slot."""
        record = asked.record
        arrival = record.arrival._replace(seen_ms=self._around.time_ms())
        return asked._replace(step=self._stage.fold(arrival, self._memory(record), asked.message))

    def is_still_wanted(self, call: Call) -> bool:
        """Its origin is there, and its approval is not too old."""
        is_late = call.good_until_ms is not None and self._around.time_ms() > call.good_until_ms
        return not (is_late or self._around.gate.holds(call))

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
        """The step with its changelog records, noted."""
        return Work(record, step, self.note(record, step.memory, phase))

    def note(self, record: Delivered, writes: Iterable[Write], phase: Phase) -> list[Posting]:
        """Hold what shall be held, at once. A reduction that something later has overtaken is left out."""
        puts = []
        at = position(record.arrival.offset, phase)
        for write in writes:
            table = self._around.tables[self._stage.tables.index(write.table)]
            partition, key = record.arrival.partition, record.arrival.key
            if key is None:
                raise ValueError(f"{self._stage.name}: wants to remember a record without a key")
            if table.note(partition, key, at, write.value):
                puts.append(Posting(table.changelog, partition, key, write.value, position_header(at)))
            elif phase is not Phase.AFTERWARDS:
                # Told and not remembered would be a second ending one day; the replay law forbids it, so this is a bug.
                raise ValueError(f"{self._stage.name}: wants to remember although something later is remembered")
        return puts

    def _memory(self, record: Delivered) -> Memory:
        partition, key = record.arrival.partition, record.arrival.key
        return tuple(None if key is None else table.recall(partition, key) for table in self._around.tables)
