"""One process: what it sends, where it may end, and what becomes of what it had sent when it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka.errors import KafkaError
from simulation.seat import Seat
from simulation.standstill import inside

from pipeline.delivery.lease import LeaseLost
from pipeline.postings import Posting, Stamp
from pipeline.stages import Stage
from pipeline.surroundings import Gate


class PublishFailed(KafkaError):
    """The broker's answer to a record is an error: the process must end, with nothing acknowledged."""


class StillRunning(Exception):
    """It went on after it should have ended."""


GIVES_UP_S = 1.0  # a process whose publish failed has ended by then


class Node:
    """One process. `opened` gives the credentials of a call in clear, as its own keys open them."""

    def __init__(self, stages: Sequence[Stage], program: Any, cluster: Any) -> None:
        self.cluster, self.program = cluster, program
        self.stamp: Stamp = program.stamp
        self.gate: Gate = program.gate
        self.opened: Callable[[Any], Any] = program.opened
        self.is_dead = self.is_cut_off = False
        self.thawed = asyncio.Event()
        self.thawed.set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sending: dict[asyncio.Future[None], tuple[asyncio.TimerHandle, Posting]] = {}
        self._kept_back: list[tuple[Posting, asyncio.Future[None]]] = []  # in the producer's hands when it froze
        self._free_s: dict[tuple[str, int], float] = {}  # the producer keeps its order, in each partition
        self._broken: set[tuple[str, int]] = set()  # a record was refused, so the broker takes none that follow it
        self.seats = [Seat(stage, self) for stage in stages]
        with inside(self):
            for seat in self.seats:
                seat.start()

    @property
    def is_frozen(self) -> bool:
        return not self.thawed.is_set()

    @property
    def is_out_of_reach(self) -> bool:
        """For the broker: it does not answer, and nobody knows whether it lives."""
        return self.is_dead or self.is_cut_off or self.is_frozen

    @property
    def is_sending(self) -> bool:
        """Something may still come."""
        return bool(self._sending)

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        with inside(self):
            task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exception := task.exception()) is not None:
            self.crash(exception)

    def effect(self) -> None:
        """A place where the process may end, stand still, or be cut off from its groups."""
        if self.cluster.is_fatal(self):
            self.crash(None)
            raise asyncio.CancelledError

    # -- standing still

    def freeze(self, seconds: float) -> None:
        """It goes no step further, and nothing leaves it, until it thaws."""
        if not self.is_frozen and not self.is_dead:
            self.thawed.clear()
            asyncio.get_running_loop().call_later(seconds, self._thaw)

    def _thaw(self) -> None:
        """What the producer held leaves at once, before anybody looks at the clock; unless the producer itself does."""
        self.thawed.set()
        if self._kept_back and self.cluster.parts.asks_before_sending and self._has_lost():
            self.crash(LeaseLost("what the producer held is not sent any more"))
        kept_back, self._kept_back = self._kept_back, []
        for posting, answer in kept_back:
            if not self.is_dead:
                self._land(posting, answer)

    def _has_lost(self) -> bool:
        return any(seat.lease.left_s() <= 0 for seat in self.seats)

    # -- sending

    def send(self, postings: Sequence[Posting]) -> list[asyncio.Future[None]]:
        """Before, in the middle of, or after it the process may end."""
        self.effect()
        answers = [self._send(posting) for posting in postings]
        self.effect()
        return answers

    def _send(self, posting: Posting) -> asyncio.Future[None]:
        loop, cluster = asyncio.get_running_loop(), self.cluster
        place = (posting.topic, posting.partition)
        self._free_s[place] = max(self._free_s.get(place, 0.0) + 1e-6, loop.time() + cluster.latency(posting))
        answer = loop.create_future()
        self._sending[answer] = loop.call_at(self._free_s[place], self._land, posting, answer), posting
        return answer

    def _land(self, posting: Posting, answer: asyncio.Future[None]) -> None:
        """In the log, perhaps twice, or refused. A frozen process has not sent yet what would land now."""
        if self.is_frozen and not self.is_dead:
            self._kept_back.append((posting, answer))
            return
        del self._sending[answer]
        place = (posting.topic, posting.partition)
        times, is_refused = (0, True) if place in self._broken else self.cluster.copies(posting)
        self._broken |= {place} if is_refused else set()
        for _ in range(times):
            self.cluster.log.append(posting)
        if self.is_dead or answer.done():  # a look for what is due may be called off by a rebalance: nobody hears of it
            return
        if is_refused:
            asyncio.get_running_loop().call_later(GIVES_UP_S, self._must_have_ended)
            answer.set_exception(PublishFailed())
        else:
            answer.set_result(None)

    def _must_have_ended(self) -> None:
        if not self.is_dead and not self.is_frozen:
            self.crash(StillRunning("a process went on after a failed publish"))

    # -- the end

    def crash(self, exception: BaseException | None) -> None:
        """As kill -9: memory is gone. What was sent and has not landed may land later, or never, in its order."""
        if self.is_dead:
            return
        self.is_dead = True
        self.cluster.crashed(self, exception)
        self._lose_some()
        tasks = [*self._tasks, *(task for seat in self.seats for task in seat.pump._tasks)]
        for task in sorted(tasks, key=_age):  # a set has another order in each run
            task.cancel()

    def _lose_some(self) -> None:
        """Of what is on its way to one partition a beginning lands, later, and the rest never does."""
        kept = {(posting.topic, posting.partition) for posting, _ in self._kept_back}
        for _, answer in self._kept_back:
            del self._sending[answer]  # it has not left the process, nor has what comes after it
        self._kept_back = []
        ways: dict[tuple[str, int], list[asyncio.Future[None]]] = {}
        for answer, (_, posting) in self._sending.items():
            ways.setdefault((posting.topic, posting.partition), []).append(answer)
        for way, answers in ways.items():
            landing = self.cluster.rng.randint(0, len(answers)) if way not in kept else 0
            for answer in answers[landing:]:
                self._sending.pop(answer)[0].cancel()


def _age(task: asyncio.Task[Any]) -> int:
    """Which of all tasks it is: asyncio counts them in their names."""
    return int(task.get_name().rpartition("-")[2])
