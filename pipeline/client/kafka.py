"""Kafka for the commands: publish one record, follow a topic, read a topic to its end. Everything bounded in time.

No consumer group is joined and nothing is committed, so that looking leaves no trace on the broker. What goes wrong
leaves as `ClientError`, one sentence. What the records mean is not known here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from pipeline.connection import ConnectionProblem, client_options, knock
from pipeline.domain.ids import Origin
from pipeline.postings import partition_of
from pipeline.settings import Settings

Headers = tuple[tuple[str, bytes], ...]

REQUEST_S_MAX = 20.0
ANSWER_S_MAX = 10.0
STALL_S_MAX = 30.0  # records that are known to be there and do not come
POLL_MS = 250
RECORD_BYTES_MAX = 3_000_000  # what the topics take
FETCH_BYTES_MAX = 32 << 20


class ClientError(Exception):
    """What was asked cannot be done; the message is one sentence that says what, where and what to do."""


class Outgoing(NamedTuple):
    """A record to be published. `topic` is without the prefix; the headers may hold a token: never log them."""

    topic: str
    value: bytes
    headers: Headers

    def __repr__(self) -> str:
        """Without the headers."""
        return f"Outgoing({self.topic}, {len(self.value)} bytes)"


class Record(NamedTuple):
    """A record as it was read. `time_ms` is the broker's time, epoch milliseconds."""

    partition: int
    offset: int
    time_ms: int
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    def header(self, name: str) -> str | None:
        """The text of the first header of this name; None without one."""
        held = next((value for found, value in self.headers if found == name), None)
        return None if held is None else held.decode("utf-8", "replace")


class Publisher:
    """Publishes to the topics of these settings; made by `publishing`."""

    def __init__(self, producer: AIOKafkaProducer, settings: Settings) -> None:
        self._producer = producer
        self._settings = settings

    async def publish(self, outgoing: Outgoing) -> Origin:
        """Where the record lies, once all in-sync replicas have it. Raises ClientError."""
        topic = self._settings.topic_prefix + outgoing.topic
        with _told_as_sentence(f"publish to {topic}"):
            async with asyncio.timeout(REQUEST_S_MAX):
                await _partitions(self._producer.client, topic)
                sent = await self._producer.send_and_wait(topic, outgoing.value, headers=list(outgoing.headers))
        return Origin(outgoing.topic, sent.partition, sent.offset, sent.timestamp)


@asynccontextmanager
async def publishing(settings: Settings) -> AsyncIterator[Publisher]:
    """A publisher, connected; raises ClientError."""
    await _reach(settings)
    producer = AIOKafkaProducer(
        **client_options(settings),
        acks="all",
        enable_idempotence=True,
        max_request_size=RECORD_BYTES_MAX,
        request_timeout_ms=int(REQUEST_S_MAX * 1000),
    )
    with _told_as_sentence("connect"):
        async with asyncio.timeout(REQUEST_S_MAX):
            await producer.start()
    try:
        yield Publisher(producer, settings)
    finally:
        await producer.stop()


class Reader:
    """Reads one topic from where `reading` put it."""

    def __init__(self, consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]) -> None:
        self._consumer = consumer
        self._places = tuple(places)

    async def more(self) -> list[Record]:
        """What came within a moment (`POLL_MS`), per partition in order; often nothing."""
        with _told_as_sentence("read"):
            found = await self._consumer.getmany(*self._places, timeout_ms=POLL_MS)
        return [_record(one) for records in found.values() for one in records]

    async def is_reachable(self) -> bool:
        """Whether a broker answers: reading alone just brings nothing when none does."""
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                await self._consumer.topics()
        except (TimeoutError, KafkaError):
            return False
        return True

    async def to_end(self) -> AsyncIterator[Record]:
        """Everything up to the end as it is now; raises ClientError when it does not come."""
        with _told_as_sentence("read"):
            async with asyncio.timeout(REQUEST_S_MAX):
                ends = await self._consumer.end_offsets(self._places)
        moved_at = time.monotonic()
        while await self._is_before(ends):
            records = await self.more()
            for record in records:
                yield record
            if records:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > STALL_S_MAX:
                raise ClientError(f"No record came for {STALL_S_MAX:.0f} s although there are more: try again.")

    async def _is_before(self, ends: dict[TopicPartition, int]) -> bool:
        """By position: the tail of a compacted topic may hold no record."""
        with _told_as_sentence("read"):
            async with asyncio.timeout(REQUEST_S_MAX):
                return any([await self._consumer.position(place) < end for place, end in ends.items()])


