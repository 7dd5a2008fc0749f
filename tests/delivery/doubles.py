"""A small world for the pump, written by hand: an inbox, a log, a table, a lease and a caller that wait to be told.

Nothing here sleeps. What the pump posts becomes durable when the test says so, so a test can stop the world between
any two effects and look.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from delivery.trial import DEAD, EVENTS, INBOX, OUT, TABLE, Said
from prometheus_client import CollectorRegistry, Counter, Histogram

from pipeline.delivery.memory import Shelf
from pipeline.postings import Outlet, Posting
from pipeline.runner import Pump
from pipeline.stages import Arrival, Headers, Memory, Note, Stage, Step, Write
from pipeline.surroundings import Census, Delivered, Limits, OpenGate, Surroundings


class NoStamp:
    """Signs nothing."""

    def __call__(self, topic: str, key: bytes, value: bytes) -> Headers:
        del topic, key, value
        return ()


class Paper:
    """The two metrics of the pump, in a registry of their own."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.messages = Counter("rw_messages_total", "by stage and outcome", ["stage", "outcome"], registry=registry)
        self.message_seconds = Histogram("rw_message_seconds", "by stage", ["stage"], registry=registry)


class ShelfTable:
    """The product's own shelf, as a table with one partition and without Faust."""

    def __init__(self, table: str = TABLE) -> None:
        self.changelog = f"t.{table}"
        self.shelf = Shelf()

    def recall(self, partition: int, key: bytes) -> bytes | None:
        assert partition == 0
        return self.shelf.recall(key)

    def partitions(self) -> list[int]:
        return [0]

    def everything(self, partition: int) -> Iterator[tuple[bytes, bytes]]:
        assert partition == 0
        return self.shelf.items()

    def note(self, partition: int, key: bytes, at: int, value: bytes | None) -> bool:
        assert partition == 0
        return self.shelf.note(key, at, value)


class Doors:
    """A gate that does what a test tells it, and notes who asks, enters and leaves."""

    def __init__(self) -> None:
        self.away: set[str] = set()  # hosts whose calls had better not begin
        self.waits_s: dict[str, list[float]] = {}  # what the next askers of a host are told; then they may enter
        self.full: set[str] = set()  # hosts that let nobody in
        self.asked: list[str] = []
        self.inside: list[Any] = []
        self.left: list[tuple[Any, Any]] = []

    def holds(self, call: Any) -> bool:
        return call.host in self.away

    def enter(self, call: Any) -> float:
        self.asked.append(call.host)
        if call.host in self.full:
            return math.inf
        if waits_s := self.waits_s.get(call.host):
            return waits_s.pop(0)
        self.inside.append(call)
        return 0.0

    def leave(self, call: Any, outcome: Any) -> None:
        self.inside.remove(call)
        self.left.append((call, outcome))


