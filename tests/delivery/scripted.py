"""A scripted partition: a log of offsets behind the interface that Faust's consumer expects of its thread."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka.structs import ConsumerRecord
from delivery.trial import INBOX
from faust.types import TP
from mode import Service

HERE = TP(INBOX, 0)


class Partition(Service):
    """A log of offsets, read from a position; what Faust's consumer calls its thread."""

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        self.consumer = consumer
        self.log: dict[int, bytes] = {}
        self.position = 0
        self.committed_offset: int | None = None
        self.commits: list[int] = []
        self.chunk = 500
        self.empty_fetches = 0
        super().__init__(**kwargs)

    async def getmany(self, active: Any, timeout: float) -> dict[TP, list[Any]]:  # noqa: ASYNC109 - Faust's signature
        del active, timeout
        await asyncio.sleep(0)
        found = [record(offset, self.log[offset]) for offset in sorted(self.log) if offset >= self.position]
        found = found[: self.chunk]
        if not found:
            self.empty_fetches += 1
            return {}
        self.position = found[-1].offset + 1
        return {HERE: found}

    async def seek_to_committed(self) -> dict[TP, int]:
        await asyncio.sleep(0)
        self.position = self.committed_offset or 0
        return {HERE: self.position}

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        self.commits.append(offsets[HERE])
        self.committed_offset = offsets[HERE]
        return True

    async def seek_wait(self, positions: Mapping[TP, int]) -> None:
        self.position = positions[HERE]

    def seek(self, tp: TP, offset: int) -> None:
        del tp
        self.position = offset

    def position_now(self, tp: TP) -> int:
        del tp
        return self.position

    def assignment(self) -> set[TP]:
        return {HERE}

    def highwater(self, tp: TP) -> int:
        del tp
        return max(self.log, default=-1) + 1

    def close(self) -> None:
        """Nothing to close."""


def record(offset: int, value: bytes) -> Any:
    return ConsumerRecord(INBOX, 0, offset, 1, 1, b"k%d" % offset, value, None, 2, len(value), ())
