"""How far each partition has been worked off. Pure book-keeping: no Kafka, no waiting, no clock.

An offset is committable exactly when everything delivered before it is finished, and stays so until its commit is
confirmed. Stock Faust commits past offsets that are still in flight (#606), past gaps that it invented, and moves its
books even if a commit failed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from aiokafka.structs import TopicPartition

CONFIRMED = 3  # a gap that so many fetches show alike is in the log: retention, compaction, transaction markers


class Lane:
    """One partition: what was delivered, what of it is finished, what must come next."""

    __slots__ = ("_gap", "_sightings", "delivered", "finished", "next", "pending")

    def __init__(self, start: int) -> None:
        self.delivered: deque[int] = deque()  # handed out and not yet part of the finished prefix
        self.finished: set[int] = set()  # those of them that are finished
        self.next = start  # offset that must be delivered next
        self.pending: int | None = None  # committable, and its commit is not confirmed yet
        self._gap: tuple[int, int] | None = None  # hole in the offsets, and how often it was seen just so
        self._sightings = 0

    def advance(self) -> None:
        """Move the committable offset behind the finished prefix."""
        delivered, finished = self.delivered, self.finished
        while delivered and delivered[0] in finished:
            last = delivered.popleft()
            finished.discard(last)
            self.pending = last + 1

    def is_new_gap(self, offset: int) -> bool:
        """There is a gap between what must come next and this offset, and it is not confirmed yet."""
        if offset <= self.next:
            return False
        gap = (self.next, offset)
        self._sightings = self._sightings + 1 if gap == self._gap else 1
        self._gap = gap
        return self._sightings < CONFIRMED


class Progress:
    """All partitions of one assignment, that is, of one generation of the consumer group."""

    def __init__(self) -> None:
        self.generation: int | None = None
        self.lanes: dict[TopicPartition, Lane] = {}

    def begin(self, generation: int, positions: Mapping[TopicPartition, int]) -> None:
        """A new assignment, read from these offsets on; nothing of the one before counts any more."""
        self.generation = generation
        self.lanes = {tp: Lane(offset) for tp, offset in positions.items()}

    def forget(self) -> None:
        """The assignment has ended. What could not be committed by now must never be committed later."""
        self.generation = None
        self.lanes = {}

    def deliver(self, tp: TopicPartition, offsets: Sequence[int]) -> None:
        """These were handed out, in order."""
        lane = self.lanes[tp]
        lane.delivered.extend(offsets)
        lane.next = offsets[-1] + 1

    def finish(self, tp: TopicPartition, offset: int) -> None:
        """Everything this record was to cause is durable."""
        self.lanes[tp].finished.add(offset)

    def committable(self) -> dict[TopicPartition, int]:
        """Offsets behind the finished prefixes, as Kafka wants them: the next one to read."""
        found = {}
        for tp, lane in self.lanes.items():
            lane.advance()
            if lane.pending is not None:
                found[tp] = lane.pending
        return found

    def confirm(self, committed: Mapping[TopicPartition, int]) -> None:
        """The broker has taken these."""
        for tp, offset in committed.items():
            lane = self.lanes.get(tp)
            if lane is not None and lane.pending == offset:
                lane.pending = None

    def continuation(self, tp: TopicPartition, offsets: Sequence[int]) -> int | None:
        """Index of the first offset that continues the lane; None: fetch again from `Lane.next`."""
        lane = self.lanes[tp]
        start = next((at for at, offset in enumerate(offsets) if offset >= lane.next), None)
        return None if start is None or lane.is_new_gap(offsets[start]) else start

    def falls_short(self, tp: TopicPartition, position: int) -> bool:
        """The consumer stands beyond what must be delivered next, although nothing is to be fetched."""
        lane = self.lanes[tp]
        if lane.is_new_gap(position):
            return True
        lane.next = max(lane.next, position)
        return False
