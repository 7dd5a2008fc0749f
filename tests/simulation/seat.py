"""One stage in one process: the real pump, lease, offset books, shelves and late-write rules, on a simulated log.

What Kafka and Faust do around them on a real broker is done here in a few lines each; nothing is decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import CommitFailedError
from aiokafka.structs import TopicPartition
from simulation.log import PARTITIONS, arrival_of
from simulation.workload import CANARY

from pipeline.delivery.late_writes import Tail, overtaken
from pipeline.delivery.lease import NO_GENERATION, Lease
from pipeline.delivery.loading import Late, Loaded
from pipeline.delivery.memory import Shelf
from pipeline.delivery.progress import Progress
from pipeline.metrics import Metrics
from pipeline.postings import Outlet, Posting
from pipeline.runner import Pump
from pipeline.stages import Stage
from pipeline.surroundings import Delivered, Limits, Surroundings

SESSION_S = 6.0
LATE_WRITES_S, FROZEN_WRITES_S = 3 * SESSION_S, 12 * SESSION_S  # after loading: the two looks for late writes
COMMIT_S = 0.5
METRICS = Metrics(("intake", "validation", "approval", "execution"))


@dataclass(frozen=True)
class Parts:
    """Which pieces a process is built of: the product's, unless a known mistake is planted."""

    pump: type[Pump] = Pump
    progress: type[Progress] = Progress
    loaded: type[Loaded] = Loaded
    shelf: type[Shelf] = Shelf
    has_lease: bool = True
    looks_for_late_writes: bool = True
    asks_before_sending: bool = True  # for the lease, where a producer that stood still goes on
    stages: Callable[[Mapping[str, Stage]], Mapping[str, Stage]] = dict


class Table:
    """One table of a seat: shelves per partition."""

    def __init__(self, changelog: str) -> None:
        self.changelog = changelog
        self.shelves: dict[int, Shelf] = {}

    def recall(self, partition: int, key: bytes) -> bytes | None:
        return self.shelves[partition].recall(key)

    def partitions(self) -> list[int]:
        return list(self.shelves)

    def everything(self, partition: int) -> list[tuple[bytes, bytes]]:
        return list(self.shelves[partition].items()) if partition in self.shelves else []

    def note(self, partition: int, key: bytes, at: int, value: bytes | None) -> bool:
        return self.shelves[partition].note(key, at, value)


