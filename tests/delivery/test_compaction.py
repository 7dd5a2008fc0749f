"""On a real Kafka that really compacts: a changelog is loaded right from what is left of it."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import ConsumerRecord, TopicPartition
from delivery.kafka import Kafka

from pipeline.delivery.loading import Loaded, read_changelogs
from pipeline.delivery.memory import Held, Shelf
from pipeline.delivery.options import Options
from pipeline.postings import Phase, position, position_header

# Compacted as soon as the cleaner looks again, every 15 s: the last segment of a log, which is never compacted, is
# closed by the next write that comes a little later.
SOON = {
    "cleanup.policy": "compact",
    "segment.ms": "200",
    "min.cleanable.dirty.ratio": "0.001",
    "min.compaction.lag.ms": "0",
}
# What compaction leaves of a tombstone depends on this alone: here it stays, there the next round removes it.
KEPT, REMOVED = {"delete.retention.ms": "86400000"}, {"delete.retention.ms": "0"}
TOPICS = {"kept": SOON | KEPT, "removed": SOON | REMOVED}
COMPACTED_S_MAX = 60.0
REQUESTS = 200
PENDING = b"pending" * 100
TICK = b"tick"

Row = tuple[bytes, int, bytes | None]


def at(step: int) -> int:
    return position(step, Phase.MEMORY)


def written() -> list[Row]:
    """Each request is placed; two of three end, and one of these is forgotten. A write of a frozen predecessor comes
    late to some of each kind and is written over.
    """
    rows: list[Row] = [(b"%d" % number, at(number), PENDING) for number in range(REQUESTS)]
    for number in range(REQUESTS):
        key, placed = b"%d" % number, (b"%d" % number, at(number), PENDING)
        ended = (key, at(REQUESTS + number), b"ended %d" % number)
        gone = (key, at(2 * REQUESTS + number), None)
        last = [placed, ended, gone][number % 3]
        rows += [[], [ended], [ended, gone]][number % 3]
        rows += [placed, last] if number % 5 == 0 else []
    return rows


@pytest.fixture
async def kafka(broker, prefix):
    async with Kafka(broker, prefix) as opened:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        await admin.create_topics([NewTopic(prefix + name, 1, 1, topic_configs=how) for name, how in TOPICS.items()])
        await admin.close()
        yield opened


async def put(producer: AIOKafkaProducer, topic: str, rows: list[Row]) -> None:
    sent = [
        await producer.send(topic, value, key, 0, headers=list(position_header(place))) for key, place, value in rows
    ]
    await asyncio.gather(*sent)


async def records_in(kafka: Kafka, tp: TopicPartition) -> list[ConsumerRecord]:
    """All that the log holds now, but for what only keeps it going."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    consumer.assign([tp])
    end, found = (await consumer.end_offsets([tp]))[tp], []
    while await consumer.position(tp) < end:
        found += (await consumer.getmany(tp, timeout_ms=100)).get(tp, [])
    await consumer.stop()
    return [record for record in found if record.key != TICK]


async def compacted(kafka: Kafka, tp: TopicPartition, left: int) -> dict[bytes, bytes | None]:
    """What the log holds as soon as compaction has left no more than so many records. Something is written all the
    while, as on any living changelog: only that closes a segment, and only what has something new is compacted again.
    """
    deadline = time.monotonic() + COMPACTED_S_MAX
    for step in itertools.count(3 * REQUESTS):
        found = await records_in(kafka, tp)
        if len(found) <= left:
            break
        if time.monotonic() > deadline:
            gone = sum(record.value is None for record in found)
            pytest.fail(
                f"not compacted within {COMPACTED_S_MAX:.0f} s: {tp.topic} still holds {len(found)} of "
                f"{len(written())} records, {gone} of them tombstones, and {left} were to be left; does the broker's "
                "log cleaner run? See broker.log in its data folder"
            )
        await put(kafka.producer, tp.topic, [(TICK, at(step), b"tick")])
        await asyncio.sleep(0.25)
    assert len({record.key for record in found}) == len(found)
    return {record.key: record.value for record in found}


async def loaded(kafka: Kafka, tp: TopicPartition) -> Shelf:
    """By the product's loader, which finds no write that came late: each was written over, and is compacted away."""
    found = Loaded()
    await read_changelogs(Options((kafka.bootstrap,), stall_s=10), {tp: None}, found.take)
    assert found.late[tp] == {}
    return Shelf(found.held[tp])


async def test_loading_what_the_broker_has_compacted(kafka: Kafka) -> None:
    """What is left of a changelog, with its tombstones and when they are gone, is loaded as it was written."""
    last = {key: Held(place, value) for key, place, value in written()}
    there = {key: held for key, held in last.items() if held.value is not None}
    kept, removed = (TopicPartition(kafka.prefix + name, 0) for name in TOPICS)
    await asyncio.gather(*(put(kafka.producer, tp.topic, written()) for tp in (kept, removed)))

    left = await asyncio.gather(compacted(kafka, kept, len(last)), compacted(kafka, removed, len(there)))
    shelves = [await loaded(kafka, tp) for tp in (kept, removed)]

    assert left[0] == {key: held.value for key, held in last.items()}
    assert left[1] == {key: held.value for key, held in there.items()}
    assert {key: shelves[0].held(key) for key in last} == last
    assert {key: shelves[1].held(key) for key in last} == {key: there.get(key) for key in last}
    for shelf in shelves:
        assert {key: value for key, value in shelf.items() if key != TICK} == left[1]
