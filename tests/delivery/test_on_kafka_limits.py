"""On a real Kafka: time limits that strike, changelogs as compaction leaves them, and a predecessor's late write."""

from __future__ import annotations

import asyncio
import signal
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition
from delivery.kafka import Kafka, Worker, eventually
from delivery.trial import INBOX, OUT, TABLE

from pipeline.delivery.late_writes import LateWrites
from pipeline.delivery.loading import Loaded, read_changelogs
from pipeline.delivery.memory import Held, Shelf
from pipeline.delivery.options import Options
from pipeline.delivery.producer import ProducerPool
from pipeline.postings import Posting, position_header

ONE_SECOND = {"call_s": -9}  # the limits of a drain and of a revocation are ten seconds more than a call's


@pytest.fixture
async def kafka(broker, prefix):
    async with Kafka(broker, prefix) as opened:
        yield opened


async def test_not_drained_in_time(kafka, tmp_path):
    """A call that outlasts the drain ends the worker with 75, and its intent is found by the next one."""
    calls = tmp_path / "calls"
    with Worker(kafka, tmp_path / "first", slow_s=30, calls=str(calls), **ONE_SECOND) as first:
        assert await first.said("ready")
        await kafka.put([b"call x"])
        assert await eventually(calls.exists, 20)
        first.signal(signal.SIGTERM)
        code = await first.ended(10)
    with Worker(kafka, tmp_path / "second", calls=str(calls)):
        events = await kafka.events(1)

    assert (code, events) == (75, [b"parked"])


async def test_a_call_that_outlasts_a_revocation(kafka, tmp_path):
    """When a new member waits for a partition and a call does not end in time, its worker ends with 70."""
    calls = tmp_path / "calls"
    with Worker(kafka, tmp_path / "first", slow_s=30, calls=str(calls), **ONE_SECOND) as first:
        assert await first.said("ready")
        await kafka.put([b"call x"])
        assert await eventually(calls.exists, 20)
        with Worker(kafka, tmp_path / "second", calls=str(calls)):
            code = await first.ended(15)
            events = await kafka.events(1)

    assert (code, events) == (70, [b"parked"])
    assert calls.read_text().split().count("begin") == 1


async def test_members_come_and_go(kafka, tmp_path):
    """While workers join and leave under load, every record is worked on in order, and all of them end."""
    with Worker(kafka, tmp_path / "first") as first:
        assert await first.said("ready")
        putting = asyncio.ensure_future(kafka.put([b"count x"] * 4000))
        with Worker(kafka, tmp_path / "second") as second:
            assert await second.said("ready")
            first.signal(signal.SIGTERM)
            count = await putting
            events = await kafka.events(count)
            second.signal(signal.SIGTERM)
            codes = [await first.ended(), await second.ended()]

    assert (codes, len(set(events))) == ([0, 0], count)


async def test_the_largest_record_goes_in_and_out(kafka, tmp_path):
    """A record as large as the topics take is read, between small ones, and our own producer can send one."""
    with Worker(kafka, tmp_path / "only"):
        await kafka.put([b"pass x", b"pass " + b"x" * 2_900_000, b"pass y"], keys=1, partition=0)
        events = await kafka.events(3)
    pool = ProducerPool(Options((kafka.bootstrap,)))
    producer = await pool.join()
    await producer.send_and_wait(kafka.prefix + OUT, b"x" * 2_900_000, b"k", 0)
    await pool.leave()
    sent = await kafka.all_of(OUT, until=lambda seen: any(len(record.value) == 2_900_000 for record in seen))

    assert events == [b"0/0", b"0/1", b"0/2"]
    assert max(len(record.value) for record in sent) == 2_900_000


async def test_a_group_that_refuses_us_ends_the_process(kafka, tmp_path):
    """An error that the group will not take back ends the worker with 70 and its reason, instead of parking it.

    The story: the client keeps such an error (a right that was taken away, or, as here, a member with another way to
    assign) for whoever asks for records next. Without partitions nobody asked, and the worker stood still, alive.
    """
    stranger = AIOKafkaConsumer(kafka.prefix + OUT, bootstrap_servers=kafka.bootstrap, group_id=kafka.group)
    await stranger.start()
    with Worker(kafka, tmp_path / "only") as only:
        code = await only.ended(20)
    await stranger.stop()

    assert code == 70
    assert "InconsistentGroupProtocolError" in only.log.read_text()


