"""How time enters a stage: a look through what is remembered, every few seconds, and a `Due` for whatever is due.

The look also counts what there is, for the metrics. Nothing is decided here: a `Due` goes through the stage's inbox
like any message, and the fold judges it by the broker's time, so that every replay agrees. At most one per entry is
under way, and a bounded number at all, or a lag would flood the inbox; whoever was left out is asked about before
anybody else is a second time. A look never keeps the loop for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice

from pipeline.domain.marks import Kind, read_mark
from pipeline.domain.messages import Due
from pipeline.domain.request_types import RequestType
from pipeline.postings import Posting
from pipeline.stages import Stage
from pipeline.surroundings import Limits, Standing, Surroundings
from pipeline.underway import Key

Counts = dict[tuple[Kind, RequestType], Standing]
Entry = tuple[bytes, bytes]


class Timekeeper:
    """Looks after one stage's memory, for as long as its partitions are ours."""

    def __init__(self, stage: Stage, around: Surroundings, limits: Limits) -> None:
        self._stage, self._around, self._limits = stage, around, limits
        self._asked: set[Key] = set()  # a `Due` is under way
        self._look: asyncio.Future[None] | None = None
        self._left_out = False  # the last look found more that is due than may be asked about
        self._round: set[Key] = set()  # asked about since the last look that left nothing out
        self._spent_s = 0.0  # for how long the last look kept the loop, all in all

    def answered(self, key: Key) -> None:
        """The `Due` has come to its end, with a call that it led to; another may be posted when it is due again."""
        self._asked.discard(key)

    def forget(self) -> None:
        """The partitions may be lost: whoever owns them next asks anew, and a look that is under way ends here."""
        self._asked.clear()
        self._round.clear()
        if self._look is not None:
            self._look.cancel()

    async def run(self) -> None:
        """Looks, posts and waits, until it is cancelled."""
        while True:
            pause_s = self._limits.look_again_s if self._left_out else self._limits.look_s
            await asyncio.sleep(max(pause_s, self._spent_s / self._limits.look_share))
            if not self._around.is_steady():
                continue  # nobody may post now
            self._look = asyncio.ensure_future(self._look_through())
            try:
                await asyncio.wait({self._look})
            finally:
                self._look.cancel()
            if not self._look.cancelled():
                self._look.result()

    async def _look_through(self) -> None:
        census: Counts = {}
        self._left_out, self._spent_s = False, 0.0
        for partition, rest in self._everything():
            while True:
                began_s = self._around.clock()
                entries = list(islice(rest, self._limits.look_slice))
                dues = [self._due(partition, key) for key in self._seen(partition, entries, census)]
                self._spent_s += self._around.clock() - began_s
                if not entries:
                    break
                if dues:
                    await self._around.poster.durable(await self._around.poster.post(dues))
                await asyncio.sleep(0)  # a little at a time: nobody waits for the whole look
        if not self._left_out:
            self._round.clear()
        self._around.survey(census)

    def _everything(self) -> Iterator[tuple[int, Iterator[Entry]]]:
        for table in self._around.tables:
            for partition in table.partitions():
                yield partition, iter(table.everything(partition))

    def _seen(self, partition: int, entries: Sequence[Entry], census: Counts) -> Iterator[bytes]:
        """Counts these entries; the keys of those that are due and may be asked about."""
        now_ms, due_ms = self._around.time_ms(), self._stage.due
        for key, value in entries:
            mark = read_mark(value)
            kind, request_type, since_ms = mark[:3]
            before = census.get((kind, request_type))
            entry = Standing(1, since_ms) if before is None else before.and_one(since_ms)
            census[kind, request_type] = entry
            at_ms = None if due_ms is None else due_ms(mark)
            if at_ms is not None and at_ms <= now_ms and self._may_ask((partition, key)):
                yield key

    def _may_ask(self, key: Key) -> bool:
        if key in self._asked or key in self._round:
            return False
        if len(self._asked) >= self._limits.dues:
            self._left_out = True
            return False
        self._asked.add(key)
        self._round.add(key)
        return True

    def _due(self, partition: int, key: bytes) -> Posting:
        topic = self._around.outlet.prefix + self._stage.sources[0]
        return Posting(topic, partition, key, Due(request_id=key.decode()).value(), ())
