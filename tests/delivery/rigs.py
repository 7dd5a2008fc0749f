"""Stock Faust and our layer, each with its real consumer over one scripted partition: the same test runs on both.

What is replaced is only what talks to the network: the consumer's link and the producer. Everything between (what is
fetched, tracked, acknowledged, committed, dropped) is the real code of the one or the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from delivery.doubles import NoStamp, Paper
from delivery.scripted import HERE, Partition
from delivery.trial import INBOX, trial_stage
from faust.transport.drivers import aiokafka as driver

from pipeline.delivery.consumer import BatchConsumer, BatchTransport
from pipeline.delivery.memory import Shelf
from pipeline.delivery.options import Options
from pipeline.delivery.stage_app import Parts, StageApp

OPTIONS = Options(("127.0.0.1:1",), partitions=1)


class StockConsumer(driver.Consumer):
    def _new_consumer_thread(self) -> Any:
        return Partition(self, loop=self.loop, beacon=self.beacon)


class StockProducer(driver.Producer):
    """Notes what is sent; its answers come when told."""

    async def on_start(self) -> None:
        """Connects to nothing."""
        self.sent: list[Any] = []
        self.answers: list[asyncio.Future[None]] = []
        self.moving = asyncio.Event()
        self.moving.set()

    async def on_stop(self) -> None:
        """Nothing to disconnect."""

    async def send(self, topic: str, key: Any, value: Any, **_: Any) -> asyncio.Future[None]:
        await self.moving.wait()
        self.sent.append((topic, value, key))
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]

    async def flush(self) -> None:
        """As the driver's: the buffer first, then the client, which has nothing left."""
        await self.buffer.flush()


class StockTransport(driver.Transport):
    Consumer = StockConsumer
    Producer = StockProducer


class StockApp(faust.App):
    def _new_transport(self) -> Any:
        return StockTransport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Any:
        return StockTransport(self.conf.broker_producer, self)


class HardenedConsumer(BatchConsumer):
    def _new_consumer_thread(self) -> Any:
        return Partition(self, loop=self.loop, beacon=self.beacon)


class HardenedTransport(BatchTransport):
    Consumer = HardenedConsumer


class HardenedApp(StageApp):
    def __init__(self, *args: Any) -> None:
        self.ended: list[BaseException] = []
        super().__init__(*args)

    def _new_transport(self) -> Any:
        return HardenedTransport(self.conf.broker_consumer, self)

    def tables_ready(self) -> None:
        """As after loading an empty changelog."""
        for table in self.memory:
            table.shelves[0] = Shelf()

    def _surroundings(self, parts: Parts) -> Any:
        """Ends the pump, not the test run."""
        return replace(super()._surroundings(parts), fatal=lambda _, exception: self.ended.append(exception))


class Rig:
    """What a test does with either of them."""

    app: Any

    def __init__(self) -> None:
        self.delivered: dict[int, Any] = {}
        self.consumer = self.app.consumer
        self.consumer.callback = self.on_message
        self.partition: Partition = self.consumer._thread
        self.consumer._set_active_tps({HERE})
        self.fetcher = SimpleNamespace(should_stop=False, _stopped=asyncio.Event())
        self.app.topics._acking_topics.add(INBOX)

    async def begin(self, offsets: Iterable[int], *, at: int | None = None) -> None:
        """These offsets are in the log; the group has committed `at`; the partition is assigned and positioned."""
        self.partition.log = dict.fromkeys(offsets, b"pass x")
        self.partition.committed_offset = at
        await self.consumer.perform_seek()
        self.app.flow_control.resume()
        self.consumer.resume_flow()

    async def fetch(self, *, rounds: int = 6) -> list[int]:
        """Run the consumer's own fetch loop until it has found nothing a few times; says what was delivered."""
        self.partition.empty_fetches = 0
        running = asyncio.ensure_future(self.consumer._drain_messages(self.fetcher))
        async with asyncio.timeout(5):
            while self.partition.empty_fetches < rounds and not running.done():  # noqa: ASYNC110 - a count, no event
                await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return sorted(self.delivered)

    async def on_message(self, message: Any) -> None:
        raise NotImplementedError

    def finish(self, *offsets: int) -> None:
        raise NotImplementedError

    async def work(self) -> None:
        """Do with each delivered record what a `pass` or `count` wants: publish, and then have it acknowledged."""
        raise NotImplementedError

    async def refuse(self) -> None:
        """The broker refuses whatever was published."""
        raise NotImplementedError

    async def commit(self) -> list[int]:
        """What a commit writes to the group, oldest first."""
        await self.consumer.commit()
        return self.partition.commits


