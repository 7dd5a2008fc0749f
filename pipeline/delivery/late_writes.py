"""The second half of "late writes" (design, section 4): look at the changelog's tail once more after an assignment.

The owner before us may have been frozen between its last look at its lease and the socket. What it writes then comes
after what we wrote, and compaction would keep it, because it is the last. So when nothing of it can be under way any
more, we read what was added since we loaded, and write again whatever of ours something older has followed. That is
done twice: when the longest write is over, and once more for a freeze of any length in the middle of a request. Both
are long before compaction may remove what we wrote (`min.compaction.lag.ms`, an hour).

What lay there already when we loaded is written over at once: the owner that it came too late for has not done it, and
will not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka.structs import TopicPartition

from pipeline.delivery.failure import fatal
from pipeline.delivery.loading import Late, Offsets, read_changelogs, written_at
from pipeline.delivery.memory import DurableTable, Shelf
from pipeline.postings import Posting, position_header

log = structlog.get_logger()


class Tail:
    """Which write of each key is the last one in the log."""

    def __init__(self) -> None:
        self.last: dict[TopicPartition, dict[bytes, int]] = {}

    def take(self, tp: TopicPartition, records: Sequence[Any]) -> None:
        """Raises ForeignRecord."""
        self.last.setdefault(tp, {}).update((record.key, written_at(tp, record)) for record in records)

    def keep_overtaken(self, tp: TopicPartition, shelf: Shelf) -> None:
        """Forget the keys whose last write is the one that is held, or a quarter of an hour of writes would be kept."""
        self.last[tp] = {key: at for key, at in self.last[tp].items() if shelf.outranks(key, at)}


def overtaken(last: Mapping[bytes, int], shelf: Shelf, changelog: TopicPartition) -> list[Posting]:
    """Our own state, to be written again, for every key whose last record in the log is older than what we hold.

    A write of ours that is on its way looks like that too; writing it twice does no harm.
    """
    again = []
    for key, at in last.items():
        held = shelf.held(key)
        if held is not None and shelf.outranks(key, at):
            header = position_header(held.position)
            again.append(Posting(changelog.topic, changelog.partition, key, held.value, header))
    return again


class LateWrites:
    """One check per assignment, by itself; a revocation calls it off, and the next owner makes its own."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._task: asyncio.Task[None] | None = None
        self.rewritten = self.looks = 0

    def expect(self, ends: Offsets, late: Late) -> None:
        """The changelogs were loaded up to these offsets, and these writes were found to have come late. Check what
        comes after them when it is time.
        """
        self.call_off()
        if ends:
            self._task = asyncio.get_running_loop().create_task(self._check(ends, late))
            self._task.add_done_callback(self._ended)

    def call_off(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _check(self, ends: Offsets, late: Late) -> None:
        tables: dict[str, DurableTable] = {table.changelog: table for table in self._app.memory}
        shelves = {tp: tables[tp.topic].shelf(tp.partition) for tp in ends}
        again = await self._write_over(late, shelves)
        before_s = 0.0
        for look_s in (self._app.options.late_writes_s, self._app.options.frozen_writes_s):
            await asyncio.sleep(look_s - before_s)
            again += await self._look(ends, shelves)
            self.looks += 1
            log.info("late writes checked", stage=self._app.stage.name, partitions=len(ends), rewritten=again)
            again, before_s = 0, look_s
        # Until here a late write may follow a tombstone; were that forgotten, compaction would bring the entry back.
        for shelf in shelves.values():
            shelf.settle()

    async def _look(self, ends: Offsets, shelves: Mapping[TopicPartition, Shelf]) -> int:
        tail = Tail()

        def take(tp: TopicPartition, records: Sequence[Any]) -> None:
            tail.take(tp, records)
            tail.keep_overtaken(tp, shelves[tp])

        await read_changelogs(self._app.options, ends, take)
        return await self._write_over(tail.last, shelves)

    async def _write_over(self, last: Late, shelves: Mapping[TopicPartition, Shelf]) -> int:
        again = 0

        def postings() -> list[Posting]:
            nonlocal again
            found = [put for tp, shelf in shelves.items() for put in overtaken(last.get(tp, {}), shelf, tp)]
            again = len(found)
            return found

        await self._app.pump.restate(postings)
        self.rewritten += again
        return again

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (exception := task.exception()) is not None:
            fatal(f"{self._app.conf.id}: the check for late writes failed", exception)
