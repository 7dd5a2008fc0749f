"""Worlds with one request and one fate, for crash points that are enumerated and not drawn."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from builders import a_submission, changed
from simulation.faults import Faults
from simulation.intouch import DONE, NOT_NOW, REFUSED, SILENT, SILENT_DONE, UNREACHED, Answer, Weights
from simulation.operators import OPERATORS, Operators
from simulation.plans import Plan
from simulation.seat import Parts
from simulation.workload import CANARY, CHECKERS, MAKERS, ORG, Wish, Word, Workload
from simulation.world import Verdict, simulate

from pipeline.domain.policy import Policies, Policy
from pipeline.domain.request_types import RequestType
from pipeline.settings import STAGES


class Fate(NamedTuple):
    """What becomes of a request, and why: what Intouch says first and always, and what a person says of a doubt."""

    decision: str | None = "approved"
    script: tuple[Answer, ...] = ()
    intouch: Weights = ((DONE, 1),)
    resolution: str | None = None


DOUBT: Weights = ((SILENT, 1), (SILENT_DONE, 1))
FATES = {
    "approved": Fate(),
    "rejected": Fate("rejected"),
    "refused by Intouch": Fate(intouch=((REFUSED, 1),)),
    "unknown": Fate(intouch=DOUBT),
    "invalid": Fate(None),
    "auto-approved": Fate(None),
    "tried again": Fate(script=(NOT_NOW,)),
    "away": Fate(script=(UNREACHED, UNREACHED)),
    "resolved as succeeded": Fate(intouch=((SILENT_DONE, 1),), resolution="succeeded"),
    "resolved as failed": Fate(intouch=((SILENT, 1),), resolution="failed"),
    "resolved by a retry": Fate(script=(SILENT,) * 3, resolution="retry"),
}
TOGETHER, APART = (STAGES,), tuple((stage,) for stage in STAGES)
EARLY = 8  # every two of the first so many effects are asked, too
# A call that must not be repeated and one that may be: what types differ in otherwise is no matter of crashes.
BOTH_MANNERS = (RequestType.GOODWILL_POINTS, RequestType.EARN_BADGE)


def traffic_of(kind: RequestType, fate: str) -> Any:
    """The workload's class for one submission of this type and the decision that belongs to its fate."""

    class Script(Workload):
        def _wish(self, _number: int) -> Wish:
            value = a_submission(kind, hostname=self.host, headers={"Authorization": CANARY})
            if fate == "invalid":
                value = changed(value, "payload.IntouchAPITask-Payload.path", "/elsewhere")
            told = "refused" if fate == "invalid" else "good"
            return Wish(told, MAKERS[0], self._next_id(), json.dumps(value).encode())

        def _see(self, record: Any) -> None:
            data = json.loads(record.value)["data"]
            if data["currentRequestState"] != "AdminTask" or data["requestId"] in self._planned:
                return
            self._planned[data["requestId"]] = data["requestId"], ORG
            if decision := FATES[fate].decision:
                self._say(Word(data["requestId"], decision, CHECKERS[0], self._next_id(), None), {})

        async def run(self, within_s: float) -> None:
            await super().run(within_s)
            await asyncio.sleep(2)

    return Script


def operators_of(fate: str) -> Any:
    """The operators' class: one of them says one thing about a doubt, as soon as nothing can be on its way."""

    class Script(Operators):
        async def _speak(self, data: Any, *, is_in_doubt: bool) -> None:
            await asyncio.sleep(8)
            if is_in_doubt and FATES[fate].resolution and not self.said:
                self._say(data["requestId"], FATES[fate].resolution or "", None, {"user": OPERATORS[0]})

        def _cares(self, *, is_in_doubt: bool) -> bool:
            return is_in_doubt

    return Script


class Point(NamedTuple):
    """One world: a request, and the effects (counted from 1) at which the process ends."""

    kind: RequestType
    fate: str
    layout: tuple[tuple[str, ...], ...]
    crash_at: tuple[int, ...] = ()


def plan_of(point: Point) -> Plan:
    """One request, nothing drawn but delays."""
    kind, name, layout, crash_at = point
    fate = FATES[name]
    policies = Policies({kind: Policy(auto_approve=True)}) if name == "auto-approved" else Policies()
    return Plan(
        requests=1,
        faults=Faults(crash_at=crash_at),
        layout=layout,
        policies=policies,
        parts=Parts(looks_for_late_writes=False),  # there are none
        traffic=traffic_of(kind, name),
        operators=operators_of(name),
        within_s=0.1,
        intouch=fate.intouch,
        script=fate.script,
    )


def at_point(point: Point) -> Verdict:
    """One request of one fate with always the same delays, and the process ends where the point says."""
    verdict = simulate(f"{point.kind}/{point.fate}", plan_of(point))
    where = ", ".join(map(str, point.crash_at))
    return replace(verdict, seed=f"{point.kind}, {point.fate}, {len(point.layout)} processes, crash at effect {where}")


def quiet_points() -> list[Point]:
    """Every type and fate in one process, both manners of call also in one process per stage; nothing goes wrong."""
    whole = itertools.product(RequestType, FATES, (TOGETHER,))
    apart = itertools.product(BOTH_MANNERS, FATES, (APART,))
    return [Point(*one) for one in (*whole, *apart)]


def crash_points(point: Point, effects: int) -> Iterator[Point]:
    """Every effect and the first two; in one process for both manners every two in a row, and every two early ones."""
    each = range(1, effects + 1)
    pairs: set[tuple[int, ...]] = {(1, 2)}
    if point.layout == TOGETHER and point.kind in BOTH_MANNERS:
        pairs |= {(at, at + 1) for at in each} | set(itertools.combinations(range(1, EARLY + 1), 2))
    for crash_at in [*((at,) for at in each), *sorted(pairs)]:
        yield point._replace(crash_at=crash_at)
