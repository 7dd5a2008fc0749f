"""What stands between a posted record and the socket: one more look at the lease."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from delivery.kafka import Kafka, eventually
from delivery.rigs import HardenedRig, HeldProducer, turns
from delivery.trial import OUT

from pipeline.delivery.lease import Lease, LeaseLost
from pipeline.delivery.options import Options
from pipeline.delivery.producer import LeasedPoster, ProducerPool
from pipeline.postings import Posting

POSTING = Posting("t", 0, b"k", b"v", ())
RECORDS = ProduceRequest(transactional_id=None, required_acks=-1, timeout=1, topics=[])
SESSION_S = 10.0


class Client:
    """A connection to a broker that notes what went into its socket; to connect takes as long as the test says."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.sent, self.connect_s = machine, [], 0.0

    async def ready(self, node_id: Any, *, group: Any) -> bool:
        del node_id, group
        self.machine.now += self.connect_s
        return True

    async def send(self, node_id: Any, request: Any, *, group: Any) -> str:
        del node_id, group
        self.sent.append(request)
        return "sent"


class HeldPool(ProducerPool):
    """The pool, started with a producer whose answers come when told."""

    def __init__(self, end: Any) -> None:
        super().__init__(Options(("127.0.0.1:1",)), end)
        self.held = HeldProducer()

    @property
    def shared(self) -> Any:
        return self.held


class Machine:
    """A stage with its lease, the pool, and a clock that stops while the process is frozen and then jumps."""

    def __init__(self, pool: Callable[[Any], Any] = HeldPool) -> None:
        self.now = 0.0
        self.ended: list[tuple[str, BaseException]] = []
        self.pool = pool(lambda reason, exception: self.ended.append((reason, exception)))
        self.client = Client(self)
        self.send = self.pool.guarded(self.client)

    async def stage(self, name: str) -> LeasedPoster:
        """One more stage of the process, with a fresh lease."""
        lease = Lease(name, SESSION_S, SimpleNamespace(generation=1), lambda: self.now)
        group = SimpleNamespace(generation=1, _do_heartbeat=accepted, _do_rejoin_group=None, _do_commit_offsets=None)
        lease.watch(group)
        await group._do_heartbeat()
        return LeasedPoster(lease, self.pool)


async def accepted() -> bool:
    return True


async def test_a_write_does_not_leave_after_a_freeze():
    """What was posted before a freeze and not sent yet stays here when the lease is over, and the process ends.

    The story: a worker was stopped right after it had posted. When it went on, the client's own task ran first and sent
    the record, a moment before the pump noticed that the lease was over: 25 s late, with a session of 6.
    """
    machine = Machine()
    await (await machine.stage("rw-a")).post([POSTING])
    machine.now += SESSION_S + 1

    with pytest.raises(LeaseLost, match="not sent"):
        await machine.send(1, RECORDS)

    assert (machine.client.sent, [reason for reason, _ in machine.ended]) == (
        [],
        ["rw-a: frozen, or the broker was away"],
    )


async def test_the_look_comes_after_the_connection():
    """A connection that takes longer than the lease carries nothing either."""
    machine = Machine()
    await (await machine.stage("rw-a")).post([POSTING])
    machine.client.connect_s = SESSION_S + 1

    with pytest.raises(LeaseLost):
        await machine.send(1, RECORDS)

    assert machine.client.sent == []


async def test_another_stage_does_not_carry_it_out():
    """A batch holds records of several stages, so one lease that is over stops them all."""
    machine = Machine()
    frozen = await machine.stage("rw-a")
    machine.now += SESSION_S - 1
    other = await machine.stage("rw-b")
    await frozen.post([POSTING])
    await other.post([POSTING])
    machine.now += 2

    with pytest.raises(LeaseLost, match="rw-a"):
        await machine.send(1, RECORDS)


async def test_with_the_lease_all_of_it_is_sent():
    """Records within the lease, whatever else at any time, and a stage with nothing under way stops nobody."""
    machine = Machine()
    first = await machine.stage("rw-a")
    await first.post([POSTING])
    within = await machine.send(1, RECORDS)
    machine.pool.held.answers[0].set_result(None)
    await turns()
    machine.now += SESSION_S + 1

    after = [await machine.send(1, RECORDS), await machine.send(1, MetadataRequest([]))]

    assert (within, after, machine.ended) == ("sent", ["sent"] * 2, [])


async def test_partitions_are_given_away_when_all_is_answered():
    """A revocation waits for what was posted, whoever has given up waiting for it: it must not leave afterwards."""
    rig = HardenedRig()
    await rig.begin(range(1))
    giving_up = asyncio.ensure_future(rig.app.poster.durable(await rig.app.poster.post([POSTING])))
    await turns()
    giving_up.cancel()
    await turns()
    early = await rig.consumer.idle(0.0)

    rig.producer.answers[0].set_result(None)
    await turns()

    assert (early, await rig.consumer.idle(0.0)) == (False, True)


async def test_what_was_called_off_is_not_waited_for():
    """A record that the client has not taken when its poster is called off is not under way."""
    machine = Machine()
    poster = await machine.stage("rw-a")
    machine.pool.held.send = lambda *_: asyncio.Event().wait()
    posting = asyncio.ensure_future(poster.post([POSTING]))
    await turns()
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)
    await turns()

    assert await poster.quiet(0.0)


async def test_nothing_reaches_the_log_after_a_freeze(broker, prefix):
    """With the real client and a real Kafka: a record in the client's hands when the lease ends is not in the log."""
    async with Kafka(broker, prefix) as kafka:
        machine = Machine(lambda end: ProducerPool(Options((broker,)), end))
        await machine.pool.join()
        poster = await machine.stage("rw-a")
        here = Posting(prefix + OUT, 0, b"k", b"in time", ())
        await poster.durable(await poster.post([here]))

        await poster.post([here._replace(value=b"late")])
        machine.now += SESSION_S + 1  # the process is frozen before the client's task had its turn
        assert await eventually(lambda: bool(machine.ended), 10)
        await machine.pool.leave()
        await kafka.producer.send_and_wait(here.topic, b"afterwards", b"k", 0)
        records = await kafka.all_of(OUT, until=lambda seen: len(seen) > 1)

    assert [record.value for record in records] == [b"in time", b"afterwards"]
