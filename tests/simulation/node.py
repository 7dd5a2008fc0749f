"""One process: what it sends, where it may end, and what becomes of what it had sent when it does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from simulation.seat import Seat

from pipeline.postings import Posting, Stamp
from pipeline.stages import Stage
from pipeline.surroundings import Gate


class Node:
    """One process."""

    def __init__(self, stages: Sequence[Stage], stamp: Stamp, gate: Gate, cluster: Any) -> None:
        self.cluster, self.stamp, self.gate = cluster, stamp, gate
        self.is_dead = self.is_cut_off = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sending: list[tuple[asyncio.TimerHandle, Posting, asyncio.Future[None]]] = []
        self._free_s: dict[tuple[str, int], float] = {}  # the producer keeps its order, in each partition
        self.seats = [Seat(stage, self) for stage in stages]
        for seat in self.seats:
            seat.start()

    @property
    def is_out_of_reach(self) -> bool:
        """For the broker: it does not answer, and nobody knows whether it lives."""
        return self.is_dead or self.is_cut_off

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exception := task.exception()) is not None:
            self.crash(exception)

    def effect(self) -> None:
        """A place where the process may end, or be cut off from its groups."""
        if self.cluster.is_fatal(self):
            self.crash(None)
            raise asyncio.CancelledError

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
        handle = loop.call_at(self._free_s[place], self._land, posting, answer)
        self._sending = [one for one in self._sending if not one[2].done()]
        self._sending.append((handle, posting, answer))
        return answer

    def _land(self, posting: Posting, answer: asyncio.Future[None]) -> None:
        self.cluster.log.append(posting)
        if not answer.done():
            answer.set_result(None)

    def crash(self, exception: BaseException | None) -> None:
        """As kill -9: memory is gone. What was sent and has not landed may land later, or never, in its order."""
        if self.is_dead:
            return
        self.is_dead = True
        self.cluster.crashed(self, exception)
        self._lose_some()
        tasks = [*self._tasks, *(task for seat in self.seats for task in seat.pump._tasks)]
        for task in tasks:
            task.cancel()

    def _lose_some(self) -> None:
        """Of what is on its way to one partition a beginning lands, later, and the rest never does."""
        ways: dict[tuple[str, int], list[asyncio.TimerHandle]] = {}
        for handle, posting, _ in self._sending:
            ways.setdefault((posting.topic, posting.partition), []).append(handle)
        for handles in ways.values():
            for handle in handles[self.cluster.rng.randint(0, len(handles)) :]:
                handle.cancel()
