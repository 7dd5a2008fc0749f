"""Execution at work without Kafka: the real stage, pump, timekeeper, gate and client, on a log that lives in lists.

A `Due` that is posted comes out of the inbox at once. Pauses and waits are counted by a clock that runs many times
faster than ours; only the time of a call is real.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from builders import PASSWORD, T0
from delivery.doubles import ShelfTable, World
from wiring import an_execution, signed

from pipeline.domain.messages import EVENTS, EXECUTION_INBOX, Approved
from pipeline.domain.origins import AllowList
from pipeline.domain.tries import Terms
from pipeline.intouch.backoff import backoff_ms
from pipeline.intouch.client import Client
from pipeline.intouch.gate import Gate
from pipeline.postings import Posting
from pipeline.stages import Arrival, Stage
from pipeline.surroundings import Delivered, Limits, Surroundings

SPEED = 40  # seconds of the world's clock in one of ours
LIMITS = Limits(look_s=0.02, look_again_s=0.02, look_share=1.0)
DEADLINE_S = 20.0


class CallWorld(World):
    """Approve requests, wait for what becomes of them; `ends` holds what was told, a text for each event."""

    def __init__(self, origins: Sequence[str], *, terms: Terms, timeout_s: float) -> None:
        self._began_s = time.monotonic()
        self._offsets = itertools.count()
        self.news = asyncio.Event()
        self.ends: dict[str, list[str]] = {}
        self.client = Client(
            allowed=AllowList(origins),
            open_headers=lambda _call: (("Authorization", PASSWORD),),
            time_ms=self.time_ms,
            timeout_s=timeout_s,
            backoff_ms=backoff_ms,
        )
        gate = Gate(self.time_s, origins=origins)
        stage = an_execution(hosts=tuple(origins), terms=terms, is_away=gate.is_away, partition=0)
        super().__init__(stage, LIMITS, gate=gate)

    def _surroundings(self, stage: Stage) -> Surroundings:
        return replace(
            super()._surroundings(stage),
            tables=[ShelfTable(table) for table in stage.tables],
            caller=self.client,
            clock=time.monotonic,
            time_ms=self.time_ms,
            survey=self._survey,
        )

    def time_s(self) -> float:
        """The world's clock."""
        return T0 / 1000 + 2 + (time.monotonic() - self._began_s) * SPEED

    def time_ms(self) -> int:
        return round(self.time_s() * 1000)

    def _survey(self, census: Any) -> None:
        self.censuses.append(census)
        self.news.set()

    def approve(self, approved: Approved) -> None:
        """A checker's word has come to execution."""
        self._deliver(signed(approved))

    def _deliver(self, arrival: Arrival) -> None:
        """The record, at the end of the inbox."""
        now_ms = self.time_ms()
        placed = arrival._replace(partition=0, offset=next(self._offsets), time_ms=now_ms, seen_ms=now_ms)
        self.pump.feed([Delivered(placed, time.monotonic())])

    async def post(self, postings: Sequence[Posting]) -> Sequence[Awaitable[Any]]:
        answers = await super().post(postings)
        for posting in postings:
            if posting.topic == f"t.{EXECUTION_INBOX}":
                due = Arrival(EXECUTION_INBOX, 0, 0, posting.key, 0, posting.value, (), is_broker_time=True, seen_ms=0)
                self._deliver(due)
            elif posting.topic == f"t.{EVENTS}":
                self.ends.setdefault(posting.key.decode(), []).append(_told(posting))
                self.news.set()
        return answers

    async def when(self, what: Callable[[], bool]) -> None:
        """Returns as soon as this holds; asked whenever something is told, and at every look of the timekeeper."""
        async with asyncio.timeout(DEADLINE_S):
            while not what():
                assert self.fatal == []
                self.news.clear()
                await self.news.wait()

    async def stop(self) -> None:
        await self.pump.stop()
        await self.client.close()


def _told(posting: Posting) -> str:
    """`approved`, `failed: refused`, `IntouchAPITask: in-doubt`."""
    state = json.loads(posting.value or b"")["data"]["currentRequestState"]
    reason = dict(posting.headers).get("rw-reason")
    return state if reason is None else f"{state}: {reason.decode()}"
