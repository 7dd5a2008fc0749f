"""Kafka as far as the pipeline relies on it: partitions that only grow, broker time, committed offsets.

Everything appended here is durable: it survives every crash of a process. What a process has sent and what has not been
appended yet is the cluster's business.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from pipeline.domain.messages import INTERNAL_TOPICS, PUBLIC_TOPICS
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


class Log:
    """All topics. Times are the broker's: `clock` gives virtual seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._records: dict[tuple[str, int], list[Stored]] = defaultdict(list)
        self._next: dict[tuple[str, int], int] = defaultdict(int)
        self.committed: dict[tuple[str, str, int], int] = {}  # (group, topic, partition) -> next offset
        self.appended_s = 0.0  # when the last record came
        self._news: dict[tuple[str, int], asyncio.Event] = defaultdict(asyncio.Event)

    def now_ms(self) -> int:
        return EPOCH_MS + int(self._clock() * 1000)

    def append(self, posting: Posting) -> Stored:
        """The record as it lies in the log."""
        place = (posting.topic, posting.partition)
        stored = Stored(self._next[place], posting.key, posting.value, posting.headers, self.now_ms())
        self._next[place] += 1
        self._records[place].append(stored)
        self.appended_s = self._clock()
        self._news.pop(place, asyncio.Event()).set()
        return stored

    async def beyond(self, topic: str, partition: int, position: int) -> None:
        """Returns when there is a record at this position or behind it."""
        while self._next[topic, partition] <= position:
            await self._news[topic, partition].wait()

    def publish(
        self, topic: str, key: bytes, value: bytes | None, headers: Headers, partition: int | None = None
    ) -> None:
        """As a client from outside does."""
        chosen = partition_of(key, PARTITIONS) if partition is None else partition
        self.append(Posting(topic, chosen, key, value, headers))

    def end(self, topic: str, partition: int) -> int:
        """The next offset."""
        return self._next[topic, partition]

    def read(self, topic: str, partition: int, start: int, count: int | None = None) -> list[Stored]:
        """Records from this offset on."""
        records = self._records[topic, partition]
        found = [record for record in records if record.offset >= start] if start else records
        return found[:count] if count is not None else list(found)

    def everything(self, topic: str) -> list[tuple[int, Stored]]:
        """(partition, record) of a topic, in the order of time."""
        found = [(p, record) for p in range(PARTITIONS) for record in self._records[topic, p]]
        return sorted(found, key=lambda pair: (pair[1].time_ms, pair[0], pair[1].offset))

    def topics(self) -> list[str]:
        """All topics that hold something."""
        return sorted({topic for topic, _ in self._records})

    def compact(self, topic: str) -> None:
        """Keeps the last record per key, as Kafka does, whatever its position says."""
        for partition in range(PARTITIONS):
            records = self._records[topic, partition]
            last = {record.key: record.offset for record in records}
            self._records[topic, partition] = [record for record in records if last[record.key] == record.offset]

    def drop_older(self, age_s: float) -> None:
        """Retention: what is older than that is gone from every topic but the changelogs and what the world reads."""
        before_ms = self.now_ms() - int(age_s * 1000)
        for topic, partition in list(self._records):
            if topic in (*PUBLIC_TOPICS, *INTERNAL_TOPICS):
                kept = [one for one in self._records[topic, partition] if one.time_ms >= before_ms]
                self._records[topic, partition] = kept

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
