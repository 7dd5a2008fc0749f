"""How time enters a stage: a look through what is remembered, every few seconds, and a `Due` for whatever is due.

The look also counts what there is, for the metrics. Nothing is decided here: a `Due` goes through the stage's inbox
like any message, and the fold judges it by the broker's time, so that every replay agrees. At most one per entry is
under way, and a bounded number at all, or a lag would flood the inbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from pipeline.domain.marks import Kind, read_mark
from pipeline.domain.messages import Due
from pipeline.domain.request_types import RequestType
from pipeline.postings import Posting
from pipeline.stages import Stage
from pipeline.surroundings import Limits, Standing, Surroundings
from pipeline.underway import Key


class Timekeeper:
    """Looks after one stage's memory, for as long as its partitions are ours."""

    def __init__(self, stage: Stage, around: Surroundings, limits: Limits) -> None:
        self._stage, self._around, self._limits = stage, around, limits
        self._asked: set[Key] = set()  # a `Due` is under way

    def answered(self, key: Key) -> None:
        """The `Due` was folded; another may be posted when it is due again."""
        self._asked.discard(key)

    def forget(self) -> None:
        """The partitions may be lost: whoever owns them next asks anew."""
        self._asked.clear()

    async def run(self) -> None:
        """Looks, posts and waits, until it is cancelled."""
        while True:
            await asyncio.sleep(self._limits.look_s)
            census: dict[tuple[Kind, RequestType], Standing] = {}
            for partition in self._partitions():
                await asyncio.sleep(0)  # a partition at a time: nobody waits for the whole look
                dues = list(self._look(partition, census))
                if dues:
                    await self._around.poster.durable(await self._around.poster.post(dues))
            self._around.survey(census)

    def _partitions(self) -> list[int]:
        return sorted({partition for table in self._around.tables for partition in table.partitions()})

    def _look(self, partition: int, census: dict[tuple[Kind, RequestType], Standing]) -> Iterator[Posting]:
        """Counts this partition's entries and asks about those that are due."""
        now_ms, due_ms = self._around.time_ms(), self._stage.due
        for table in self._around.tables:
            for key, value in table.everything(partition):
                mark = read_mark(value)
                place = mark.kind, mark.request_type
                entries, oldest_ms = census.get(place, Standing(0, mark.since_ms))
                census[place] = Standing(entries + 1, min(oldest_ms, mark.since_ms))
                at_ms = None if due_ms is None else due_ms(mark)
                if at_ms is not None and at_ms <= now_ms and self._may_ask((partition, key)):
                    yield self._due(partition, key)

    def _may_ask(self, key: Key) -> bool:
        if key in self._asked or len(self._asked) >= self._limits.dues:
            return False
        self._asked.add(key)
        return True

    def _due(self, partition: int, key: bytes) -> Posting:
        topic = self._around.outlet.prefix + self._stage.sources[0]
        return Posting(topic, partition, key, Due(request_id=key.decode()).value(), ())