class StockRig(Rig):
    def __init__(self) -> None:
        self.app = StockApp("stock", broker="kafka://127.0.0.1:1", store="memory://", topic_allow_declare=False)
        self.sent: list[Any] = []
        super().__init__()

    async def on_message(self, message: Any) -> None:
        message.incref(1)
        self.consumer.track_message(message)
        self.delivered[message.offset] = message

    def finish(self, *offsets: int) -> None:
        for offset in offsets:
            self.delivered[offset].ack(self.consumer)

    async def work(self) -> None:
        """As an agent does it: send (which is these two calls), and return; the stream then acknowledges."""
        topic = self.app.topic("out", value_serializer="raw")
        for offset in sorted(self.delivered):
            self.sent.append(topic.as_future_message(value=b"x"))
            await topic.publish_message(self.sent[-1])
            self.finish(offset)

    async def refuse(self) -> None:
        for answer in self.app.producer.answers:
            answer.set_exception(ConnectionError("refused"))
        await asyncio.gather(*self.sent, return_exceptions=True)
        await turns()


class Member:
    """A group coordinator that accepts everything."""

    generation = 1

    async def _do_heartbeat(self) -> bool:
        return True

    async def _do_rejoin_group(self, subscription: Any) -> bool:
        return bool(subscription)

    async def _do_commit_offsets(self, assignment: Any, offsets: Any) -> None:
        """Accepted."""


class HeldProducer:
    """A pool whose producer notes what is sent; its answers come when told."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.answers: list[asyncio.Future[None]] = []
        self.posters: list[Any] = []

    @property
    def shared(self) -> HeldProducer:
        return self

    async def send(self, *wanted: Any) -> asyncio.Future[None]:
        self.sent.append(wanted)
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]


class HardenedRig(Rig):
    def __init__(self) -> None:
        self.producer = HeldProducer()
        self.app = HardenedApp(trial_stage(), OPTIONS, Parts(self.producer, NoStamp(), Paper()))
        self.member = Member()
        self.app.lease.watch(self.member)
        self.app.consumer_generation_id = 1
        super().__init__()

    async def begin(self, offsets: Iterable[int], *, at: int | None = None) -> None:
        await self.member._do_rejoin_group("topics")
        self.consumer.want_seek()
        await super().begin(offsets, at=at)

    async def on_message(self, message: Any) -> None:
        self.consumer.track_message(message)
        self.delivered.update((each.arrival.offset, each) for each in self.consumer.take(message.value))

    def finish(self, *offsets: int) -> None:
        self.consumer.finish([self.delivered[offset] for offset in offsets])

    async def work(self) -> None:
        """As the app does it: the pump gets the records."""
        self.app.tables_ready()
        self.app.pump.start()
        self.app.pump.feed(list(self.delivered.values()))
        await turns()

    async def refuse(self) -> None:
        for answer in self.producer.answers:
            answer.set_exception(ConnectionError("refused"))
        await turns()


async def turns() -> None:
    """Let everything run that can run."""
    for _ in range(60):
        await asyncio.sleep(0)


RIGS = {"stock": StockRig, "hardened": HardenedRig}


def both(defect: str) -> pytest.MarkDecorator:
    """Run on stock and hardened; stock is expected to fail because of this defect."""
    stock = pytest.param("stock", marks=pytest.mark.xfail(strict=True, raises=AssertionError, reason=defect))
    return pytest.mark.parametrize("rig", [stock, "hardened"], indirect=True)