class Seat:
    """One stage in one process: source, poster and tables of its pump."""

    def __init__(self, stage: Stage, node: Any) -> None:
        self.stage, self.node, self.cluster = stage, node, node.cluster
        self.group = self.cluster.groups[stage.name]
        self.parts: Parts = self.cluster.parts
        self.progress = self.parts.progress()
        self.lease = Lease(self.group.name, SESSION_S, self.progress, clock=self.cluster.time)
        self.coordinator = SimpleNamespace(
            generation=NO_GENERATION,
            _do_heartbeat=self._heartbeat,
            _do_rejoin_group=self._rejoined,
            _do_commit_offsets=self._committed,
        )
        self.lease.watch(self.coordinator)
        self.tables = [Table(name) for name in stage.tables]
        self.pump = self.parts.pump(
            stage, self._surroundings(), Limits(fold=8, depth=3, room=40, slots=4, group=2, look_s=4.0)
        )
        self._news = asyncio.Event()
        self._reading: list[asyncio.Task[Any]] = []
        self.is_checking = False  # late writes are still looked for

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            source=self,
            poster=self,
            tables=self.tables,
            outlet=Outlet("", PARTITIONS, self.node.stamp),
            certain=self.lease.certain if self.parts.has_lease else _no_proof,
            clock=self.cluster.time,
            time_ms=self.cluster.log.now_ms,
            is_steady=lambda: self.progress.generation is not None and not self.lease.is_lost(),
            fatal=lambda _reason, exception: self.node.crash(exception),
            meters=METRICS,
            caller=self._call if self.stage.on_outcome else None,
            gate=self.node.gate,
            observe=self.cluster.observe,
        )

    @property
    def has_loaded(self) -> bool:
        """What is its own: only then does it show what is remembered."""
        return self.progress.generation is not None

    @property
    def is_calm(self) -> bool:
        """It has looked for late writes, too."""
        return self.has_loaded and not (self.node.is_out_of_reach or self.is_checking)

    # -- membership

    def start(self) -> None:
        self.pump.start()
        self.node.spawn(self._beat())
        self.node.spawn(self._commit_often())
        self.group.join(self)

    async def _heartbeat(self) -> bool:
        return self.group.heartbeat(self)

    async def _rejoined(self, _subscription: Any) -> bool:
        return True

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(SESSION_S / 6)
            await self.coordinator._do_heartbeat()
            if self not in self.group.members and not self.node.is_cut_off:
                await self._join_anew()

    async def _join_anew(self) -> None:
        """The broker says that it does not know us: whatever still wants to be written ends the process."""
        self.coordinator.generation = NO_GENERATION
        await self.coordinator._do_heartbeat()
        await self.revoke()
        self.group.join(self)

    async def revoke(self) -> None:
        for task in self._reading:
            task.cancel()
        self._reading = []
        self.is_checking = False
        self.pump.abandon()
        while self.pump.held.records and not self.node.is_dead:
            await asyncio.sleep(0.02)
            self.pump.abandon()
        await self._commit()
        self.progress.forget()

    async def assign(self, partitions: list[int], generation: int) -> None:
        if self.node.is_dead:
            return
        self.coordinator.generation = generation
        await self.coordinator._do_rejoin_group(None)
        log, ends, loaded = self.cluster.log, {}, self.parts.loaded()  # one for all tables, as on a real broker
        for table in self.tables:
            for partition in partitions:
                tp = TopicPartition(table.changelog, partition)
                loaded.take(tp, log.read(table.changelog, partition, 0))
                ends[tp] = log.end(table.changelog, partition)
            table.shelves = {
                p: self.parts.shelf(loaded.held.get(TopicPartition(table.changelog, p))) for p in partitions
            }
        places = [(source, partition) for source in self.stage.sources for partition in partitions]
        starts = {
            TopicPartition(*place): max(log.start(*place), log.committed.get((self.group.name, *place), 0))
            for place in places
        }
        self.progress.begin(generation, starts)
        self._reading = [self.node.spawn(self._read(tp, start)) for tp, start in starts.items()]
        if ends and self.parts.looks_for_late_writes:
            self.is_checking = True
            self._reading.append(self.node.spawn(self._look_for_late_writes(ends, loaded.late)))

    async def _look_for_late_writes(self, ends: dict[TopicPartition, int], late: Late) -> None:
        tables = {table.changelog: table for table in self.tables}
        shelves = {tp: tables[tp.topic].shelves[tp.partition] for tp in ends}
        await self._write_over(late, shelves)
        began_s = self.cluster.time()
        for look_s in self.cluster.looks_s:
            await asyncio.sleep(began_s + look_s - self.cluster.time())
            tail = Tail()
            for tp, end in ends.items():
                tail.take(tp, self.cluster.log.read(tp.topic, tp.partition, end))
                tail.keep_overtaken(tp, shelves[tp])
            await self._write_over(tail.last, shelves)
        for shelf in shelves.values():
            shelf.settle()
        self.is_checking = False

    async def _write_over(self, last: Late, shelves: Mapping[TopicPartition, Shelf]) -> None:
        def again() -> list[Posting]:
            found = [put for tp, shelf in shelves.items() for put in overtaken(last.get(tp, {}), shelf, tp)]
            self.cluster.counts.rewritten += len(found)
            return found

        await self.pump.restate(again)

    # -- source

    async def _read(self, tp: TopicPartition, position: int) -> None:
        """As the consumer does: what a fetch brings again is left out by the books."""
        log, rng, generation = self.cluster.log, self.cluster.rng, self.progress.generation
        while True:
            await log.beyond(*tp, position)
            await asyncio.sleep(rng.uniform(0.001, 0.05))
            await self.pump.room()
            if generation != self.progress.generation:
                return
            if rng.random() < self.cluster.faults.again:
                position = max(0, position - rng.randint(1, 5))
            found = log.read(*tp, position, rng.randint(1, 8))
            start = self.progress.continuation(tp, [record.offset for record in found])
            if start is None:
                position = self.progress.lanes[tp].next if found else log.end(*tp)
                continue
            position = found[-1].offset + 1
            self._feed(tp, found[start:])

    def _feed(self, tp: TopicPartition, found: Sequence[Any]) -> None:
        self.progress.deliver(tp, [record.offset for record in found])
        now, now_ms, generation = self.cluster.time(), self.cluster.log.now_ms(), self.progress.generation
        self.pump.feed([Delivered(arrival_of(*tp, record, now_ms), now, generation, generation) for record in found])

    def finish(self, records: Sequence[Delivered]) -> None:
        self.node.effect()
        for record in records:
            if record.receipt == self.progress.generation and not self.node.is_dead:
                tp = TopicPartition(record.arrival.topic, record.arrival.partition)
                self.progress.finish(tp, record.arrival.offset)
        self._news.set()

    def give_back(self, records: Sequence[Delivered]) -> None:
        """Nothing to do: what was not finished is delivered again after the next assignment."""

    async def _commit_often(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(COMMIT_S)
            await self._commit()
            if self.progress.committable():  # out of reach just now
                self._news.set()

    async def _commit(self) -> None:
        offsets = self.progress.committable()
        if offsets and not self.node.is_dead and not self.node.is_cut_off and not self.lease.is_lost():
            self.node.effect()
            with suppress(CommitFailedError):  # as the link does: what was not committed stays committable
                await self.coordinator._do_commit_offsets(None, offsets)
                self.progress.confirm(offsets)

    async def _committed(self, _assignment: Any, offsets: dict[TopicPartition, int]) -> None:
        if self not in self.group.members:
            raise CommitFailedError("not a member of the group")
        for tp, offset in offsets.items():
            self.cluster.log.committed[self.group.name, tp.topic, tp.partition] = offset

    # -- poster

    async def post(self, postings: Sequence[Posting]) -> list[asyncio.Future[None]]:
        if self.parts.has_lease:
            await self.lease.certain()
        return self.node.send(postings)

    async def durable(self, answers: Sequence[asyncio.Future[None]]) -> None:
        work = asyncio.gather(*answers)
        await (self.lease.hold(work) if self.parts.has_lease else work)

    async def _call(self, call: Any) -> Any:
        self.node.effect()
        assert ("Authorization", CANARY) in self.node.opened(call), "a call goes without its credentials"
        outcome = await self.cluster.intouch(call)
        self.node.effect()
        return outcome


async def _no_proof() -> None:
    """What a planted fault puts in the place of the lease."""
