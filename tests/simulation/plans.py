"""What kind of world a seed makes: how much traffic, which faults, and which settings from start to start."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simulation.faults import LATE_S, SOON_S, Faults
from simulation.intouch import MIXED, Answer, Weights
from simulation.log import Log
from simulation.operators import Operators
from simulation.seat import Parts
from simulation.workload import SECRET, Workload

from pipeline.app import Trust, trust_of
from pipeline.domain.messages import DESK, INTENTS, RESULTS
from pipeline.domain.policy import Policies, Policy
from pipeline.domain.request_types import RequestType
from pipeline.settings import STAGES, Settings

HOST, OTHER_HOST = "https://intouch.example", "https://other.example"
OLD, NEW = (  # obviously fake
    "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "YWJjZGVmZ2hpamFiY2RlZmdoaWphYmNkZWZnaGlqYWI=",
)
# How a key is rotated: it is added everywhere, then it is the first, then the old one goes. Processes that run at the
# same time are never more than one step apart.
ROTATION = ((OLD,), (OLD, NEW), (NEW, OLD), (NEW,))
HOLD_S = 15
RETRY_FOR_S = 20
MAX_ATTEMPTS = 3


class Terms(NamedTuple):
    """How long topics keep records, and how long ended requests are remembered; seconds."""

    remember_s: int
    retention_s: int
    segment_s: int

    @property
    def kept_s(self) -> int:
        """A record may be read again for so long."""
        return self.retention_s + self.segment_s


SHORT = Terms(1_000, 800, 60)
DAYS = Terms(3 * 86_400, 86_400, 3_600)
PAUSES_S = (3_600, 86_400, 100_000, 270_000, None, None)


def settings_of(terms: Terms, *, step: int = 0, host: str = HOST) -> Settings:
    """Those of a process that starts at this step of the rotation."""
    return Settings.model_validate(
        {
            "jwt_hs256_secret": SECRET,
            "seal_keys": ",".join(ROTATION[step]),
            "intouch_allowed_hosts": host,
            "topic_partitions": 3,
            "retention_s": terms.retention_s,
            "segment_s": terms.segment_s,
            "remember_s": terms.remember_s,
            "intouch_max_attempts": MAX_ATTEMPTS,
            "intouch_retry_for_s": RETRY_FOR_S,
            "intouch_hold_s": HOLD_S,
        }
    )


_SETTINGS = {
    (terms, step, host): settings_of(terms, step=step, host=host)
    for terms in (SHORT, DAYS)
    for step in range(len(ROTATION))
    for host in (HOST, OTHER_HOST)
}
_TRUST = [trust_of(_SETTINGS[SHORT, step, HOST]) for step in range(len(ROTATION))]


@dataclass
class Plan:
    """What kind of world. `requests` come in each burst; between two of them so many seconds of the calendar pass, or,
    for None, as many as lead to where somebody's term of memory ends.
    """

    requests: int = 10
    faults: Faults = field(default_factory=Faults)
    layout: tuple[tuple[str, ...], ...] = (STAGES, STAGES)
    policies: Policies = field(default_factory=Policies)
    parts: Parts = Parts()  # noqa: RUF009 - frozen
    terms: Terms = SHORT
    pauses_s: tuple[float | None, ...] = ()
    is_changed: bool = False  # settings differ from start to start
    is_compacted: bool = False
    rewinds: tuple[str, ...] = ()  # stages whose group somebody resets to the beginning
    traffic: Callable[[random.Random, Log, str, int], Workload] = Workload
    operators: Callable[[random.Random, Log, Callable[[str], bool]], Operators] = Operators
    within_s: float | None = None
    intouch: Weights = MIXED
    script: tuple[Answer, ...] = ()  # what Intouch answers first
    away_s: tuple[float, float] = (0.0, 0.0)  # Intouch is away from then until then
    crash_late: float = 0.0  # per effect: a process ends while what is old is being forgotten

    @property
    def both(self) -> tuple[Policies, ...]:
        """The policies that processes may start with."""
        return (self.policies, _changed(self.policies)) if self.is_changed else (self.policies,)


def _changed(policies: Policies) -> Policies:
    """One type is switched off, one approves by itself or no longer does, and others wait for another time."""
    given = {kind: policies[kind] for kind in RequestType}
    given[RequestType.GOODWILL_POINTS] = Policy(enabled=False)
    given[RequestType.EARN_BADGE] = Policy(auto_approve=not given[RequestType.EARN_BADGE].auto_approve)
    given[RequestType.RETRO_TRANSACTION] = Policy(expires_after_s=5)
    return Policies(given)


class Start(NamedTuple):
    """What one process is started with."""

    settings: Settings
    trust: Trust
    policies: Policies
    step: int  # of the rotation of keys


class Rollout:
    """Chooses what each process starts with, as an operator could: whoever runs at the same time gets on together."""

    def __init__(self, rng: random.Random, plan: Plan) -> None:
        self._rng, self._plan = rng, plan
        self._furthest = 0
        self._last: Start | None = None
        self.changes = 0

    def next(self, running: Iterable[int]) -> Start:
        """`running` are the steps of the processes that run now."""
        rng, plan = self._rng, self._plan
        if not plan.is_changed:
            return self._start(0, HOST, plan.policies)
        # Never back to where what was sealed since cannot be opened.
        least = max(self._furthest - 1, *(step - 1 for step in running), 0)
        most = min((step + 1 for step in running), default=self._furthest + 1)
        step = rng.randint(least, max(least, min(most, self._furthest + 1, 2)))
        start = self._start(step, rng.choices((HOST, OTHER_HOST), (3, 1))[0], rng.choices(plan.both, (3, 1))[0])
        self.changes += self._last not in (None, start)
        self._last, self._furthest = start, max(self._furthest, step)
        return start

    def may_finish(self, running: Iterable[int]) -> bool:
        """The old key may go: all is read that was sealed or signed with it, and nobody writes with it any more."""
        return all(step == len(ROTATION) - 2 for step in running)

    def finish(self) -> None:
        """From now on the old key is gone."""
        self._furthest = len(ROTATION) - 1

    def _start(self, step: int, host: str, policies: Policies) -> Start:
        step = max(step, self._furthest) if self._furthest == len(ROTATION) - 1 else step
        return Start(_SETTINGS[self._plan.terms, step, host], _TRUST[step], policies, step)


LAYOUTS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (STAGES,),
    (STAGES, STAGES),
    (STAGES, STAGES, STAGES),
    tuple((stage,) for stage in STAGES),
    (("intake", "validation"), ("approval", "execution"), ("approval", "execution")),
)


def harsh_plan(rng: random.Random, parts: Parts, **more: Any) -> Plan:
    """Everything goes wrong, in bursts or for long: for the planted mistakes."""
    faults = Faults(
        crash=rng.choice((0.004, 0.01, 0.03)),
        cut_off=rng.choice((0.0, 0.02)),
        hold_back=rng.choice((0.0, 0.03, 0.15)),
        slow_events=rng.choice((0.0, 2.0)),
        freeze=rng.choice((0.0, 0.02)),
    )
    given: dict[str, Any] = {
        "requests": rng.choice((20, 30)),
        "faults": faults,
        "layout": rng.choice(LAYOUTS[1:]),
        "within_s": rng.choice((4.0, 40.0)),
        "parts": parts,
    }
    return Plan(**(given | more))


def random_plan(rng: random.Random) -> Plan:
    """The plan of a seed."""
    harsh = rng.random() < 0.5
    # Where all topics are slow, little comes to pass that a late write could spoil; so often it is one table's.
    held_topic = rng.choice((None, None, None, DESK, INTENTS, RESULTS))
    faults = Faults(
        crash=rng.choice((0.0, 0.005, 0.02, 0.05)) if harsh else 0.002,
        cut_off=rng.choice((0.0, 0.004, 0.01)),
        hold_back=rng.choice((0.0, 0.0, 0.005, 0.02) if held_topic is None else (0.1, 0.3)),
        slow=rng.choice((0.0, 0.05, 0.3)),
        slow_events=rng.choice((0.0, 0.0, 0.5, 2.0)),
        freeze=rng.choice((0.0, 0.0, 0.004, 0.01)),
        held_s=rng.choice((SOON_S, LATE_S)),
        held_topic=held_topic,
        fail=rng.choice((0.0, 0.0, 0.0, 0.005)),
        twice=rng.choice((0.0, 0.0, 0.0, 0.02)),
        again=rng.choice((0.0, 0.0, 0.1)),
    )
    policies = {kind: Policy(expires_after_s=rng.choice((3, 60, 2_592_000))) for kind in RequestType}
    policies[RequestType.EARN_BADGE] = Policy(auto_approve=rng.random() < 0.3)
    began_s = rng.uniform(0, 20)
    terms, pauses_s = SHORT, tuple[float | None, ...]()
    if rng.random() < 0.2:
        terms, pauses_s = DAYS, tuple(rng.choice(PAUSES_S) for _ in range(rng.randint(1, 3)))
    # Where days go by, intake reads more often again, also with other settings, what was forgotten meanwhile.
    rewinds = rng.choices(("intake", *STAGES), k=rng.randint(1, 2))
    return Plan(
        requests=rng.randint(6, 14) // (1 + len(pauses_s)) + 1,
        faults=faults,
        layout=rng.choice(LAYOUTS),
        policies=Policies(policies),
        terms=terms,
        pauses_s=pauses_s,
        is_changed=rng.random() < (0.6 if pauses_s else 0.3),
        is_compacted=rng.random() < 0.5,
        rewinds=tuple(dict.fromkeys(rewinds)) if rng.random() < (0.6 if pauses_s else 0.2) else (),
        away_s=(began_s, began_s + rng.choice((0, 0, 5, 30))),
        crash_late=rng.choice((0.0, 0.02, 0.1)),
    )
