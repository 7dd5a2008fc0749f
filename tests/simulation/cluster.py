"""Consumer groups and the processes in them, with every fault that the pipeline must survive.

What is simulated is the broker's side: who owns which partition, when a write lands, whether an answer comes. A process
that is cut off goes on working until its lease ends, and what it had sent may land long after that.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simulation.faults import COMPACTION_LAG_S, LATE_S, Counts, Faults
from simulation.log import PARTITIONS, Log
from simulation.node import Node
from simulation.seat import LATE_WRITES_S, SESSION_S, Parts, Seat

from pipeline.domain.messages import (
    APPROVAL_INBOX,
    DESK,
    EVENTS,
    EXECUTION_INBOX,
    INTENTS,
    PUBLIC_TOPICS,
    REQUESTS_RECEIVED,
    RESULTS,
)
from pipeline.postings import Posting, Stamp
from pipeline.settings import STAGES
from pipeline.stages import Stage
from pipeline.surroundings import Gate

RESTART_S = 1.0
QUIET_S = 3.0  # without a record
CHANGELOGS = (DESK, INTENTS, RESULTS)
SOURCES = {
    "intake": PUBLIC_TOPICS,
    "validation": (REQUESTS_RECEIVED,),
    "approval": (APPROVAL_INBOX,),
    "execution": (EXECUTION_INBOX,),
}


class Group:
    """The broker's view of one stage's consumer group (eager protocol: everybody stops on every change)."""

    def __init__(self, stage: str, cluster: Cluster) -> None:
        self.name, self.cluster = f"rw-{stage}", cluster
        self.generation = 0
        self.members: dict[Seat, float] = {}  # and when its last heartbeat was accepted
        self._changed = asyncio.Event()

    def join(self, seat: Seat) -> None:
        self.members[seat] = self.cluster.time()
        self._changed.set()

    def leave(self, seat: Seat) -> None:
        if self.members.pop(seat, None) is not None:
            self._changed.set()

    def heartbeat(self, seat: Seat) -> bool:
        if seat not in self.members or seat.node.is_cut_off or seat.node.is_frozen:
            return False
        self.members[seat] = self.cluster.time()
        return True

    async def run(self) -> None:
        """Expires members that are silent, and assigns anew whenever somebody came or went."""
        while True:
            try:
                async with asyncio.timeout(SESSION_S / 3):
                    await self._changed.wait()
            except TimeoutError:
                self._expire()
            if self._changed.is_set():
                self._changed.clear()
                await self._rebalance()

    def _expire(self) -> None:
        now = self.cluster.time()
        for seat, heard in list(self.members.items()):
            if now - heard > SESSION_S:
                self.leave(seat)

    async def _rebalance(self) -> None:
        self.cluster.counts.rebalances += 1
        joined: set[Seat] = set()
        while waited := [seat for seat in self.members if seat not in joined]:
            reachable = [seat for seat in waited if not seat.node.is_out_of_reach]
            await self._through([seat.node.spawn(seat.revoke()) for seat in reachable], reachable)
            joined |= set(reachable)
            if not reachable:  # the broker waits for the others, one session long
                await asyncio.sleep(0.5)
            self._expire()
        self._changed.clear()
        self.generation += 1
        seats = list(self.members)
        self.members = dict.fromkeys(seats, self.cluster.time())  # to join is as good as a heartbeat
        self.cluster.rng.shuffle(seats)
        shares: dict[Seat, list[int]] = {seat: [] for seat in seats}
        for partition in range(PARTITIONS if seats else 0):
            shares[seats[partition % len(seats)]].append(partition)
        assigning = [seat.node.spawn(seat.assign(share, self.generation)) for seat, share in shares.items()]
        await self._through(assigning, seats)

    async def _through(self, steps: Sequence[asyncio.Task[Any]], seats: Sequence[Seat]) -> None:
        """Returns when everybody has done it who has not gone silent."""
        while waiting := [step for step, seat in zip(steps, seats, strict=True) if not self._is_over(step, seat)]:
            await asyncio.wait(waiting, timeout=0.5)

    def _is_over(self, step: asyncio.Task[Any], seat: Seat) -> bool:
        is_silent = self.cluster.time() - self.members.get(seat, 0.0) > SESSION_S
        return step.done() or seat.node.is_dead or (seat.node.is_frozen and is_silent)


class Program(NamedTuple):
    """What a process runs: its stages, its signature, who of its calls may begin, and how their seals are opened."""

    stages: Mapping[str, Stage]
    stamp: Stamp
    gate: Gate
    opened: Callable[[Any], Any]
    step: int = 0  # of a rotation of keys


@dataclass(eq=False)
class Cluster:
    """All groups and processes of a world. `layout` says which stages share a process."""

    program: Callable[[Cluster], Program]
    layout: Sequence[Sequence[str]]
    log: Log
    rng: random.Random
    intouch: Callable[[Any], Any]
    faults: Faults = field(default_factory=Faults)
    counts: Counts = field(default_factory=Counts)
    parts: Parts = field(default_factory=Parts)
    looks_s: tuple[float, ...] = (LATE_WRITES_S,)  # a second look only where something can come so late
    observe: Callable[[Any], Any] = lambda _step: None
    nodes: list[Node] = field(default_factory=list)
    bugs: list[BaseException] = field(default_factory=list)
    groups: dict[str, Group] = field(default_factory=dict)
    ended: list[Node] = field(default_factory=list)  # of some of them a write may still be on its way

    def time(self) -> float:
        return asyncio.get_running_loop().time()

    def start(self) -> None:
        self.groups = {name: Group(name, self) for name in STAGES}
        for group in self.groups.values():
            self.keep(group.run())
        for names in self.layout:
            self._launch(names)

    def keep(self, work: Any) -> None:
        """Work of the world itself, which no process's end ends."""
        self._kept = [*getattr(self, "_kept", []), asyncio.get_running_loop().create_task(work)]

    def _launch(self, names: Sequence[str]) -> None:
        program = self.program(self)  # built anew: settings may have changed since
        stages = self.parts.stages(program.stages)
        self.nodes.append(Node([stages[name] for name in names], program, self))

    def latency(self, posting: Posting) -> float:
        is_held = self.faults.held_topic in (None, posting.topic)
        if is_held and self.rng.random() < self.faults.hold_back:
            self.counts.held_back += 1
            return self.rng.uniform(SESSION_S, self.faults.held_s)
        if self.rng.random() < self.faults.slow:
            return self.rng.uniform(0.1, 1.5)
        extra_s = self.rng.uniform(0, self.faults.slow_events) if posting.topic == EVENTS else 0.0
        return self.rng.uniform(0.001, 0.01) + extra_s

    def is_fatal(self, node: Node) -> bool:
        """Counts the effect, and says whether the process ends at it."""
        if node.is_dead:
            return True
        self.counts.effects += 1
        if self.rng.random() < self.faults.cut_off and not node.is_cut_off:
            self._cut_off(node)
        if self.rng.random() < self.faults.freeze:
            self.counts.frozen += 1
            node.freeze(self.rng.uniform(0.5, LATE_S))
        is_planned = self.counts.effects in self.faults.crash_at
        is_end = is_planned or self.rng.random() < self.faults.crash
        self.counts.planned += is_planned
        self.counts.crashes += is_end
        return is_end

    def copies(self, _posting: Posting) -> tuple[int, bool]:
        """How often the log takes this record, and whether its sender hears that it did not."""
        if self.rng.random() < self.faults.fail:
            self.counts.failed += 1
            return self.rng.randint(0, 1), True
        if self.rng.random() < self.faults.twice:
            self.counts.doubled += 1
            return 2, False
        return 1, False

    def _cut_off(self, node: Node) -> None:
        """Heartbeats and commits get no answer for a while; writes still land."""
        self.counts.cut_offs += 1
        node.is_cut_off = True
        asyncio.get_running_loop().call_later(self.rng.uniform(1, 3 * SESSION_S), setattr, node, "is_cut_off", False)

    def crashed(self, node: Node, exception: BaseException | None) -> None:
        """A supervisor starts it again, as a cluster would; what nobody planned is a finding."""
        self.counts.crashes += exception is not None
        if exception is not None and type(exception).__name__ not in ("LeaseLost", "PublishFailed"):
            self.bugs.append(exception)
        names = [seat.stage.name for seat in node.seats]
        self.nodes.remove(node)
        self.ended.append(node)
        asyncio.get_running_loop().call_later(self.rng.uniform(0.1, RESTART_S), self._launch, names)

    def restart_all(self) -> None:
        """Every process ends at once, and is started again."""
        for node in list(self.nodes):
            node.crash(None)

    def rewind(self, stages: Sequence[str]) -> None:
        """Somebody stops everything, resets these groups to the beginning of what is left, and starts again."""
        if stages:
            self.restart_all()
        for stage in stages:
            self.counts.rewound += 1
            for source in SOURCES[stage]:
                self.log.rewind(f"rw-{stage}", source)

    def is_quiet(self) -> bool:
        """Everybody is there, all that lies in the topics was worked off, and nothing was written for a while."""
        is_whole = len(self.nodes) == len(self.layout) and all(seat.has_loaded for seat in self._seats())
        return (
            is_whole
            and self.time() - self.log.appended_s >= QUIET_S
            and all(
                self.log.committed.get((f"rw-{stage}", *place), self.log.start(*place)) == self.log.end(*place)
                for stage, place in _sources()
            )
        )

    def is_settled(self) -> bool:
        """Also nothing is on its way, everybody is there and has loaded, and nobody looks for late writes any more."""
        self.ended = [node for node in self.ended if node.is_sending]
        return self.is_quiet() and not self.ended and all(seat.is_calm for seat in self._seats())

    def _seats(self) -> list[Seat]:
        return [seat for node in self.nodes for seat in node.seats]

    # -- what the broker takes away

    def drop_older(self, age_s: float) -> None:
        """Retention of the topics between the stages, and of the public two."""
        done = {place: self.log.committed.get((f"rw-{stage}", *place), 0) for stage, place in _sources()}
        self.log.drop_older(age_s, done)

    async def compact_often(self) -> None:
        """Changelogs, now and then; what is younger than the lag stays."""
        while True:
            await asyncio.sleep(self.rng.uniform(5, COMPACTION_LAG_S))
            for topic in CHANGELOGS:
                self.log.compact(topic, COMPACTION_LAG_S)
            self.counts.compacted = self.log.compacted


def _sources() -> Iterator[tuple[str, tuple[str, int]]]:
    """(stage, partition) of all that is read."""
    for stage, sources in SOURCES.items():
        yield from ((stage, (source, partition)) for source in sources for partition in range(PARTITIONS))
