"""One idempotent producer for all apps of this process, and the only way records leave it.

Stock Faust: one non-idempotent producer per app (a retry may duplicate or reorder), 16 KiB batches, and a failed
delivery is logged while the source's offset is committed (topics.py:463). Here every record is awaited for as long as
the lease lasts, and nothing is posted without proof that the partitions we speak for are still ours. The client sends
in a task of its own, which runs before any of ours when a frozen process goes on: so it asks for that proof once more,
in the very turn of the loop in which a request goes to the socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.client import ConnectionGroup
from aiokafka.protocol.produce import ProduceRequest
from faust.transport.drivers import aiokafka as driver

from pipeline.delivery.failure import fatal
from pipeline.delivery.lease import Lease, LeaseLost
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

    def __init__(self, options: Options, end: Callable[[str, BaseException], Any] = fatal) -> None:
        self._options, self._end = options, end
        self.posters: list[LeasedPoster] = []
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
                producer.client.send = self.guarded(producer.client)
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

    def guarded(self, client: Any) -> Callable[..., Awaitable[Any]]:
        """The client's `send`, which sends no records for a stage whose lease is over: it ends the process.

        A batch may hold records of several stages, and a stage whose write cannot leave any more has to end anyway. So
        one lease that is over stops them all.
        """
        send = client.send

        async def send_guarded(node_id: Any, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
            if isinstance(request, ProduceRequest):
                await client.ready(node_id, group=group)  # to connect takes time; with a connection, nothing is awaited
                self._check()  # ... between this look and the socket
            return await send(node_id, request, group=group)

        return send_guarded

    def _check(self) -> None:
        for poster in self.posters:
            if poster.is_late():
                lost = LeaseLost(f"{poster.lease.name}: the lease ran out before a write could be sent; it is not sent")
                self._end(f"{poster.lease.name}: frozen, or the broker was away", lost)
                raise lost


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
        self.lease, self._pool = lease, pool
        self._unanswered = 0  # records that may not have left yet
        self._quiet = asyncio.Event()
        self._quiet.set()
        pool.posters.append(self)

    async def post(self, postings: Sequence[Posting]) -> Sequence[Awaitable[Any]]:
        """Raises LeaseLost. A worker that was frozen for longer than its session must not overwrite its successor's
        state. What remains is a request of which a part is in the socket already; see `late_writes`.
        """
        await self.lease.certain()
        return await self.lease.hold(self._sent(postings))

    def is_late(self) -> bool:
        """Something of ours may still be sent, and our partitions may be somebody else's."""
        return self._unanswered > 0 and self.lease.left_s() <= 0

    async def quiet(self, within_s: float) -> bool:
        """Waits until nothing of ours is under way, whoever has given up waiting for it. False when it takes longer."""
        try:
            async with asyncio.timeout(within_s):
                await self._quiet.wait()
        except TimeoutError:
            return False
        return True

    async def durable(self, answers: Sequence[Awaitable[Any]]) -> None:
        """Returns when all in-sync replicas have all of them; raises LeaseLost when the lease runs out first. (An
        idempotent producer never gives up by itself.)
        """
        await self.lease.hold(_all_of(answers))

    async def _sent(self, postings: Sequence[Posting]) -> list[Awaitable[Any]]:
        send = self._pool.shared.send
        answers: list[Awaitable[Any]] = []
        for p in postings:
            self._unanswered += 1
            self._quiet.clear()
            try:
                answer = await send(p.topic, p.value, p.key, p.partition, None, list(p.headers))
            except BaseException:  # called off before the client had it
                self._answered()
                raise
            answer.add_done_callback(self._answered)
            answers.append(answer)
        return answers

    def _answered(self, _: Any = None) -> None:
        self._unanswered -= 1
        if not self._unanswered:
            self._quiet.set()


async def _all_of(answers: Sequence[Any]) -> None:
    """Waits for all, and raises what the first one raises. To give up waiting does not call the records off: they may
    be on their way, and count as that until they are answered.
    """
    done, _ = await asyncio.wait(answers, return_when=asyncio.FIRST_EXCEPTION)
    for answer in done:
        answer.result()