@asynccontextmanager
async def reading(
    settings: Settings, topic: str, *, from_beginning: bool = True, key: bytes | None = None
) -> AsyncIterator[Reader]:
    """A reader of the topic (name without the prefix): from its beginning, or only of what comes from now on.

    With `key` only the partition in which that key lives. Raises ClientError.
    """
    await _reach(settings)
    full_name = settings.topic_prefix + topic
    consumer = AIOKafkaConsumer(
        **client_options(settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=POLL_MS,
        fetch_max_bytes=FETCH_BYTES_MAX,
        max_partition_fetch_bytes=RECORD_BYTES_MAX + (1 << 20),
        request_timeout_ms=int(REQUEST_S_MAX * 1000),
    )
    try:
        with _told_as_sentence("connect"):
            async with asyncio.timeout(2 * REQUEST_S_MAX):
                partitions = await _look_up(settings, full_name)
                if key is not None:
                    partitions = [partition_of(key, len(partitions))]
                places = [TopicPartition(full_name, partition) for partition in partitions]
                await _start(consumer, places, from_beginning=from_beginning)
        yield Reader(consumer, places)
    finally:
        await consumer.stop()


async def _start(consumer: AIOKafkaConsumer, places: list[TopicPartition], *, from_beginning: bool) -> None:
    await consumer.start()
    consumer.assign(places)
    if from_beginning:
        await consumer.seek_to_beginning(*places)
        return
    await consumer.seek_to_end(*places)
    for place in places:
        await consumer.position(place)  # asked now: "from now on" begins when the reader is there


async def _look_up(settings: Settings, topic: str) -> list[int]:
    client = AIOKafkaClient(**client_options(settings), request_timeout_ms=int(REQUEST_S_MAX * 1000))
    try:
        await client.bootstrap()
        return await _partitions(client, topic)
    finally:
        await client.close()


async def _partitions(client: AIOKafkaClient, topic: str) -> list[int]:
    """The topic's partitions, in order. Asks for all topics, which creates none; raises ClientError."""
    cluster = await client.fetch_all_metadata()
    partitions = sorted(cluster.partitions_for_topic(topic) or ())
    if not partitions:
        raise ClientError(
            f"There is no topic {topic}: run `request-workflow topics create`, or look at RW_TOPIC_PREFIX"
            " and at what this login may see."
        )
    return partitions


async def _reach(settings: Settings) -> None:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its lines would stand between ours
    try:
        await knock(settings)
    except ConnectionProblem as problem:
        raise ClientError(str(problem)) from None


def _record(found: Any) -> Record:
    return Record(
        found.partition, found.offset, found.timestamp, found.key or b"", found.value, tuple(found.headers or ())
    )


class _told_as_sentence:  # noqa: N801 - reads as a function where it stands
    """Turns Kafka's exceptions into a ClientError that says what was being done."""

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, _trace: object) -> None:
        if isinstance(problem, TimeoutError):
            raise ClientError(f"Kafka did not answer within {REQUEST_S_MAX:.0f} s, asked to {self._doing}.") from None
        if isinstance(problem, KafkaError):
            told = str(problem).replace("\n", " ").rstrip(".")
            raise ClientError(f"Kafka refused to {self._doing}: {told}.") from None
