"""The replay law (design, section 4) as a judge: whatever was folded is folded again after every write.

Used by the tests of what arrives and by those of time; what may follow from a message is their business.
"""

from __future__ import annotations

from typing import Any

from builders import T0
from wiring import a_due, events, folded, letters, nothing, signed, written

from pipeline.domain.desk import read_entry
from pipeline.domain.noted import Noted
from pipeline.domain.remnants import Settled
from pipeline.stages import Arrival, Memory, Stage, Step


class Inbox:
    """Approval's inbox and desk for one request: folds batches, and looks after each write how the past is repeated."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.offset, self.memory = stage, 0, nothing(stage)
        self.now_ms = T0
        self.written_at = (-1, 0)  # offset and phase of the last write: what is older does not overtake it
        self.past: list[tuple[Arrival, Step]] = []

    def fold(self, message: Any, *, after_ms: int = 10) -> Step:
        """The message, or "due", is published so long after the one before it."""
        self.offset += 1
        self.now_ms += after_ms
        if message == "due":
            arrival = a_due(self.stage, self.now_ms, offset=self.offset)
        else:
            arrival = signed(message, offset=self.offset, time_ms=self.now_ms)
        step = folded(self.stage, arrival, self.memory)
        self.write(step.memory, (self.offset, 0))
        if step.note.outcome is Noted.FORGOTTEN:
            self.past.clear()  # what a term ago was folded is long acknowledged (contract, section 9)
        self.past.append((arrival, step))
        self.look_back()
        return step

    def reduce(self, steps: list[tuple[Arrival, Step]]) -> None:
        for arrival, step in steps:
            self.write(step.afterwards, (arrival.offset, 1))
            self.look_back()

    def write(self, writes: Any, position: tuple[int, int]) -> None:
        if writes and position > self.written_at:
            self.memory, self.written_at = written(self.stage, self.memory, writes), position

    def look_back(self) -> None:
        for arrival, first in self.past:
            check(first, folded(self.stage, arrival, self.memory), self.memory)


def check(first: Step, again: Step, memory: Memory) -> None:
    """The law, for one message on one later memory.

    One allowance: a Due that came when an expiry was known for a whole term and not yet told may forget it when it
    comes again, as any other Due of that moment would.
    """
    sources, told = ([letter.source for letter in letters(step)] for step in (again, first))
    assert again.memory == () or again.note.outcome is Noted.FORGOTTEN
    if isinstance(read_entry(memory[0]), Settled):
        assert (events(again), again.handovers) == ([], ())
        assert set(sources) <= set(told)
        return
    assert sources == told
    assert [event.value() for event in events(again)] == [event.value() for event in events(first)]
    assert [event.headers() for event in events(again)] == [event.headers() for event in events(first)]
    assert [post.value() for post in again.handovers] == [post.value() for post in first.handovers]
