"""The pump: decode, fold, remember, call, publish, acknowledge. The only loop, the only acknowledgement; no business
rule, no Faust, no Kafka client (the simulator runs this very pump on lists).

A micro-batch is folded synchronously and then goes through the phases of a step (design, section 4), one wait for
each: memory, events, handovers, afterwards. Micro-batches overlap up to `Limits.depth`; each posts a phase only when
its own phase before is durable and the batch before has posted the same phase, so the order per partition is kept.

A record that asks for a call waits for a slot and has no intent yet, so it can be given back at any time. Only with a
slot its intent is written; when that is durable and the partitions certainly still ours, the call is made. Later
records of its key wait until the outcome is folded. An exception anywhere is fatal: nothing is acknowledged.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from pipeline.domain.messages import Due
from pipeline.domain.requests import Call
from pipeline.folding import Folding
from pipeline.postings import Phase, Posting
from pipeline.stages import Stage, Step
from pipeline.step_log import log_step
from pipeline.surroundings import Delivered, Limits, Surroundings
from pipeline.timekeeper import Timekeeper
from pipeline.underway import Answered, Asked, Batch, Key, Room, Share, Slots, Work, key_of, nothing_before


class Pump:
    """Runs one stage. `feed` and `abandon` are called by the source, in the pump's own event loop."""

    def __init__(self, stage: Stage, around: Surroundings, limits: Limits | None = None) -> None:
        if stage.tables and len(stage.sources) != 1:
            raise ValueError(f"{stage.name}: a stage with tables needs exactly one source, or positions mean nothing")
        self.stage, self.around, self.limits = stage, around, limits or Limits()
        self.held = Room(self.limits)  # taken, and neither finished nor given back
        self._queue: deque[Delivered] = deque()  # to be folded
        self._answers: deque[Answered] = deque()  # to be folded with their outcome
        self._waiting: deque[Asked] = deque()  # for a slot
        self._busy: dict[Key, deque[Delivered]] = {}  # keys with a call ahead: what waits for its outcome
        self._slots = Slots(self.limits.slots)
        self._batches: set[Batch] = set()
        self._rest_s = 0.0  # the loop's, before the next micro-batch
        self._queued_s = 0.0  # since when the head of the queue could have been folded
        self._wake = asyncio.Event()
        self._again: asyncio.TimerHandle | None = None  # to look at what waits once more
        self._depth = asyncio.Semaphore(self.limits.depth)
        # Changelog records must reach the log in the order in which they were noted: compaction keeps the last.
        self._writing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._folding = Folding(stage, around)
        self._time = Timekeeper(stage, around, self.limits)

    # -- towards the source ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to fold what is fed; needs the running loop."""
        self._spawn(self._run())
        if self.stage.tables:
            self._spawn(self._time.run())

    async def stop(self) -> None:
        """Drop everything where it stands, as a crash would. A drain abandons and waits before it stops."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def feed(self, records: Sequence[Delivered]) -> None:
        """Take records, in their partition's order."""
        if not self._queue:
            self._queued_s = self.around.clock()
        self._queue.extend(records)
        self.held.took(records)
        self._wake.set()

    async def room(self) -> None:
        """Returns when more records may be fed; the source waits here before it fetches."""
        await self.held.free()

    def abandon(self) -> None:
        """Give back whatever has not been begun: at a revocation, and when the process is to stop."""
        dropped = [*self._queue, *(asked.record for asked in self._waiting)]
        for asked in self._waiting:
            dropped += self._busy.pop(key_of(asked.record))
        for later in self._busy.values():
            dropped += later
            later.clear()
        self._queue.clear()
        self._waiting.clear()
        self._time.forget()
        self.around.source.give_back(dropped)
        self.held.left(dropped)

    def oldest_s(self) -> float:
        """Seconds for which something that could go on has not. What waits for a slot or for its key is not counted:
        that is a queue, not a standstill.
        """
        since = [*self._slots.since_s(), *(batch.began_s for batch in self._batches)]
        if self._queue:
            since.append(self._queued_s)
        return max(0.0, self.around.clock() - min(since)) if since else 0.0

    # -- folding -----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        before = nothing_before()
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._admit()
            while self._answers or self._queue:
                await asyncio.sleep(self._rest_s)
                await self._depth.acquire()
                batch = Batch(self._fold_some(), self.around.clock())
                self._admit()
                if not batch.work:
                    self._depth.release()
                    continue
                self._batches.add(batch)
                async with self._writing:
                    answers = await self._post([put for work in batch.work for put in work.puts])
                self._spawn(self._carry_out(batch, before, answers))
                before = batch

    def _fold_some(self) -> list[Work]:
        work: list[Work] = []
        share = Share(self.limits, self.around.clock)
        while self._answers and share.is_left():
            answered = self._answers.popleft()
            share.take(answered.asked.record)
            work.append(self._folding.settle(answered))
            self._came_to_its_end(answered.asked.record, answered.asked.message)
            self._queue.extendleft(reversed(self._busy.pop(key_of(answered.asked.record))))
        while self._queue and share.is_left():
            record = self._queue.popleft()
            share.take(record)
            if (later := self._busy.get(key_of(record))) is not None:
                later.append(record)
                continue
            message, step = self._folding.fold(record)
            if step.call is None:
                work.append(self._folding.work(record, step))
                self._came_to_its_end(record, message)
            else:
                self._ask(Asked(record, message, step))
        self._queued_s = self.around.clock()
        self._rest_s = 0.0 if share.is_in_time() else self.limits.rest_s
        return work

    def _came_to_its_end(self, record: Delivered, message: Any) -> None:
        """The entry of a `Due` may be asked about again; while its call waits or runs, it looks due, and is not."""
        if isinstance(message, Due):
            self._time.answered(key_of(record))

    def _ask(self, asked: Asked) -> None:
        self._folding.check_call(asked.step)
        self._busy[key_of(asked.record)] = deque()
        self._waiting.append(asked)

    # -- effects -----------------------------------------------------------------------------------------------------

    async def _post(self, postings: Sequence[Posting]) -> Sequence[Awaitable[Any]]:
        return await self.around.poster.post(postings) if postings else ()

    async def _durable(self, answers: Sequence[Awaitable[Any]]) -> None:
        if answers:
            await self.around.poster.durable(answers)

    async def _carry_out(self, batch: Batch, before: Batch, answers: Sequence[Awaitable[Any]]) -> None:
        await self._durable(answers)
        if self._slots.release(work.record for work in batch.work):
            self._wake.set()
        await before.told.wait()
        answers = await self._post([put for work in batch.work for put in work.told])
        batch.told.set()
        await self._durable(answers)
        await before.handed.wait()
        answers = await self._post([put for work in batch.work for put in work.handed])
        batch.handed.set()
        await self._durable(answers)
        await before.shrunk.wait()
        answers = await self._shrink(batch.work)
        batch.shrunk.set()
        await self._durable(answers)
        self._finish(batch)

    async def restate(self, postings: Callable[[], Sequence[Posting]]) -> None:
        """Write changelog records outside of any message. They are made in the moment in which nothing else writes, so
        that what they restate is the latest. Returns when they are durable.
        """
        async with self._writing:
            answers = await self._post(postings())
        await self._durable(answers)

    async def _shrink(self, work: Sequence[Work]) -> Sequence[Awaitable[Any]]:
        async with self._writing:
            return await self._post(
                [put for w in work for put in self._folding.note(w.record, w.step.afterwards, Phase.AFTERWARDS)]
            )

    def _finish(self, batch: Batch) -> None:
        records = [work.record for work in batch.work]
        self.around.source.finish(records)
        self.held.left(records)
        self._batches.discard(batch)
        self._depth.release()
        now = self.around.clock()
        for work in batch.work:
            self._report(work.step, now - work.record.at_s)

    def _report(self, step: Step, seconds: float) -> None:
        note, stage = step.note, self.stage.name
        self.around.meters.messages.labels(stage, note.outcome).inc()
        self.around.meters.message_seconds.labels(stage).observe(seconds)
        self.around.observe(step)
        log_step(stage, step, seconds)

    # -- calls -------------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Slots for those that wait longest, as far as their origins let them in; an origin that refuses one is not
        asked about the others behind it. What is folded again meanwhile takes no longer than a micro-batch.
        """
        share = Share(self.limits, self.around.clock)
        group: list[Asked] = []
        kept: list[Asked] = []
        refused: dict[str, float] = {}
        while self._waiting and self._slots.free and share.is_left():
            asked = self._waiting.popleft()
            if asked.step.call and asked.step.call.host in refused:
                kept.append(asked)
                continue
            if asked.step.call and not self._folding.is_still_wanted(asked.step.call):
                share.take(asked.record)
                asked = self._folding.fold_again(asked)
            if (call := asked.step.call) is None:
                self._answers.append(Answered(asked, None))
                self._wake.set()
            elif (wait_s := self.around.gate.enter(call)) > 0:
                refused[call.host] = wait_s
                kept.append(asked)
            else:
                self._slots.take([asked.record], self.around.clock())
                group.append(asked)
        is_cut_short = bool(self._waiting) and not share.is_left()
        self._waiting.extendleft(reversed(kept))
        self._ask_again_in(self.limits.rest_s if is_cut_short else min(refused.values(), default=math.inf))
        self._rest_s = self._rest_s if share.is_in_time() else self.limits.rest_s
        for at in range(0, len(group), self.limits.group):
            self._spawn(self._begin(group[at : at + self.limits.group]))

    def _ask_again_in(self, seconds: float) -> None:
        """One timer at most: when a rate lets the next call begin, or when the loop has had its turn."""
        if self._again is not None:
            self._again.cancel()
        is_timed = math.isfinite(seconds)
        self._again = asyncio.get_running_loop().call_later(seconds, self._wake.set) if is_timed else None

    async def _begin(self, group: Sequence[Asked]) -> None:
        async with self._writing:
            puts = [put for asked in group for put in self._folding.note(asked.record, asked.step.memory, Phase.INTENT)]
            answers = await self._post(puts)
        await self._durable(answers)
        for asked in group:
            assert asked.step.call is not None
            self._spawn(self._call(asked, asked.step.call))

    async def _call(self, asked: Asked, call: Call) -> None:
        # Had the partition been lost before the intent was in the log, its new owner might not know of it.
        await self.around.certain()
        assert self.around.caller is not None
        outcome = self._folding.refused_as_late(call) or await self.around.caller(call)
        self.around.gate.leave(call, outcome)
        self._answers.append(Answered(asked, outcome))
        self._wake.set()

    # -- tasks -------------------------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        if (exception := task.exception()) is not None:
            self.around.fatal(
                f"{self.stage.name}: an exception in the pump; nothing in work is acknowledged", exception
            )