@pytest.mark.parametrize("committed", [3, 50])
async def test_a_committed_offset_that_is_not_in_the_log(kafka, tmp_path, committed):
    """Behind the log's end or before its beginning: all that is there is read, and a warning says so.

    The story: after a power loss the log ended before the offset that the group had committed. The worker fetched from
    the log's beginning, wanted the committed offset, and went back and forth between the two for ever.
    """
    tp = TopicPartition(kafka.prefix + INBOX, 0)
    await kafka.put([b"pass x"] * 8, keys=1, partition=0)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.delete_records({tp: RecordsToDelete(before_offset=5)})
    await admin.close()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=kafka.group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([tp])
    await consumer.commit({tp: committed})
    await consumer.stop()

    with Worker(kafka, tmp_path / "only") as only:
        events = await kafka.events(3)
        log = only.log.read_text()

    assert events == [b"0/5", b"0/6", b"0/7"]
    assert "not in the log" in log


async def test_a_foreign_record_in_a_changelog(kafka, tmp_path):
    """A worker does not start on a changelog that somebody else wrote to: it ends, and says where and what to do."""
    await kafka.producer.send_and_wait(kafka.prefix + TABLE, b"{}", b"k", 0)
    with Worker(kafka, tmp_path / "only") as only:
        code = await only.ended(40)

    assert code == 70
    assert f"{kafka.prefix}{TABLE}, partition 0, offset 0: not written by a worker" in only.log.read_text()


async def put_changelog(producer: AIOKafkaProducer, topic: str, *rows: tuple[bytes, int, bytes | None]) -> None:
    for key, at, value in rows:
        await producer.send_and_wait(topic, value, key, 0, headers=list(position_header(at)))


async def test_loading_what_compaction_and_transactions_leave(kafka):
    """A changelog whose beginning is gone, with tombstones and with a marker as its last record, is read to its end."""
    topic = kafka.prefix + OUT  # Kafka deletes no records by hand where it compacts
    tp = TopicPartition(topic, 0)
    await put_changelog(
        kafka.producer, topic, (b"gone", 1, b"x"), (b"a", 9, b"old"), (b"a", 17, b"new"), (b"b", 18, b"y")
    )
    await put_changelog(kafka.producer, topic, (b"b", 26, None), (b"a", 10, b"late"))
    await with_marker(kafka, topic)
    await until_end(kafka, tp, 8)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.delete_records({tp: RecordsToDelete(before_offset=1)})
    await admin.close()
    loaded = Loaded()

    ends = await read_changelogs(Options((kafka.bootstrap,), stall_s=10), {tp: None}, loaded.take)

    shelf = Shelf(loaded.held[tp])
    assert ends[tp] == 8
    assert (shelf.held(b"a"), shelf.held(b"b")) == (Held(17, b"new"), Held(26, None))
    assert dict(shelf.items()) == {b"a": b"new", b"c": b"z"}


async def with_marker(kafka: Kafka, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=kafka.prefix)
    await producer.start()
    async with producer.transaction():
        await put_changelog(producer, topic, (b"c", 33, b"z"))
    await producer.stop()


