"""Worlds with one request and one fate, for crash points that are enumerated and not drawn."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import replace
from typing import Any

from builders import a_submission, changed
from simulation.cluster import Faults
from simulation.intouch import DONE, REFUSED, SILENT, SILENT_DONE
from simulation.workload import CANARY, CHECKERS, MAKERS, Wish, Word, Workload
from simulation.plans import Plan
from simulation.world import Verdict, simulate

from pipeline.domain.policy import Policies, Policy
from pipeline.domain.request_types import RequestType
from pipeline.settings import STAGES

FATES = ("approved", "rejected", "refused by Intouch", "unknown", "invalid", "auto-approved")


def traffic_of(kind: RequestType, fate: str) -> Any:
    """The workload's class for one submission of this type and the decision that belongs to its fate."""

    class Script(Workload):
        def _wish(self, _number: int) -> Wish:
            value = a_submission(kind, hostname=self.host, headers={"Authorization": CANARY})
            if fate == "invalid":
                value = changed(value, "payload.IntouchAPITask-Payload.path", "/elsewhere")
            body = value["payload"]["IntouchAPITask-Payload"]["body"]
            told = "refused" if fate == "invalid" else "good"
            return Wish(told, MAKERS[0], self._next_id(), json.dumps(value).encode(), body)

        def _see(self, record: Any) -> None:
            data = json.loads(record.value)["data"]
            if data["currentRequestState"] != "AdminTask" or data["requestId"] in self._planned:
                return
            self._planned[data["requestId"]] = data["requestId"]
            if fate == "auto-approved":
                return
            decision = "rejected" if fate == "rejected" else "approved"
            self._say(Word(data["requestId"], decision, CHECKERS[0], self._next_id(), None), {})

        async def run(self, within_s: float) -> None:
            await super().run(within_s)
            await asyncio.sleep(2)

    return Script


def plan_of(kind: RequestType, fate: str, crash_at: tuple[int, ...] = ()) -> Plan:
    """One request, one process, nothing drawn but delays; the process ends at these effects (counted from 1)."""
    ends = {"refused by Intouch": ((REFUSED, 1),), "unknown": ((SILENT, 1), (SILENT_DONE, 1))}.get(fate, ((DONE, 1),))
    policies = Policies({kind: Policy(auto_approve=True)}) if fate == "auto-approved" else Policies()
    plan = Plan(requests=1, layout=(STAGES,), policies=policies, within_s=0.1, intouch=ends)
    return replace(plan, traffic=traffic_of(kind, fate), faults=Faults(crash_at=crash_at))


Point = tuple[RequestType, str, tuple[int, ...]]


def at_point(point: Point) -> Verdict:
    """One request of one fate with always the same delays, and the process ends where the point says."""
    kind, fate, crash_at = point
    verdict = simulate(f"{kind}/{fate}", plan_of(kind, fate, crash_at))
    return replace(verdict, seed=f"{kind}, {fate}, crash at effect {', '.join(map(str, crash_at))}")


def crash_points() -> list[Point]:
    """Every effect of every type and fate, and every two effects in a row."""
    points: list[Point] = []
    for kind, fate in itertools.product(RequestType, FATES):
        effects = at_point((kind, fate, ())).counts.effects
        points += [(kind, fate, (at,)) for at in range(1, effects + 1)]
        points += [(kind, fate, (at, at + 1)) for at in range(1, effects + 1)]
    return points
