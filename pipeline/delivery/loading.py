"""Reads changelogs back into memory at an assignment, in bulk, straight from the log.

Stock recovery pushes each record through the stream machinery (1-2 k/s), hangs if the log's start is not 0 or its last
records are gone, swallows errors, and resumes fetching before it has sought (#596). Of several records of a key the
one with the highest position counts, not the last (design, "Late writes").
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery, ServiceStopped

from pipeline.delivery.failure import DeliveryError
from pipeline.delivery.memory import POSITION_MAX, DurableTable, Held, Shelf, outranks
from pipeline.delivery.options import RECORD_BYTES, Options
from pipeline.postings import POSITION_HEADER, position_of

log = structlog.get_logger()

# Measured with 100,000 entries: 64 MB at a time leave the process 55 MB larger, and all that one fetch brought at once
# keeps the loop for 0.3 s.
FETCH_BYTES = 16 << 20
RECORDS = 2000

Offsets = dict[TopicPartition, int]
Late = Mapping[TopicPartition, Mapping[bytes, int]]  # keys and positions of last records that are not the winners
Sink = Callable[[TopicPartition, Sequence[Any]], None]  # takes the records of one partition, in order


class LoadingStalled(DeliveryError):
    """A changelog's end is known and its records do not come."""


class ForeignRecord(DeliveryError):
    """A changelog holds a record that no worker wrote. To start on guesses could tell a request two endings."""


def written_at(tp: TopicPartition, record: Any) -> int:
    """The position of a changelog's record. Raises ForeignRecord, which says where it lies and what to do."""
    with suppress(ValueError):
        if 0 <= (at := position_of(record.headers)) <= POSITION_MAX:
            return at
    raise ForeignRecord(
        f"{tp.topic}, partition {tp.partition}, offset {record.offset}: not written by a worker, its header "
        f"{POSITION_HEADER} is missing or no position. Take the right to write to {tp.topic} from everybody else. Then "
        "publish once more, under the same key, the last record before it that has this header, as it is (if there is "
        f"none: no value, and {POSITION_HEADER} 0), and start again when compaction has removed the foreign one"
    )


class Loaded:
    """The winners of the changelog records seen so far, per partition and key, packed as a shelf holds them.

    `late` names the keys whose last record is not the winner, with the position of that record: an owner before us was
    called away before it could write its state again, and compaction would keep the wrong one.
    """

    def __init__(self) -> None:
        self.held: dict[TopicPartition, dict[bytes, bytes]] = {}
        self.late: dict[TopicPartition, dict[bytes, int]] = {}
        self.records = 0

    def take(self, tp: TopicPartition, records: Sequence[Any]) -> None:
        """Raises ForeignRecord."""
        held, late = self.held.setdefault(tp, {}), self.late.setdefault(tp, {})
        for record in records:
            at = written_at(tp, record)
            before = held.get(record.key)
            if before is not None and outranks(before, at):
                late[record.key] = at
            else:
                held[record.key] = Held(at, record.value).packed()
                late.pop(record.key, None)
        self.records += len(records)


async def read_changelogs(options: Options, start: Mapping[TopicPartition, int | None], sink: Sink) -> Offsets:
    """From `start` (None: from the log's beginning) to the end at the time of the call, which is returned."""
    consumer = AIOKafkaConsumer(
        **options.client(),
        client_id=f"{options.prefix}rw-loading",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=RECORD_BYTES + (1 << 20),
        fetch_max_bytes=FETCH_BYTES,
    )
    await consumer.start()
    try:
        ends = await _seek(consumer, start)
        await _read(consumer, ends, sink, options.stall_s)
    finally:
        await consumer.stop()
    return ends


async def _seek(consumer: AIOKafkaConsumer, start: Mapping[TopicPartition, int | None]) -> Offsets:
    tps = list(start)
    consumer.assign(tps)
    ends, begins = await consumer.end_offsets(tps), await consumer.beginning_offsets(tps)
    for tp in tps:
        consumer.seek(tp, max(start[tp] or 0, begins[tp]))
    return dict(ends)


async def _read(consumer: AIOKafkaConsumer, ends: Offsets, sink: Sink, stall_s: float) -> None:
    pending, moved_at = set(ends), time.monotonic()
    while True:
        for tp in list(pending):
            # position, not the last record's offset: the tail of a compacted log may hold no records
            if await consumer.position(tp) >= ends[tp]:
                pending.discard(tp)
                consumer.pause(tp)
        if not pending:
            return
        batches = await consumer.getmany(*pending, timeout_ms=500, max_records=RECORDS)
        for tp, records in batches.items():
            sink(tp, records)
        if batches:
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > stall_s:
            names = sorted(f"{tp.topic}[{tp.partition}]" for tp in pending)
            raise LoadingStalled(f"no changelog record for {stall_s:.0f} s: {', '.join(names)}")
        await asyncio.sleep(0)


class BulkRecovery(Recovery):
    """Tells the stock machinery that nothing is to be recovered, and loads before the streams are resumed."""

    async def _build_highwaters(self, *args: Any) -> None:
        _, _, destination, _ = args
        destination.clear()

    async def _build_offsets(self, *args: Any) -> None:
        _, _, destination, _ = args
        destination.clear()

    async def _seek_offsets(self, *args: Any) -> None:
        """Nothing of a changelog is read through the stream machinery."""

    def need_recovery(self) -> bool:
        return False

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        self._set_recovery_started()
        began = time.monotonic()
        ends, late = await self._load()
        self.app.recovery_s = time.monotonic() - began
        self.app.consumer.want_seek()
        try:
            await super().on_recovery_completed(generation_id)
        except ServiceStopped:  # told to stop in the middle of a start, and nobody waits for this task to say so
            return
        if self.app.progress.generation == self.app.lease.generation:  # else there will be another load
            self.app.late_writes.expect(ends, late)

    async def _resume_streams(self, generation_id: int = 0) -> None:  # apps without tables
        self.app.consumer.want_seek()
        await super()._resume_streams(generation_id)

    async def _load(self) -> tuple[Offsets, Late]:
        """Every partition is emptied before it is loaded: what we held may have been overtaken while it was away."""
        places: dict[TopicPartition, DurableTable] = {}
        for table in self.tables.values():
            table.shelves.clear()
            for tp in self.actives_for_table[table]:
                places[TopicPartition(table.changelog, tp.partition)] = table
        if not places:
            return {}, {}
        loaded = Loaded()
        ends = await read_changelogs(self.app.options, dict.fromkeys(places), loaded.take)
        for tp, table in places.items():
            table.shelves[tp.partition] = Shelf(loaded.held.pop(tp, None))
        log.info("loaded", stage=self.app.stage.name, partitions=len(places), records=loaded.records)
        return ends, loaded.late


class BulkTables(TableManager):
    _recovery: BulkRecovery | None

    @property
    def recovery(self) -> BulkRecovery:
        if self._recovery is None:
            self._recovery = BulkRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
