"""Chaos on a real broker of its own: requests and decisions flow while workers and the broker die, freeze and come
back; when all is quiet the auditor judges from the topics and from what the stand-in for Intouch saw.

`make chaos REQUESTS=… SECONDS=…` runs it and prints what was done and what was found; exit status 0 only without a
violation. Nothing is patched: faults are signals. What a fault is stands in `faults`, what is right in the auditor.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from broker.crew import Crew
from broker.deaths import audit_deaths
from broker.faults import Misfortune, timetable
from broker.judge import Lag, audit_rows, audit_search, gather
from broker.remains import audit_memory, remembered, waits_for_another_try
from broker.traffic import Traffic
from broker.world import World
from confluent_kafka import KafkaException
from simulation.auditor import Evidence, audit

from pipeline.local.broker import LocalBroker

SESSION_S = 6
LOAD_SHARE = 0.95  # of the time in which faults happen, requests are submitted
QUIET_LOOKS = 3  # so many in a row, a second apart, must find nothing under way
TOLD_EVERY_S = 10.0
SETTINGS = {"RW_KAFKA_SESSION_TIMEOUT_S": str(SESSION_S), "RW_INTOUCH_TIMEOUT_S": "5"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything. Seconds end in `_s`."""

    requests: int = 2000
    seconds_s: float = 60
    workers: int = 2
    fault_every_s: float = 6
    suspension_s: float = SESSION_S + 3
    drain_s: float = 180  # for everything to come to its end once the faults are over
    seed: int = 1


