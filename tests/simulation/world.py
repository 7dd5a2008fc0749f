"""One seed, one world: the real stages and the real runner on a simulated log, traffic, faults, and the judgement."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from simulation.auditor import audit
from simulation.cluster import Cluster, Program
from simulation.evidence import gather
from simulation.faults import SOON_S, Counts, Faults
from simulation.intouch import LyingIntouch
from simulation.log import Log
from simulation.loop import run
from simulation.plans import HOST, Plan, Rollout, random_plan
from simulation.seat import FROZEN_WRITES_S, LATE_WRITES_S
from simulation.standstill import make_task

from pipeline.app import make_stages
from pipeline.domain.marks import Kind, Mark, read_mark
from pipeline.intouch.gate import Gate
from pipeline.trust.credentials import open_headers

PATIENCE_S = 400.0  # virtual; what is not quiet by then has stalled
LATE_CRASHES_MAX = 20  # while what is old is forgotten: of a hundred records none would ever be finished
LOOKS_S = 8.0  # between two looks of a process at what it remembers, and what follows


@dataclass
class Verdict:
    """How the world ended."""

    violations: list[str]
    counts: Counts
    seed: int | str = 0


def simulate(seed: int | str, plan: Plan | None = None) -> Verdict:
    """Runs one world to its quiet end and judges it."""
    rng, before, logged = random.Random(seed), structlog.get_config(), list[Any]()
    structlog.configure(
        processors=[_kept_in(logged)], wrapper_class=structlog.make_filtering_bound_logger(logging.INFO)
    )
    try:
        violations, counts = run(World(rng, plan or random_plan(rng), logged).live())
    finally:
        structlog.configure(**before)  # a world says what it found, no more; other tests look at log lines
    return Verdict(violations, counts, seed)


def _kept_in(logged: list[Any]) -> Callable[..., Any]:
    def keep(_logger: Any, _method: str, line: Any) -> Any:
        logged.append(line)
        raise structlog.DropEvent

    return keep


class World:
    """What there is, from the first submission to the judgement."""

    def __init__(self, rng: random.Random, plan: Plan, logged: list[Any]) -> None:
        self.rng, self.plan, self.logged = rng, plan, logged
        self.violations: list[str] = []

    async def live(self) -> tuple[list[str], Counts]:
        """Traffic under faults, then peace, then the end of memory; what was wrong, and what was done."""
        self._build()
        await self._traffic()
        self.cluster.faults = self._peace()  # what is on its way still lands
        await self._until(self.cluster.is_quiet, "come to rest")
        self.cluster.restart_all()
        self.workload.decide_again()
        await self._until(self._is_done, "come to rest after a restart")
        await self.operators.rest()
        await self._until(self._is_done, "come to rest after the last resolution")
        await self._pass(self.plan.terms.remember_s + 10)
        await self._end_rotation()
        await self._until(lambda: not self._leftovers() and self.cluster.is_settled(), "forget")
        bugs = dict.fromkeys(map(repr, self.cluster.bugs))
        self.violations += [f"a bug ended a process: {bug}" for bug in bugs] + self._unended()
        self.cluster.counts.changed = self.rollout.changes
        evidence = gather(self.log, self.workload, self.operators, self.intouch, self.plan, self.logged)
        return self.violations + audit(evidence), self.cluster.counts

    def _build(self) -> None:
        loop, plan = asyncio.get_running_loop(), self.plan
        if plan.faults.freeze:
            loop.set_task_factory(make_task)  # costs time, so only where it is needed
        self.log = Log(loop.time)
        self.intouch = LyingIntouch(self.rng, self.log, plan.intouch, plan.script)
        self.intouch.away_s = plan.away_s
        self.rollout = Rollout(self.rng, plan)
        self.cluster = Cluster(
            program=self._program,
            layout=plan.layout,
            log=self.log,
            rng=self.rng,
            intouch=self.intouch,
            faults=plan.faults,
            parts=plan.parts,
            looks_s=(LATE_WRITES_S, FROZEN_WRITES_S) if plan.faults.held_s > SOON_S else (LATE_WRITES_S,),
        )
        self.workload = plan.traffic(self.rng, self.log, HOST, plan.requests)
        self.operators = plan.operators(self.rng, self.log, self.intouch.did)
        self.cluster.start()
        if plan.is_compacted:
            self.cluster.keep(self.cluster.compact_often())
        self.operators.start()

    def _program(self, cluster: Cluster) -> Program:
        start = self.rollout.next([node.program.step for node in cluster.nodes])
        gate = Gate(asyncio.get_running_loop().time, origins=(HOST,), per_origin=3)
        stages = make_stages(start.settings, start.trust, start.policies, gate.is_away)
        return Program(stages, start.trust.stamp, gate, partial(open_headers, start.trust.sealer), start.step)

    def _peace(self, crash: float = 0.0) -> Faults:
        """From here on nothing new goes wrong that is drawn, but for such crashes."""
        return Faults(crash=crash, crash_at=self.plan.faults.crash_at)

    # -- what happens

    async def _traffic(self) -> None:
        plan, rng = self.plan, self.rng
        for pauses in range(len(plan.pauses_s) + 1):
            await self.workload.run(plan.within_s or rng.choice((1.0, 5.0, 20.0)))
            await asyncio.sleep(rng.uniform(0, 10))
            self.cluster.rewind(plan.rewinds)
            if pauses < len(plan.pauses_s):
                await self._pass(plan.pauses_s[pauses])

    async def _pass(self, seconds: float | None) -> None:
        """So much time goes by on the calendar, and retention takes what is old; somebody reads again what is left.

        Before, nothing may be on its way. For None, it is until some of the keys are free again, and others are not.
        """
        faults, self.cluster.faults = self.cluster.faults, self._peace()
        await self._until(self.cluster.is_settled, "settle")
        self.workload.repeats = 18 if seconds is not None else 60
        self.log.skip(self._to_the_edge() if seconds is None else seconds)
        self.cluster.drop_older(self.plan.terms.kept_s)
        if seconds is not None:
            await self._forget()
        self.cluster.faults = faults
        self.cluster.rewind(self.plan.rewinds)

    async def _forget(self) -> None:
        """Processes may end meanwhile, so often that each has a chance to come to its end; nothing else goes wrong."""
        counts = self.cluster.counts
        crashes, self.cluster.faults = counts.crashes, self._peace(self.plan.crash_late)

        def is_over() -> bool:
            if counts.crashes - crashes >= LATE_CRASHES_MAX:
                self.cluster.faults = self._peace()
            return not self._leftovers() and self.cluster.is_quiet()

        await asyncio.sleep(LOOKS_S)
        await self._until(is_over, "forget in time")
        counts.late += counts.crashes - crashes

    def _to_the_edge(self) -> float:
        """Seconds until just before what ended at some time is forgotten."""
        ends_ms = [mark.since_ms for mark in self._marks() if mark.kind is Kind.FINISHED] or [self.log.now_ms()]
        edge_ms = self.rng.choice(ends_ms) + self.plan.terms.remember_s * 1000
        return (edge_ms - self.log.now_ms()) / 1000 - self.rng.uniform(0, 5)

    async def _end_rotation(self) -> None:
        """At last the old key goes, where everybody writes with the new one and nobody will read again."""
        steps = [node.program.step for node in self.cluster.nodes]
        if self.plan.is_changed and not self.plan.rewinds and self.rollout.may_finish(steps):
            self.rollout.finish()
            self.cluster.restart_all()
            await asyncio.sleep(LOOKS_S)

    async def _until(self, is_so: Callable[[], bool], what: str) -> None:
        deadline_s = self.cluster.time() + PATIENCE_S
        while not is_so():
            if self.cluster.time() > deadline_s:
                self.violations.append(f"the world did not {what}: something waits for ever")
                return
            await asyncio.sleep(1.0)

    # -- what is remembered

    def _marks(self) -> list[Mark]:
        return [
            read_mark(value)
            for node in self.cluster.nodes
            for seat in node.seats
            for table in seat.tables
            for partition in table.partitions()
            for _, value in table.everything(partition)
        ]

    def _is_done(self) -> bool:
        """Quiet, and nothing waits for another try or for Intouch, which leaves no trace in the topics."""
        return self.cluster.is_quiet() and not any(mark.kind in (Kind.TRYING, Kind.HELD) for mark in self._marks())

    def _leftovers(self) -> list[Mark]:
        """What is still remembered although its term is over."""
        now_ms, term_ms = self.log.now_ms(), self.plan.terms.remember_s * 1000
        return [
            mark
            for mark in self._marks()
            if (mark.kind in (Kind.SETTLED, Kind.FINISHED) and mark.since_ms + term_ms <= now_ms)
            or (mark.kind is Kind.WAITING and mark.due_ms is not None and mark.due_ms <= now_ms)
        ]

    def _unended(self) -> list[str]:
        """Only what waits on the desk or is in doubt may be remembered whole."""
        kept = [mark.kind for mark in self._marks()]
        handed, begun, in_doubt = (kept.count(kind) for kind in (Kind.HANDED, Kind.INTENT, Kind.IN_DOUBT))
        are_all = handed == begun == in_doubt
        found = [] if are_all else [f"{handed} are handed over, {begun} are being called, {in_doubt} are in doubt"]
        half = set(kept) - {Kind.WAITING, Kind.HANDED, Kind.INTENT, Kind.IN_DOUBT, Kind.SETTLED, Kind.FINISHED}
        return found + [f"something is remembered as {kind.name} and never ends" for kind in sorted(half)]
