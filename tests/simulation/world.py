"""One seed, one world: the real stages and the real runner on a simulated log, traffic, faults, and the judgement."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from simulation.auditor import Evidence, Told, audit
from simulation.cluster import Cluster, Counts, Faults, Program
from simulation.intouch import MIXED, LyingIntouch
from simulation.log import Log
from simulation.loop import run
from simulation.operators import Operators
from simulation.seat import Parts
from simulation.workload import CANARY, SECRET, Workload

from pipeline.app import make_stages, trust_of
from pipeline.domain.marks import Kind, read_mark
from pipeline.domain.messages import DEAD_LETTERS, EVENTS, PUBLIC_TOPICS
from pipeline.domain.policy import Policies, Policy
from pipeline.domain.request_types import RequestType
from pipeline.intouch.gate import Gate
from pipeline.settings import STAGES, Settings

HOST = "https://intouch.example"
SEAL_KEYS = (  # obviously fake
    "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "YWJjZGVmZ2hpamFiY2RlZmdoaWphYmNkZWZnaGlqYWI=",
)
REMEMBER_S = 64  # the least that the settings allow is 63 s
HOLD_S = 15
TRIES_S = 45.0  # longer than any request is tried or held
QUIET_S = 400.0  # virtual; what is not quiet by then has stalled


def _settings(*, hosts: str = HOST, keys: tuple[str, ...] = SEAL_KEYS[:1]) -> Settings:
    return Settings.model_validate(
        {
            "jwt_hs256_secret": SECRET,
            "seal_keys": ",".join(keys),
            "intouch_allowed_hosts": hosts,
            "topic_partitions": 3,
            "retention_s": 1,
            "segment_s": 1,
            "remember_s": REMEMBER_S,
            "intouch_max_attempts": 3,
            "intouch_retry_for_s": 20,
            "intouch_hold_s": HOLD_S,
        }
    )


USUAL = _settings()
# What an operator may change between a crash and the start after it: a key is rotated, the host is taken off the list.
CHANGED = (USUAL, _settings(keys=SEAL_KEYS[::-1]), _settings(hosts="https://other.example"))
_TRUST = {settings.seal_keys: trust_of(settings) for settings in CHANGED}


@dataclass
class Plan:
    """What kind of world: how much traffic, which faults, who shares a process."""

    requests: int = 10
    faults: Faults = field(default_factory=Faults)
    layout: tuple[tuple[str, ...], ...] = (STAGES, STAGES)
    policies: Policies = field(default_factory=Policies)
    parts: Parts = field(default_factory=Parts)
    is_changed: bool = False  # settings differ from start to start
    rewinds: tuple[str, ...] = ()  # stages whose group somebody resets to the beginning
    traffic: Callable[[random.Random, Log, str, int], Workload] = Workload
    within_s: float | None = None
    intouch: tuple[int, ...] = MIXED
    away_s: tuple[float, float] = (0.0, 0.0)  # Intouch is away from then until then


@dataclass
class Verdict:
    """How the world ended."""

    violations: list[str]
    counts: Counts
    seed: int | str = 0


def harsh_plan(rng: random.Random, parts: Parts) -> Plan:
    """Everything goes wrong, in bursts or for long: for the planted mistakes."""
    faults = Faults(
        crash=rng.choice((0.004, 0.01, 0.03)),
        cut_off=rng.choice((0.0, 0.02)),
        hold_back=rng.choice((0.0, 0.03, 0.15)),
        slow_events=rng.choice((0.0, 2.0)),
    )
    return Plan(
        requests=rng.choice((20, 30)),
        faults=faults,
        layout=rng.choice(LAYOUTS[1:]),
        within_s=rng.choice((4.0, 40.0)),
        parts=parts,
    )


LAYOUTS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (STAGES,),
    (STAGES, STAGES),
    (STAGES, STAGES, STAGES),
    tuple((stage,) for stage in STAGES),
    (("intake", "validation"), ("approval", "execution"), ("approval", "execution")),
)


def random_plan(rng: random.Random) -> Plan:
    """The plan of a seed."""
    harsh = rng.random() < 0.5
    faults = Faults(
        crash=rng.choice((0.0, 0.005, 0.02, 0.05)) if harsh else 0.002,
        cut_off=rng.choice((0.0, 0.004, 0.01)),
        hold_back=rng.choice((0.0, 0.0, 0.005, 0.02)),
        slow=rng.choice((0.0, 0.05, 0.3)),
        slow_events=rng.choice((0.0, 0.0, 0.5, 2.0)),
    )
    policies = {kind: Policy(expires_after_s=rng.choice((3, 60, 2_592_000))) for kind in RequestType}
    policies[RequestType.EARN_BADGE] = Policy(auto_approve=rng.random() < 0.3)
    began_s = rng.uniform(0, 20)
    return Plan(
        requests=rng.randint(6, 14),
        faults=faults,
        layout=rng.choice(LAYOUTS),
        policies=Policies(policies),
        away_s=(began_s, began_s + rng.choice((0, 0, 5, 30))),
    )


def simulate(seed: int | str, plan: Plan | None = None) -> Verdict:
    """Runs one world to its quiet end and judges it."""
    rng, logs = random.Random(seed), structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        verdict: Verdict = run(_live(rng, plan or random_plan(rng)))
    finally:
        structlog.configure(**logs)  # a world says what it found, no more; other tests look at log lines
    return replace(verdict, seed=seed)


def _with_one_switched_off(policies: Policies) -> Policies:
    given = {kind: policies[kind] for kind in RequestType}
    off = policies[RequestType.GOODWILL_POINTS].model_copy(update={"enabled": False})
    return Policies({**given, RequestType.GOODWILL_POINTS: off})


async def _live(rng: random.Random, plan: Plan) -> Verdict:
    loop = asyncio.get_running_loop()
    log = Log(loop.time)
    intouch = LyingIntouch(rng, log, plan.intouch)
    intouch.away_s = plan.away_s

    def program() -> Program:
        settings = rng.choice(CHANGED) if plan.is_changed else USUAL
        trust = _TRUST[settings.seal_keys]
        policies = plan.policies if settings is USUAL else _with_one_switched_off(plan.policies)
        gate = Gate(loop.time, origins=(HOST,), per_origin=3)
        return Program(make_stages(settings, trust, policies, gate.is_away), trust.stamp, gate)

    cluster = Cluster(
        program=program,
        layout=plan.layout,
        log=log,
        rng=rng,
        intouch=intouch,
        faults=plan.faults,
        parts=plan.parts,
    )
    workload = plan.traffic(rng, log, HOST, plan.requests)
    operators = Operators(rng, log, intouch.did)
    cluster.start()
    operators.start()
    await workload.run(plan.within_s or rng.choice((1.0, 5.0, 20.0)))
    await asyncio.sleep(rng.uniform(0, 10))
    cluster.rewind(plan.rewinds)
    cluster.faults = Faults()  # from here on nothing new goes wrong; what is on its way still lands
    violations = await _until_quiet(cluster, loop.time() + QUIET_S)
    cluster.restart_all()
    workload.decide_again()
    violations += await _until_quiet(cluster, loop.time() + QUIET_S)
    await asyncio.sleep(TRIES_S)  # what waits for another try or for Intouch leaves no trace in the topics
    await operators.rest()
    violations += await _until_quiet(cluster, loop.time() + QUIET_S)
    await asyncio.sleep(REMEMBER_S + 10)
    log.drop_older(REMEMBER_S - 5)  # retention ends before memory does
    cluster.rewind(plan.rewinds)
    violations += await _until_quiet(cluster, loop.time() + QUIET_S)
    violations += [f"a bug ended a process: {bug!r}" for bug in cluster.bugs] + _leftovers(cluster)
    return Verdict(violations + audit(_evidence(log, workload, operators, intouch, plan)), cluster.counts)


def _leftovers(cluster: Cluster) -> list[str]:
    """What is still remembered although its term is over."""
    marks = [
        read_mark(value)
        for node in cluster.nodes
        for seat in node.seats
        for table in seat.tables
        for partition in table.partitions()
        for _, value in table.everything(partition)
    ]
    before_ms = cluster.log.now_ms() - (REMEMBER_S + 8) * 1000
    allowed = (Kind.WAITING, Kind.HANDED, Kind.INTENT, Kind.IN_DOUBT)
    found = [
        f"still remembered after its term: {mark.kind.name}"
        for mark in marks
        if mark.kind not in allowed and mark.since_ms < before_ms
    ]
    kept = [mark.kind for mark in marks]
    handed, in_doubt = kept.count(Kind.HANDED), kept.count(Kind.IN_DOUBT)
    return found + ([] if handed == in_doubt else [f"{handed} requests are handed over, {in_doubt} are in doubt"])


async def _until_quiet(cluster: Cluster, deadline_s: float) -> list[str]:
    while not cluster.is_quiet():
        if cluster.time() > deadline_s:
            return ["the world did not come to rest: something waits for ever"]
        await asyncio.sleep(1.0)
    return []


def _told(headers: dict[str, bytes], value: Any) -> Told:
    reason = headers.get("rw-reason")
    why = headers.get("rw-resolution")
    return Told(headers["rw-kind"].decode(), _text(reason), value, _text(why))


def _text(header: bytes | None) -> str | None:
    return None if header is None else header.decode()


def _evidence(log: Log, workload: Workload, operators: Operators, intouch: LyingIntouch, plan: Plan) -> Evidence:
    told = [_told(dict(record.headers), record.value) for _, record in log.everything(EVENTS)]
    letters = [json.loads(record.value) for _, record in log.everything(DEAD_LETTERS)]
    clear: list[Any] = [
        record.value
        for topic in log.topics()
        if topic not in PUBLIC_TOPICS
        for _, record in log.everything(topic)
        if record.value is not None
    ]
    return Evidence(
        wishes=workload.wishes,
        words=workload.words,
        resolutions=operators.said,
        told=told,
        letters=letters,
        effects=intouch.effects,
        attempts=intouch.attempts,
        automatic=frozenset(kind for kind in RequestType if plan.policies[kind].auto_approve),
        expires_ms={kind: plan.policies[kind].expires_after_s * 1000 for kind in RequestType},
        clear=clear,
        canaries=(CANARY, CANARY.removeprefix("Basic ")),
    )
