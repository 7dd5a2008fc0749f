"""People who find out what became of a call in doubt: they look it up and say so, some of them without any right.

They wait until nothing can be on its way any more, as an operator would, and only one of them takes on a doubt: two who
know different things would be a mistake of theirs.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from builders import a_resolution
from simulation.inputs import ORG, ORGS
from simulation.log import PARTITIONS, Log
from simulation.workload import token

from pipeline.domain.messages import DECISIONS_SUBMITTED, EVENTS

OPERATORS = (31, 32)
RIGHTS = ("CanResolve",)


@dataclass(slots=True)
class Resolving:
    """A resolution as published. `reason` is None for one that counts; else why it cannot."""

    request_id: str
    decision: str
    api_request_id: str
    reason: str | None
    place: tuple[int, int]
    org: int = ORG
    time_ms: int = 0


class Operators:
    """Follow the events until they are told to rest. `looks_up` says whether Intouch did it."""

    def __init__(self, rng: random.Random, log: Log, looks_up: Callable[[str], bool]) -> None:
        self.rng, self.log, self.looks_up = rng, log, looks_up
        self.hasty = 0.1  # how many speak before anybody doubts
        self.said: list[Resolving] = []
        self._seen: set[str] = set()
        self._speaking: set[asyncio.Task[None]] = set()
        self._following: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._following = [asyncio.ensure_future(self._follow(partition)) for partition in range(PARTITIONS)]

    async def rest(self) -> None:
        """Take nothing on any more; returns when the last of them has spoken."""
        for task in self._following:
            task.cancel()
        while self._speaking:
            await asyncio.wait(self._speaking)

    async def _follow(self, partition: int) -> None:
        position = 0
        while True:
            await self.log.beyond(EVENTS, partition, position)
            for record in self.log.read(EVENTS, partition, position):
                position = record.offset + 1
                self._see(json.loads(record.value or b""), dict(record.headers))

    def _see(self, event: Any, headers: dict[str, bytes]) -> None:
        if event["eventId"] in self._seen:
            return
        self._seen.add(event["eventId"])
        is_in_doubt = headers.get("rw-reason") == b"in-doubt"
        is_early = event["data"]["currentRequestState"] == "AdminTask" and self.rng.random() < self.hasty
        if self._cares(is_in_doubt=is_in_doubt) or is_early:
            data = event["data"] | {"orgId": event["orgId"]}
            task = asyncio.ensure_future(self._speak(data, is_in_doubt=is_in_doubt))
            self._speaking.add(task)
            task.add_done_callback(self._speaking.discard)

    def _cares(self, *, is_in_doubt: bool) -> bool:
        return is_in_doubt and self.rng.random() < 0.7

    async def _speak(self, data: Any, *, is_in_doubt: bool) -> None:
        rng, request_id, org = self.rng, data["requestId"], {"org": data["orgId"]}
        cases: list[tuple[str, dict[str, Any]]] = [
            ("no-right", {"rights": ("CanCheckRequest",)}),
            ("maker-is-checker", {"user": data["requesterId"]}),
            ("wrong-org", {"org": sum(ORGS) - data["orgId"]}),
        ]
        await asyncio.sleep(rng.uniform(8, 12) if is_in_doubt else 0.0)
        if not is_in_doubt:
            self._say(request_id, "succeeded", "not-in-doubt", org)
            return
        for reason, how in cases:
            if rng.random() < 0.15:
                self._say(request_id, rng.choice(("succeeded", "failed", "retry")), reason, org | how)
        is_done, errs = self.looks_up(request_id), rng.random() < 0.03
        decision = "failed" if errs else "succeeded"
        if not is_done:
            decision = "succeeded" if errs else rng.choice(("failed", "retry"))
        for _ in range(2 if rng.random() < 0.15 else 1):  # two say the same at the same time: one of them counts
            self._say(request_id, decision, None, org)

    def _say(self, request_id: str, decision: str, reason: str | None, how: dict[str, Any]) -> None:
        org, user = how.get("org", ORG), how.get("user", self.rng.choice(OPERATORS))
        api_request_id = f"f{len(self.said):031x}"  # those of makers and checkers begin with 0
        value = a_resolution(request_id, decision)
        value["payload"]["IntouchAPITask-Payload"]["actionMessage"] = f"because {api_request_id}"
        headers = (
            ("X-CAP-UI-AUTH-TOKEN", token(user, org, how.get("rights", RIGHTS), now_ms=self.log.now_ms())),
            ("X-CAP-API-AUTH-ORG-ID", str(org).encode()),
            ("X-CAP-REQUEST-ID", api_request_id.encode()),
        )
        partition = self.rng.randrange(PARTITIONS)
        place = (partition, self.log.end(DECISIONS_SUBMITTED, partition))
        self.log.publish(DECISIONS_SUBMITTED, b"any", json.dumps(value).encode(), headers, partition)
        self.said.append(Resolving(request_id, decision, api_request_id, reason, place, org, self.log.now_ms()))
