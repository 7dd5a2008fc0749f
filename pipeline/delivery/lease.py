"""Whose partitions are they? The proof that the broker cannot have given them to somebody else.

Faust and aiokafka go on working after a long pause until they happen to notice that the group went on without them; a
resumed zombie then overwrites its successor's state and repeats its calls. The lease is counted from the moment at
which the last *accepted* heartbeat was sent, on a clock that also runs while the machine is suspended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from aiokafka.errors import CommitFailedError
from aiokafka.protocol.commit import OffsetCommitRequest

from pipeline.delivery.failure import DeliveryError

NO_GENERATION: int = OffsetCommitRequest.DEFAULT_GENERATION_ID
Result = TypeVar("Result")


class LeaseLost(DeliveryError):
    """The group may have given our partitions to somebody else: nothing may be written any more."""


class Books(Protocol):
    """Which generation's partitions are being worked on; None: none."""

    @property
    def generation(self) -> int | None: ...


def boot_clock() -> float:
    """Seconds since the machine started, suspension included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """Watches the coordinator of one consumer. `name` is the group's, for what is said in errors."""

    def __init__(self, name: str, session_s: float, books: Books, clock: Callable[[], float] = boot_clock) -> None:
        self.name, self.session_s = name, session_s
        self.granted_at = 0.0  # when the last accepted heartbeat was sent
        self._books, self._clock = books, clock
        self._coordinator: Any = None
        self._news = asyncio.Event()

    @property
    def generation(self) -> int:
        """The group's, as far as we know."""
        return self._coordinator.generation if self._coordinator is not None else NO_GENERATION

    def is_lost(self) -> bool:
        """True from the moment we know. A lease that merely ran out may still be renewed."""
        return self.generation != self._books.generation

    def left_s(self) -> float:
        """Seconds for which our partitions are certainly ours; also during a rebalance that still waits for us."""
        return 0.0 if self.is_lost() else max(0.0, self.granted_at + self.session_s - self._clock())

    async def certain(self) -> None:
        """Returns when the partitions are certainly ours: at once, normally. A broker that is away is waited for, one
        session long; to have been expelled is final. Raises LeaseLost.
        """
        give_up_at = self._clock() + self.session_s
        while self.left_s() <= 0:
            if self.is_lost():
                raise LeaseLost(f"{self.name}: the group went on without us; starting again as a new member")
            wait_s = give_up_at - self._clock()
            if wait_s <= 0 or not await self._heard(wait_s):
                raise LeaseLost(f"{self.name}: no heartbeat accepted for {self.session_s:.0f} s; is the broker there?")

    async def hold(self, work: Awaitable[Result]) -> Result:
        """Waits for this work while the lease lasts, renewals included. Raises LeaseLost when it runs out first."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=self._left_or_lost())
        except BaseException:
            task.add_done_callback(_ignored)
            task.cancel()
            raise
        return task.result()

    def _left_or_lost(self) -> float:
        if (left_s := self.left_s()) <= 0:
            raise LeaseLost(f"{self.name}: a write is unanswered and the lease has run out; it may come again")
        return left_s

    def watch(self, coordinator: Any) -> None:
        """Learn from every heartbeat and join. aiokafka has no hook here: three methods of this one coordinator are
        wrapped.
        """
        self._coordinator = coordinator
        coordinator._do_heartbeat = self._watched_heartbeat(coordinator._do_heartbeat)
        coordinator._do_rejoin_group = self._watched_join(coordinator._do_rejoin_group)
        coordinator._do_commit_offsets = self._guarded_commit(coordinator._do_commit_offsets)

    async def _heard(self, within_s: float) -> bool:
        self._news.clear()
        try:
            async with asyncio.timeout(within_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _granted(self, sent_at: float) -> None:
        self.granted_at = max(self.granted_at, sent_at)
        self._news.set()

    def _watched_heartbeat(self, heartbeat: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
        async def watched() -> bool:
            sent_at = self._clock()
            accepted = await heartbeat()
            if accepted:
                self._granted(sent_at)
            elif self.is_lost():  # expelled: the client has dropped its generation
                self._news.set()
            return accepted  # no answer at all: the lease just runs out

        return watched

    def _watched_join(self, join: Callable[[Any], Awaitable[bool]]) -> Callable[[Any], Awaitable[bool]]:
        async def watched(subscription: Any) -> bool:
            joined = await join(subscription)
            if joined:
                # A join waits for dead members to expire, so it can take a whole session, and counted from its sending
                # the lease would end as it begins: every write under way then would end the process. So ask at once.
                await self._coordinator._do_heartbeat()
            return joined

        return watched

    def _guarded_commit(self, commit: Callable[[Any, Any], Awaitable[None]]) -> Callable[[Any, Any], Awaitable[None]]:
        async def guarded(assignment: Any, offsets: Any) -> None:
            # aiokafka repeats a commit until it gets through, each time with the generation of the moment: offsets of
            # an earlier assignment, committed under a newer one, would move somebody else's progress backwards.
            if self.generation != self._books.generation:
                raise CommitFailedError("the assignment these offsets belong to has ended")
            await commit(assignment, offsets)

        return guarded


def _ignored(task: asyncio.Future[Any]) -> None:
    """Take notice of how it ended, or asyncio complains that nobody did."""
    if not task.cancelled():
        task.exception()
