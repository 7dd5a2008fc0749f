"""Consumer groups and the processes in them, with every fault that the pipeline must survive.

What is simulated is the broker's side: who owns which partition, when a write lands, whether an answer comes. A process
that is cut off goes on working until its lease ends, and what it had sent may land long after that.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simulation.log import PARTITIONS, Log
from simulation.node import Node
from simulation.seat import SESSION_S, Parts, Seat

from pipeline.domain.messages import APPROVAL_INBOX, EVENTS, EXECUTION_INBOX, PUBLIC_TOPICS, REQUESTS_RECEIVED
from pipeline.postings import Posting, Stamp
from pipeline.settings import STAGES
from pipeline.stages import Stage
from pipeline.surroundings import Gate

RESTART_S = 1.0
SOURCES = {
    "intake": PUBLIC_TOPICS,
    "validation": (REQUESTS_RECEIVED,),
    "approval": (APPROVAL_INBOX,),
    "execution": (EXECUTION_INBOX,),
}


@dataclass(slots=True)
class Faults:
    """What may go wrong, as chances per effect (0 to 1), and one planned crash: at which effect, before or after."""

    crash: float = 0.0
    cut_off: float = 0.0
    hold_back: float = 0.0
    slow: float = 0.0
    slow_events: float = 0.0  # how much longer the events topic alone takes, at most, in seconds
    crash_at: tuple[int, ...] = ()


@dataclass(slots=True)
class Counts:
    """What a world did."""

    effects: int = 0
    crashes: int = 0
    rebalances: int = 0
    cut_offs: int = 0
    held_back: int = 0
    rewritten: int = 0


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
        if seat not in self.members or seat.node.is_cut_off:
            return False
        self.members[seat] = self.cluster.time()
        return True

    async def run(self) -> None:
        """Expires members that are silent, and assigns anew whenever somebody came or went."""
        while True:
            try:
                async with asyncio.timeout(1.0):
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
            await asyncio.gather(*(seat.revoke() for seat in reachable), return_exceptions=True)
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
        await asyncio.gather(
            *(seat.assign(share, self.generation) for seat, share in shares.items()), return_exceptions=True
        )


class Program(NamedTuple):
    """What a process runs: its stages, its signature, and who of its calls may begin."""

    stages: Mapping[str, Stage]
    stamp: Stamp
    gate: Gate


@dataclass(eq=False)
class Cluster:
    """All groups and processes of a world. `layout` says which stages share a process."""

    program: Callable[[], Program]
    layout: Sequence[Sequence[str]]
    log: Log
    rng: random.Random
    intouch: Callable[[Any], Any]
    faults: Faults = field(default_factory=Faults)
    counts: Counts = field(default_factory=Counts)
    parts: Parts = field(default_factory=Parts)
    observe: Callable[[Any], Any] = lambda _step: None
    nodes: list[Node] = field(default_factory=list)
    bugs: list[BaseException] = field(default_factory=list)
    groups: dict[str, Group] = field(default_factory=dict)

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
        program = self.program()  # built anew: settings may have changed since
        stages = self.parts.stages(program.stages)
        self.nodes.append(Node([stages[name] for name in names], program.stamp, program.gate, self))

    def latency(self, posting: Posting) -> float:
        if self.rng.random() < self.faults.hold_back:
            self.counts.held_back += 1
            return self.rng.uniform(SESSION_S, 2.5 * SESSION_S)
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
        return self.counts.effects in self.faults.crash_at or self.rng.random() < self.faults.crash

    def _cut_off(self, node: Node) -> None:
        """Heartbeats and commits get no answer for a while; writes still land."""
        self.counts.cut_offs += 1
        node.is_cut_off = True
        asyncio.get_running_loop().call_later(self.rng.uniform(1, 3 * SESSION_S), setattr, node, "is_cut_off", False)

    def crashed(self, node: Node, exception: BaseException | None) -> None:
        """A supervisor starts it again, as a cluster would; what nobody planned is a finding."""
        self.counts.crashes += 1
        if exception is not None and type(exception).__name__ != "LeaseLost":
            self.bugs.append(exception)
        names = [seat.stage.name for seat in node.seats]
        self.nodes.remove(node)
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
            for source in SOURCES[stage]:
                self.log.rewind(f"rw-{stage}", source)

    def is_quiet(self) -> bool:
        """Everything that lies in the topics was worked off, and nothing was written for a while."""
        if self.time() - self.log.appended_s * 1 < 3.0:
            return False
        return all(
            self.log.committed.get((f"rw-{stage}", source, partition), 0) == self.log.end(source, partition)
            for stage, sources in SOURCES.items()
            for source in sources
            for partition in range(PARTITIONS)
        )