async def until_end(kafka: Kafka, tp: TopicPartition, end: int) -> None:
    """The marker is written after the commit was answered: waits until it is there."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap)
    await consumer.start()
    async with asyncio.timeout(10):
        while (await consumer.end_offsets([tp]))[tp] != end:  # noqa: ASYNC110 - the broker tells it to nobody
            await asyncio.sleep(0.02)
    await consumer.stop()


class Successor:
    """An app that has loaded partition 0 and holds these, as the check for late writes sees it."""

    def __init__(self, kafka: Kafka, held: dict[bytes, Held]) -> None:
        self.kafka = kafka
        self.options = Options((kafka.bootstrap,), session_s=0.02, silent_s=2)
        self.shelf = Shelf({key: each.packed() for key, each in held.items()})
        topic = kafka.prefix + TABLE
        self.memory = [SimpleNamespace(changelog=topic, shelf=lambda _: self.shelf)]
        self.stage, self.conf, self.pump = SimpleNamespace(name="trial"), SimpleNamespace(id="rw-trial"), self
        self.late_writes = LateWrites(self)

    async def restate(self, postings: Any) -> None:
        made: list[Posting] = postings()
        for put in made:
            await self.kafka.producer.send_and_wait(
                put.topic, put.value, put.key, put.partition, None, list(put.headers)
            )


async def test_a_late_write_is_written_over(kafka):
    """What a predecessor wrote after we did is not the last word in the log, and memory drops its tombstones."""
    topic = kafka.prefix + TABLE
    successor = Successor(kafka, {b"k": Held(17, b"ours"), b"gone": Held(25, None), b"fine": Held(9, b"x")})
    await put_changelog(kafka.producer, topic, (b"k", 17, b"ours"), (b"gone", 25, None), (b"fine", 9, b"x"))
    await put_changelog(kafka.producer, topic, (b"k", 10, b"late"), (b"gone", 11, b"late"))

    successor.late_writes.expect({TopicPartition(topic, 0): 0}, {})
    assert await eventually(lambda: not successor.shelf.keeps_tombstones, 20)

    last = {}
    for record in await kafka.all_of(TABLE, until=lambda seen: len(seen) >= 7):
        last[record.key] = record.value
    assert last == {b"k": b"ours", b"gone": None, b"fine": b"x"}
    assert successor.late_writes.rewritten == 2
    assert successor.shelf.held(b"gone") is None


async def test_a_write_that_was_frozen_on_its_way_is_written_over(kafka):
    """The changelog is looked at once more when no connection of a frozen predecessor can be there any more.

    The story: a part of a request was in the socket when the machine was suspended. No look at a lease helps, the rest
    of it leaves when the machine goes on: after the first check. What was forgotten meanwhile must not come back then;
    found by the simulator, when it held back the writes to one table (the tombstones were dropped at the first check).
    """
    tp = TopicPartition(kafka.prefix + TABLE, 0)
    successor = Successor(kafka, {b"k": Held(17, b"ours"), b"gone": Held(25, None)})
    await put_changelog(kafka.producer, tp.topic, (b"k", 17, b"ours"), (b"gone", 25, None))
    successor.late_writes.expect({tp: 0}, {})
    assert await eventually(lambda: successor.late_writes.looks == 1, 20)

    await put_changelog(kafka.producer, tp.topic, (b"k", 10, b"late"), (b"gone", 11, b"late"))
    assert await eventually(lambda: successor.late_writes.looks == 2, 20)

    records = await kafka.all_of(TABLE, until=lambda seen: len(seen) >= 6)
    assert [record.value for record in records] == [b"ours", None, b"late", b"late", b"ours", None]
    assert await eventually(lambda: successor.shelf.held(b"gone") is None, 20)


async def test_a_late_write_before_the_load_is_written_over(kafka):
    """What lay behind our predecessor's state when we loaded is not the last word in the log, for ever.

    The story: an owner loads, decides, and is called away (a rollout) before its check; then the write of the owner
    before it arrives. The next one loads the right state, and its check reads only what comes after: an hour later,
    compaction keeps the old one, and a decided request lies on the desk again.
    """
    tp = TopicPartition(kafka.prefix + TABLE, 0)
    await put_changelog(kafka.producer, tp.topic, (b"k", 10, b"first"), (b"k", 17, b"decided"), (b"fine", 9, b"x"))
    await put_changelog(kafka.producer, tp.topic, (b"gone", 11, b"y"), (b"gone", 25, None))
    await put_changelog(kafka.producer, tp.topic, (b"k", 10, b"first"), (b"gone", 11, b"y"))
    loaded = Loaded()
    ends = await read_changelogs(Options((kafka.bootstrap,)), {tp: None}, loaded.take)
    successor = Successor(kafka, {key: Held.unpacked(packed) for key, packed in loaded.held[tp].items()})

    successor.late_writes.expect(ends, loaded.late)
    assert await eventually(lambda: not successor.shelf.keeps_tombstones, 20)

    records = await kafka.all_of(TABLE, until=lambda seen: len(seen) >= 9)
    assert {record.key: record.value for record in records} == {b"k": b"decided", b"fine": b"x", b"gone": None}
    assert successor.late_writes.rewritten == 2


async def test_a_revocation_calls_the_check_off(kafka):
    """Who has lost the partition restates nothing; its next owner makes its own check."""
    topic = kafka.prefix + TABLE
    successor = Successor(kafka, {b"k": Held(17, b"ours")})
    await put_changelog(kafka.producer, topic, (b"k", 10, b"late"))
    successor.late_writes.expect({TopicPartition(topic, 0): 0}, {})
    checking = successor.late_writes._task

    successor.late_writes.call_off()
    await asyncio.gather(checking, return_exceptions=True)

    assert (checking.cancelled(), successor.late_writes.rewritten) == (True, 0)
