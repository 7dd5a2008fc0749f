"""Judges a run on the real broker: reads the topics from their beginning and what the stand-in saw, asks the auditor.

The same auditor judges the simulator's worlds. Read with librdkafka, so nothing depends on our own client. What is
gathered here is evidence; what is right stands in `simulation.auditor`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import confluent_kafka as rd
from broker.traffic import MARKED, Traffic
from broker.world import QUIET, TOLD, World
from simulation.auditor import Effect, Evidence
from simulation.inputs import Sent
from simulation.ledger import heard_in
from simulation.stories import Told, told_in

from pipeline.domain.marks import Kind, read_mark
from pipeline.topology import read_topics

PASSWORD = "b2J2aW91c2x5OmZha2U="  # of every submission; may stand in the public topics and nowhere else
PUBLIC = ("requests.submitted", "decisions.submitted")
# Who reads which topic: together, everything that can be under way.
READERS = {
    "requests.submitted": "rw-intake",
    "decisions.submitted": "rw-intake",
    "requests.received": "rw-validation",
    "approval.inbox": "rw-approval",
    "execution.inbox": "rw-execution",
}
STATUS_PATH = "/v2/customers/lookup/status"
ANSWER_S = 10.0
LOOK_S = 0.1  # the client waits so long for a full batch


def _client(world: World, group: str) -> rd.Consumer:
    return rd.Consumer(
        {
            "bootstrap.servers": world.bootstrap,
            "group.id": world.prefix + group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            **QUIET,
        }
    )


def _partitions(world: World, topic: str) -> list[rd.TopicPartition]:
    count = int(world.environment["RW_TOPIC_PARTITIONS"])
    return [rd.TopicPartition(world.prefix + topic, partition, rd.OFFSET_BEGINNING) for partition in range(count)]


class Lag:
    """How far each stage is behind, as the broker has it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._consumers = {group: _client(world, group) for group in set(READERS.values())}

    def close(self) -> None:
        for consumer in self._consumers.values():
            consumer.close()

    def look(self) -> tuple[int, int]:
        """(records that a stage has not committed or an observer not seen, records that were ever written)."""
        written = sum(self._end(self._consumers["rw-intake"], place) for t in TOLD for place in self._places(t))
        behind = written - len(self._world.seen)
        for topic, group in READERS.items():
            consumer = self._consumers[group]
            for held in consumer.committed(self._places(topic), timeout=ANSWER_S):
                end = self._end(consumer, held)
                behind += end - max(held.offset, 0)
                written += end
        return behind, written

    def _places(self, topic: str) -> list[rd.TopicPartition]:
        return _partitions(self._world, topic)

    def _end(self, consumer: rd.Consumer, place: rd.TopicPartition) -> int:
        return int(consumer.get_watermark_offsets(place, timeout=ANSWER_S)[1])


def records(world: World, *topics: str) -> Iterator[rd.Message]:
    """Everything in these topics, from the beginning; in order within a partition."""
    consumer = _client(world, "auditor")
    wanted = [partition for topic in topics for partition in _partitions(world, topic)]
    consumer.assign(wanted)
    moved_at = time.monotonic()
    left = {(place.topic, place.partition) for place in wanted}
    try:
        while left:
            found = consumer.consume(1000, LOOK_S)
            if found:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > ANSWER_S:
                raise AssertionError(f"{len(left)} partitions of {topics} gave nothing for {ANSWER_S:.0f} s")
            for message in found:
                if message.error() is None:
                    yield message
                elif message.error().code() == rd.KafkaError._PARTITION_EOF:
                    left.discard((message.topic(), message.partition()))
                else:
                    raise AssertionError(f"{topics} cannot be read: {message.error()}")
    finally:
        consumer.close()


def waits_for_another_try(world: World) -> bool:
    """Whether execution remembers something that time alone will take up again: no topic shows that as a lag."""
    held: dict[tuple[str, bytes], bytes | None] = {
        (message.topic(), message.key()): message.value()
        for message in records(world, "execution.intents", "execution.results")
    }
    kinds = {read_mark(value).kind for value in held.values() if value is not None}
    return bool(kinds & {Kind.TRYING, Kind.HELD})


def _clear(world: World, logs: list[Path]) -> Iterator[bytes]:
    """Every byte that must hold no secret: all topics but the public two, and what the workers logged."""
    topics = [topic.name for topic in read_topics() if topic.name not in PUBLIC]
    for message in records(world, *topics):
        yield b" ".join([message.key() or b"", message.value() or b"", repr(message.headers()).encode()])
    for log in logs:
        with log.open("rb") as lines:
            yield from lines


def gather(world: World, traffic: Traffic) -> Evidence:
    """All there is to judge by; the topics must be quiet."""
    told = [told_in(message.headers() or (), message.value()) for message in records(world, "events")]
    attempts, effects = _calls(world, told)
    return Evidence(
        wishes=traffic.wishes,
        words=traffic.words,
        told=told,
        heard=[heard_in(message.value(), message.timestamp()[1]) for message in records(world, "approval.inbox")],
        letters=[json.loads(message.value()) for message in records(world, "dead-letters")],
        effects=effects,
        attempts=attempts,
        clear=_clear(world, sorted(world.folder.glob("worker*.log"))),
        canaries=(PASSWORD,),
    )


def _calls(world: World, told: list[Told]) -> tuple[list[Effect], list[Effect]]:
    """What Intouch saw, and what of it had an effect; whose call it was is told by the mark in its body."""
    owners: dict[str, str] = {}
    for one in told:
        if (mark := MARKED.search(one.value.decode())) and one.kind == "state":
            owners.setdefault(mark[0], one.event["data"]["requestId"])
    seen = [call for call in list(world.intouch.stand_in.calls) if call.body]
    found: list[tuple[Any, bool]] = []
    changed: set[str] = set()
    for call in seen:
        mark = MARKED.search(call.body)
        name = mark[0] if mark else call.body[:40]
        is_same = name in changed  # a status that is set again is set
        query = dict(parse_qsl(call.query, keep_blank_values=True))
        sent = Sent(call.method, world.intouch.origin, call.path, query, json.loads(call.body))
        found.append((Effect(owners.get(name, name), sent), call.applied and not is_same))
        changed |= {name} if call.path == STATUS_PATH and call.applied else set()
    return [effect for effect, _ in found], [effect for effect, is_applied in found if is_applied]