class World:
    """Everything around one pump. `log` holds what was posted, in order; `acknowledge` makes it durable."""

    def __init__(
        self, stage: Stage, limits: Limits | None = None, *, answers_at_once: bool = True, gate: Any = None
    ) -> None:
        self.log: list[Posting] = []
        self.posts: list[int] = []  # how many records were posted in one go
        self.finished: list[int] = []
        self.given_back: list[int] = []
        self.fatal: list[BaseException] = []
        self.calls: list[Any] = []
        self.outcomes: dict[bytes, asyncio.Future[bytes]] = {}
        self.table = ShelfTable()
        self.is_ours = True
        self.now_s, self.now_ms = 0.0, 1
        self.is_steady = True
        self.steps: list[Any] = []
        self.censuses: list[Census] = []
        self._answers_at_once = answers_at_once
        self._waiting: list[tuple[Posting, asyncio.Future[None]]] = []
        self._moving = asyncio.Event()
        self._is_stalling = False
        self.paper = Paper()
        self.gate = gate or OpenGate()
        self.pump = Pump(stage, self._surroundings(stage), limits)

    def _surroundings(self, stage: Stage) -> Surroundings:
        return Surroundings(
            source=self,
            poster=self,
            tables=[self.table] if stage.tables else [],
            outlet=Outlet("t.", 1, NoStamp()),
            certain=self._certain,
            clock=lambda: self.now_s,
            time_ms=lambda: self.now_ms,
            fatal=lambda _, exception: self.fatal.append(exception),
            meters=self.paper,
            caller=self._call,
            gate=self.gate,
            observe=self.steps.append,
            survey=self.censuses.append,
            is_steady=lambda: self.is_steady,
        )

    # -- what the pump asks for

    def finish(self, records: Sequence[Delivered]) -> None:
        self.finished += [record.arrival.offset for record in records]

    def give_back(self, records: Sequence[Delivered]) -> None:
        self.given_back += [record.arrival.offset for record in records]

    async def post(self, postings: Sequence[Posting]) -> Sequence[Awaitable[Any]]:
        if self._is_stalling:
            self._is_stalling = False
            await self._moving.wait()
        self.log += postings
        self.posts.append(len(postings))
        futures = [asyncio.get_running_loop().create_future() for _ in postings]
        self._waiting += zip(postings, futures, strict=True)
        if self._answers_at_once:
            self.acknowledge()
        return futures

    async def durable(self, answers: Sequence[Awaitable[Any]]) -> None:
        await asyncio.gather(*answers)

    async def _certain(self) -> None:
        if not self.is_ours:
            raise ConnectionError("not ours any more")

    async def _call(self, wanted: Any) -> Any:
        self.calls.append(wanted)
        return await self.outcomes.setdefault(wanted.key, asyncio.get_running_loop().create_future())

    # -- what a test does

    def stall(self) -> None:
        """The next batch of records is held up; those of other posters are not."""
        self._is_stalling = True

    def go_on(self) -> None:
        """What was held up goes on."""
        self._moving.set()

    def acknowledge(self, which: Callable[[Posting], bool] = lambda _: True) -> None:
        """These of what was posted are durable; all of it by default."""
        for posting, future in self._waiting:
            if which(posting):
                future.set_result(None)
        self._waiting = [(posting, future) for posting, future in self._waiting if not future.done()]

    def refuse(self) -> None:
        """The broker says no to everything that was posted."""
        for _, future in self._waiting:
            future.set_exception(ConnectionError("refused"))
        self._waiting.clear()

    def feed(self, *values: str, start: int = 0, key: bytes = b"k") -> None:
        records = [
            Delivered(
                Arrival(INBOX, 0, start + at, key, 1, value.encode(), (), is_broker_time=True, seen_ms=1), self.now_s
            )
            for at, value in enumerate(values)
        ]
        self.pump.feed(records)

    async def settle(self) -> None:
        """Let everything run that can run. Pure book-keeping settles within a few turns of the loop."""
        for _ in range(60):
            await asyncio.sleep(0)

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not what():  # noqa: ASYNC110 - the pump has no event for what tests ask
                await asyncio.sleep(0)

    def said(self) -> list[str]:
        """What was posted, as `kind value`; a tombstone's value is `-`."""
        return [f"{KINDS[p.topic]} {(p.value or b'-').decode()}" for p in self.log]


async def seen_meanwhile(world: World, finished: int) -> list[float]:
    """What the clock said, turn by turn of the loop, until so many records were finished."""
    seen = [world.now_s]
    while len(world.finished) < finished:
        await asyncio.sleep(0)
        seen.append(world.now_s)
    return seen


KINDS = {f"t.{TABLE}": "memory", f"t.{EVENTS}": "event", f"t.{OUT}": "handover", f"t.{DEAD}": "dead"}


def all_phases(arrival: Arrival, _: Memory, message: tuple[str, bytes]) -> Step:
    """A fold whose step uses every phase but the call; each value names the message."""
    key, text = arrival.key or b"-", message[1]
    return Step(
        Note("done", request_id="r1"),
        memory=(Write(TABLE, text),),
        events=(Said(EVENTS, key, text),),
        handovers=(Said(OUT, key, text),),
        afterwards=(Write(TABLE, b"small " + text),),
    )
