"""Kafka as far as the pipeline relies on it: partitions that only grow, broker time, committed offsets.

Everything appended here is durable: it survives every crash of a process, until retention or compaction take it. What a
process has sent and what has not been appended yet is the cluster's business. Auditors see whatever was ever written.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pipeline.postings import Posting, partition_of
from pipeline.stages import Arrival, Headers

EPOCH_MS = 1_700_000_000_000
PARTITIONS = 3


class Stored(NamedTuple):
    """One record in the log."""

    offset: int
    key: bytes
    value: bytes | None
    headers: Headers
    time_ms: int


Place = tuple[str, int]  # topic, partition


class Log:
    """All topics. Times are the broker's: `clock` gives virtual seconds, `skip` lets hours go by on the calendar."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._skipped_s = 0.0
        self._records: dict[Place, list[Stored]] = defaultdict(list)
        self._ever: dict[Place, list[Stored]] = defaultdict(list)
        self.committed: dict[tuple[str, str, int], int] = {}  # (group, topic, partition) -> next offset
        self.appended_s = 0.0  # when the last record came
        self.compacted = 0  # records that compaction took
        self._news: dict[Place, asyncio.Event] = defaultdict(asyncio.Event)

    def now_ms(self) -> int:
        """The calendar: the broker's, and that of every process."""
        return EPOCH_MS + int((self._clock() + self._skipped_s) * 1000)

    def skip(self, seconds: float) -> None:
        """So much time passes in which nothing happens: no heartbeat is missed, and nothing is on its way."""
        self._skipped_s += seconds

    def append(self, posting: Posting) -> Stored:
        """The record as it lies in the log."""
        place = (posting.topic, posting.partition)
        offset = len(self._ever[place])
        stored = Stored(offset, posting.key, posting.value, posting.headers, self.now_ms())
        self._records[place].append(stored)
        self._ever[place].append(stored)
        self.appended_s = self._clock()
        self._news.pop(place, asyncio.Event()).set()
        return stored

    async def beyond(self, topic: str, partition: int, position: int) -> None:
        """Returns when there is a record at this position or behind it."""
        while self.end(topic, partition) <= position:
            await self._news[topic, partition].wait()

    def publish(
        self, topic: str, key: bytes, value: bytes | None, headers: Headers, partition: int | None = None
    ) -> None:
        """As a client from outside does."""
        chosen = partition_of(key, PARTITIONS) if partition is None else partition
        self.append(Posting(topic, chosen, key, value, headers))

    def start(self, topic: str, partition: int) -> int:
        """The offset of the first record that is left; the end where none is."""
        records = self._records[topic, partition]
        return records[0].offset if records else self.end(topic, partition)

    def end(self, topic: str, partition: int) -> int:
        """The next offset."""
        return len(self._ever[topic, partition])

    def read(self, topic: str, partition: int, start: int, count: int | None = None) -> list[Stored]:
        """Records from this offset on."""
        records = self._records[topic, partition]
        found = [record for record in records if record.offset >= start] if start else records
        return found[:count] if count is not None else list(found)

    def ever(self, topic: str) -> list[tuple[int, Stored]]:
        """(partition, record) of whatever was written to a topic, in the order of time."""
        found = [(p, record) for p in range(PARTITIONS) for record in self._ever[topic, p]]
        return sorted(found, key=lambda pair: (pair[1].time_ms, pair[0], pair[1].offset))

    def topics(self) -> list[str]:
        """All topics that ever held something."""
        return sorted({topic for topic, _ in self._ever})

    # -- what the broker takes away, and what people reset

    def compact(self, topic: str, lag_s: float) -> None:
        """Keeps the last record per key of whatever is older than the lag, as Kafka does, whatever its position says.

        What is younger neither goes nor makes anything go. A tombstone that is the last one goes with the next run.
        """
        before_ms = self.now_ms() - int(lag_s * 1000)
        for partition in range(PARTITIONS):
            records = self._records[topic, partition]
            old = next((at for at, one in enumerate(records) if one.time_ms >= before_ms), len(records))
            last = {record.key: record.offset for record in records[:old]}
            kept = [one for one in records[:old] if last[one.key] == one.offset]
            if len(kept) == old:
                kept = [one for one in kept if one.value is not None]
            self.compacted += old - len(kept)
            self._records[topic, partition] = kept + records[old:]

    def drop_older(self, age_s: float, done: Mapping[Place, int]) -> None:
        """Retention: what is older is gone, as far as its readers have read: nobody is away for longer than that."""
        before_ms = self.now_ms() - int(age_s * 1000)
        for place, position in done.items():
            records = self._records[place]
            self._records[place] = [one for one in records if one.time_ms >= before_ms or one.offset >= position]

    def rewind(self, group: str, topic: str) -> None:
        """Somebody resets a group to the beginning of what is left."""
        for partition in range(PARTITIONS):
            self.committed.pop((group, topic, partition), None)


def arrival_of(topic: str, partition: int, stored: Stored, seen_ms: int) -> Arrival:
    """The record as a stage gets it."""
    return Arrival(
        topic=topic,
        partition=partition,
        offset=stored.offset,
        key=stored.key,
        time_ms=stored.time_ms,
        value=stored.value,
        headers=stored.headers,
        is_broker_time=True,
        seen_ms=seen_ms,
    )