@dataclass
class Findings:
    """What was done in a run, and what the auditor found."""

    submitted: int = 0
    decisions: int = 0
    resolutions: int = 0
    kills: int = 0
    suspensions: int = 0
    outages: int = 0
    joins: int = 0
    exits: Counter[int] = field(default_factory=Counter)
    left: Counter[int] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    events: int = 0
    repeated: int = 0
    calls: int = 0
    letters: int = 0
    recovery_s: float = 0.0  # the worst time from a kill to the next request that ended
    took_s: float = 0.0
    violations: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What is printed."""
        endings = ", ".join(f"{count} {state}" for state, count in sorted(self.endings.items()))
        exits, left = dict(sorted(self.exits.items())), dict(sorted(self.left.items()))
        return [
            f"submitted             {self.submitted} submissions, in {self.took_s:.0f} s",
            f"decided, resolved     {self.decisions}, {self.resolutions}",
            f"ended                 {endings} (IntouchAPITask: in doubt)",
            f"calls seen            {self.calls}",
            f"dead letters          {self.letters}",
            f"events                {self.events}, of them {self.repeated} told again",
            f"kill -9 of workers    {self.kills}",
            f"suspensions           {self.suspensions} beyond the session of {SESSION_S} s",
            f"broker restarts       {self.outages}",
            f"joins, leaves         {self.joins}, {self.left.total()}",
            f"exit codes            {exits}, told to leave: {left}",
            f"kill to next ending   {self.recovery_s:.1f} s at worst",
            f"violations            {len(self.violations)}",
            *self.violations[:50],
        ]


class Run:
    """One run, from the first request to silence."""

    def __init__(self, plan: Plan, world: World, broker: LocalBroker, tell: Callable[[str], object]) -> None:
        self.plan, self.world, self.tell = plan, world, tell
        rng = random.Random(plan.seed)
        self.traffic = Traffic(world, random.Random(plan.seed + 1))
        self.crew = Crew(world, rng)
        for _ in range(plan.workers):
            self.crew.join()
        self.crew.joins = 0
        for seat in self.crew.seats:
            assert seat.worker is not None
            seat.worker.ready()
        table = timetable(rng, plan.seconds_s, plan.fault_every_s)
        self.began_at = time.monotonic()
        self.misfortune = Misfortune(self.crew, broker, table, plan.suspension_s)
        self.submitted = 0
        self._told_at = self.began_at
        self._pause = threading.Event()

    def go(self) -> Findings:
        """Faults and load until both are over, then silence, then the judgement."""
        while self.submitted < self.plan.requests or not self.misfortune.is_over:
            self.misfortune.look()
            self._look()
        late = self._silence()
        self.crew.end()
        evidence = gather(self.world, self.traffic)
        found = self._findings(evidence)
        found.violations = late + self.traffic.failures + audit(evidence) + self._beside(evidence)
        return found

    def _beside(self, evidence: Evidence) -> list[str]:
        """What the auditor does not see: calls as they came, what is remembered, how the workers ended."""
        last = self._last_states(evidence)
        logs = [(worker.log, worker.popen.returncode) for worker in self.world.workers]
        return [
            *audit_rows(list(self.world.intouch.stand_in.calls), evidence.told),
            *audit_memory(last, remembered(self.world)),
            *audit_deaths(logs, len(self.crew.kills_ms), self.crew.left.total()),
            *audit_search(self.world),
        ]

    def _look(self) -> None:
        self.crew.look()
        elapsed_s = time.monotonic() - self.began_at
        due = min(1.0, elapsed_s / (self.plan.seconds_s * LOAD_SHARE)) * self.plan.requests
        while self.submitted < due:
            self.traffic.submit()
            self.submitted += 1
        self.traffic.look()
        if time.monotonic() - self._told_at > TOLD_EVERY_S:
            self._told_at = time.monotonic()
            ended, kills = len(self.traffic.ended), len(self.crew.kills_ms)
            self.tell(f"{elapsed_s:5.0f} s: {self.submitted} submitted, {ended} ended, {kills} kills")
        self._pause.wait(0.02)

    def _silence(self) -> list[str]:
        """Waits until nothing is under way; a sentence when it does not come."""
        lag, last, quiet = Lag(self.world), -1, 0
        deadline, next_at = time.monotonic() + self.plan.drain_s, 0.0
        try:
            while quiet < QUIET_LOOKS:
                self._look()
                if time.monotonic() < next_at:
                    continue
                behind, written = self._lag(lag)
                is_quiet = behind == 0 and written == last and self.traffic.is_idle
                quiet, last, next_at = quiet + 1 if is_quiet else 0, written, time.monotonic() + 1
                if quiet == QUIET_LOOKS and waits_for_another_try(self.world):
                    quiet = 0
                if time.monotonic() > deadline:
                    return [f"not quiet within {self.plan.drain_s:.0f} s: {behind} records behind"]
        finally:
            lag.close()
        return []

    def _lag(self, lag: Lag) -> tuple[int, int]:
        try:
            return lag.look()
        except KafkaException:  # a group that looks for its coordinator after an outage
            return -1, -1

    def _findings(self, evidence: Evidence) -> Findings:
        event_ids = [one.event["eventId"] for one in evidence.told]
        return Findings(
            submitted=len(self.traffic.wishes),
            decisions=len(self.traffic.words),
            resolutions=len(self.traffic.resolutions),
            kills=len(self.crew.kills_ms),
            suspensions=self.crew.suspensions,
            outages=self.misfortune.outages.count,
            joins=self.crew.joins,
            exits=self.crew.exits,
            left=self.crew.left,
            endings=Counter(self._last_states(evidence).values()),
            events=len(event_ids),
            repeated=len(event_ids) - len(set(event_ids)),
            calls=len(evidence.attempts),
            letters=len(evidence.letters),
            recovery_s=self._recovery_s(),
            took_s=time.monotonic() - self.began_at,
        )

    def _last_states(self, evidence: Evidence) -> dict[str, str]:
        """What each request came to; what is told again counts where it was told first."""
        last: dict[str, str] = {}
        seen: set[str] = set()
        for event in (one.event for one in evidence.told if one.kind == "state"):
            if event["eventId"] not in seen:
                seen.add(event["eventId"])
                last[event["data"]["requestId"]] = event["data"]["currentRequestState"]
        return last

    def _recovery_s(self) -> float:
        """The worst time from a kill to the next request that ended, by the broker's clock, which is this machine's."""
        ended = sorted(one.at_ms for one in self.traffic.ended.values())
        after = [next((at - kill for at in ended if at >= kill), 0) for kill in self.crew.kills_ms]
        return max(after, default=0) / 1000


def chaos(plan: Plan, folder: Path, tell: Callable[[str], object]) -> Findings:
    """A whole run on a broker of its own; the workers' logs are left in the folder."""
    with LocalBroker() as broker:
        world = World(broker.bootstrap, "chaos.", folder, **SETTINGS)
        try:
            world.create_topics()
            return Run(plan, world, broker, tell).go()
        finally:
            world.close()


def main() -> int:
    """The command; progress goes to stderr, the result to stdout."""
    parser = argparse.ArgumentParser(prog="python -m broker.chaos", description=__doc__)
    usual = Plan()
    parser.add_argument("--requests", type=int, default=usual.requests)
    parser.add_argument("--seconds", type=float, default=usual.seconds_s)
    parser.add_argument("--seed", type=int, default=usual.seed)
    given = parser.parse_args()
    plan = Plan(requests=given.requests, seconds_s=given.seconds, seed=given.seed)
    folder = Path(tempfile.mkdtemp(prefix="request-workflow-chaos-"))
    found = chaos(plan, folder, lambda line: sys.stderr.write(f"{line}\n"))
    sys.stdout.write("\n".join([*found.lines(), f"logs of the workers   {folder}", ""]))
    return 1 if found.violations else 0


if __name__ == "__main__":
    sys.exit(main())
