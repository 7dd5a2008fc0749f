"""What is under way in the pump: folded records, calls asked for, micro-batches, and how much room is left.

Book-keeping only. Nothing here folds, posts or waits for the world; it is apart from the runner so that its loop reads
in one go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.domain.outcomes import Outcome
from pipeline.postings import Posting
from pipeline.stages import Step
from pipeline.surroundings import Delivered, Limits

Key = tuple[int, bytes | None]  # partition and key: what is folded in order


def key_of(record: Delivered) -> Key:
    """Records with the same are folded one after another, and their effects keep that order."""
    return record.arrival.partition, record.arrival.key


class Work(NamedTuple):
    """One folded record, and what is to be posted: its changelog records, noted locally already, then the others."""

    record: Delivered
    step: Step
    puts: list[Posting]
    told: list[Posting]
    handed: list[Posting]


class Asked(NamedTuple):
    """A record whose fold asked for a call; nothing of it is written before it has a slot."""

    record: Delivered
    message: Any
    step: Step


class Answered(NamedTuple):
    """A call that has ended; or, without an outcome, one that is not to begin any more: `asked.step` says what then."""

    asked: Asked
    outcome: Outcome | None


@dataclass(slots=True, eq=False)
class Batch:
    """A micro-batch under way. The three events say that its events, handovers and afterwards are posted."""

    work: list[Work]
    began_s: float
    told: asyncio.Event = field(default_factory=asyncio.Event)
    handed: asyncio.Event = field(default_factory=asyncio.Event)
    shrunk: asyncio.Event = field(default_factory=asyncio.Event)


def nothing_before() -> Batch:
    """What the first micro-batch comes after: a batch that has posted everything."""
    batch = Batch([], 0.0)
    for posted in (batch.told, batch.handed, batch.shrunk):
        posted.set()
    return batch


class Room:
    """How many records and bytes are in the pump's hands, and whether more may come."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._free = asyncio.Event()
        self._free.set()
        self.records = self.size = 0

    def took(self, records: Sequence[Delivered]) -> None:
        self._count(records, 1)

    def left(self, records: Sequence[Delivered]) -> None:
        self._count(records, -1)

    async def free(self) -> None:
        """Returns when both counts are below their limits."""
        await self._free.wait()

    def _count(self, records: Sequence[Delivered], sign: int) -> None:
        self.records += sign * len(records)
        self.size += sign * sum(record.size for record in records)
        if self.records < self._limits.room and self.size < self._limits.room_bytes:
            self._free.set()
        else:
            self._free.clear()


class Share:
    """What is left for one micro-batch of records, bytes and time: whichever is used up first ends it. There is always
    something left for the first record.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._records, self._bytes = limits.fold, limits.fold_bytes
        self._clock, self._until_s = clock, clock() + limits.fold_s

    def is_left(self) -> bool:
        """May another record be folded?"""
        return self._records > 0 and self._bytes > 0 and self.is_in_time()

    def is_in_time(self) -> bool:
        """The loop did not stand still for longer than it may."""
        return self._clock() < self._until_s

    def take(self, record: Delivered) -> None:
        """One more that is folded."""
        self._records -= 1
        self._bytes -= record.size


class Slots:
    """Who may call now. A slot is held from before the intent until the outcome is durable, not only while the call
    runs: so what a crash leaves in doubt is never more than there are slots.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._held: dict[tuple[int, int], float] = {}  # partition and offset of the record, since when

    @property
    def free(self) -> int:
        return self._count - len(self._held)

    def take(self, records: Iterable[Delivered], now_s: float) -> None:
        self._held.update((_place(record), now_s) for record in records)

    def release(self, records: Iterable[Delivered]) -> bool:
        """Says whether any of these held one."""
        before = len(self._held)
        for record in records:
            self._held.pop(_place(record), None)
        return len(self._held) < before

    def since_s(self) -> Iterable[float]:
        """When each slot that is held was taken."""
        return self._held.values()


def _place(record: Delivered) -> tuple[int, int]:
    return record.arrival.partition, record.arrival.offset
