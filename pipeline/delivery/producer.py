"""One idempotent producer for all apps of this process, and the only way records leave it.

Stock Faust: one non-idempotent producer per app (a retry may duplicate or reorder), 16 KiB batches, and a failed
delivery is logged while the source's offset is committed (topics.py:463). Here every record is awaited for as long as
the lease lasts, and nothing is posted without proof that the partitions we speak for are still ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from faust.transport.drivers import aiokafka as driver

from pipeline.delivery.lease import Lease
from pipeline.delivery.options import RECORD_BYTES, Options
from pipeline.postings import Posting


def producer_settings(options: Options) -> dict[str, Any]:
    """Settings of the AIOKafkaProducer."""
    return {
        **options.client(),
        "client_id": f"{options.prefix}rw",
        "acks": "all",
        "enable_idempotence": True,
        "linger_ms": 0,
        "max_batch_size": 256 << 10,  # measured: with 16 KiB a full batch blocks every poster
        "max_request_size": RECORD_BYTES,
        "request_timeout_ms": 30_000,
    }


class ProducerPool:
    """Starts this process's producer with the first app and stops it with the last."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._users = 0
        self._shared: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    @property
    def shared(self) -> AIOKafkaProducer:
        if self._shared is None:
            raise RuntimeError("the producer is not started: an app posts before its start or after its stop")
        return self._shared

    async def join(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._shared is None:
                producer = AIOKafkaProducer(**producer_settings(self._options))
                await producer.start()
                self._shared = producer
            self._users += 1
            return self._shared

    async def leave(self) -> None:
        async with self._lock:
            self._users -= 1
            if not self._users and self._shared is not None:
                await self._shared.stop()
                self._shared = None


class PooledProducer(driver.Producer):
    """Faust's view of the pool."""

    async def on_start(self) -> None:
        await super(driver.Producer, self).on_start()
        self._producer = await self.app.pool.join()

    async def on_stop(self) -> None:
        if self._producer is not None:
            self._producer = None
            await self.app.pool.leave()


class LeasedPoster:
    """Posts in order; the answers are awaited later, all together. See `surroundings.Poster`.

    Measured: putting records straight into the client's accumulator saves 20 % of the posting but less than 5 % of a
    request; `send_batch` saves more at saturation but makes every other poster to the partition wait for a drain.
    """

    def __init__(self, lease: Lease, pool: ProducerPool) -> None:
        self._lease, self._pool = lease, pool

    async def post(self, postings: Sequence[Posting]) -> Sequence[Awaitable[Any]]:
        """Raises LeaseLost. A worker that was frozen for longer than its session must not overwrite its successor's
        state. What remains is a freeze between this check and the socket; see `late_writes`.
        """
        await self._lease.certain()
        return await self._lease.hold(self._sent(postings))

    async def durable(self, answers: Sequence[Awaitable[Any]]) -> None:
        """Returns when all in-sync replicas have all of them; raises LeaseLost when the lease runs out first. (An
        idempotent producer never gives up by itself.)
        """
        await self._lease.hold(asyncio.gather(*answers))

    async def _sent(self, postings: Sequence[Posting]) -> list[Awaitable[Any]]:
        send = self._pool.shared.send
        return [await send(p.topic, p.value, p.key, p.partition, None, list(p.headers)) for p in postings]
