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
from broker.world import QUIET, SEAL_KEY, SECRET, TOLD, World
from expected import CALLS
from simulation.auditor import Effect, Evidence
from simulation.inputs import Sent
from simulation.ledger import heard_in
from simulation.stories import Told, told_in

from pipeline.local.intouch import SeenCall
from pipeline.topology import read_topics

PASSWORD = "b2J2aW91c2x5OmZha2U="  # of every submission; may stand in the public topics and nowhere else
TOKEN = "eyJhbGciOi"  # how every token begins: the first header of a JWT
CANARIES = (PASSWORD, "obviously:fake", TOKEN, SECRET, SEAL_KEY)
PUBLIC = ("requests.submitted", "decisions.submitted")
# The contract: expiry (section 9), tries (11). The run changes none of these; none approves by itself.
EXPIRES_MS = 30 * 86400 * 1000
MAX_ATTEMPTS = 6
RETRY_FOR_S = 60
SLACK_S = 30  # from the decision to begin a call to the call: a broker that is away, a worker that is frozen
DEDUPED = frozenset({"POINTS_REDEMPTION", "EARN_BADGE", "ISSUE_BADGE"})
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


def _bytes(world: World, *topics: str) -> Iterator[bytes]:
    for message in records(world, *topics):
        yield b" ".join([message.key() or b"", message.value() or b"", repr(message.headers()).encode()])


def _clear(world: World, logs: list[Path]) -> Iterator[bytes]:
    """Every byte that must hold no secret: all topics but the public two, and what the workers logged."""
    yield from _bytes(world, *(topic.name for topic in read_topics() if topic.name not in PUBLIC))
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
        resolutions=traffic.resolutions,
        expires_ms=dict.fromkeys(CALLS, EXPIRES_MS),
        max_attempts=MAX_ATTEMPTS,
        tries_for_ms=(RETRY_FOR_S + SLACK_S) * 1000,
        deduped=DEDUPED,
        heard=[heard_in(message.value(), message.timestamp()[1]) for message in records(world, "approval.inbox")],
        letters=[json.loads(message.value()) for message in records(world, "dead-letters")],
        effects=effects,
        attempts=attempts,
        clear=_clear(world, sorted(world.folder.glob("worker*.log"))),
        canaries=CANARIES,
    )


def audit_search(world: World) -> list[str]:
    """The search for secrets can find some: those that makers publish lie in the public topics."""
    public = b"\n".join(_bytes(world, *PUBLIC))
    return [f"{canary} was not found where it is" for canary in (PASSWORD, TOKEN) if canary.encode() not in public]


def audit_rows(calls: list[SeenCall], told: list[Told]) -> list[str]:
    """Each call has method and path of its request's type (contract, section 3)."""
    kinds = {mark: data["requestType"] for mark, data in _by_mark(told).items()}
    marked = [(call, MARKED.search(call.body)) for call in calls if call.body]
    rows = [(call, kinds.get(mark[0], "no type") if mark else "no type") for call, mark in marked]
    return [
        f"{kind} was called as {call.method} {call.path}"
        for call, kind in rows
        if CALLS.get(kind) != (call.method, call.path)
    ]


def _by_mark(told: list[Told]) -> dict[str, Any]:
    """The data of the first event about each mark that a submission's body carries."""
    found: dict[str, Any] = {}
    for one in told:
        if one.kind == "state" and (mark := MARKED.search(one.value.decode())):
            found.setdefault(mark[0], one.event["data"])
    return found


def _calls(world: World, told: list[Told]) -> tuple[list[Effect], list[Effect]]:
    """What Intouch saw, and what of it had an effect; whose call it was is told by the mark in its body."""
    owners = {mark: data["requestId"] for mark, data in _by_mark(told).items()}
    seen = [call for call in list(world.intouch.stand_in.calls) if call.body]
    found: list[tuple[Any, bool]] = []
    changed: set[str] = set()
    for call in seen:
        mark = MARKED.search(call.body)
        name = mark[0] if mark else call.body[:40]
        is_same = name in changed  # a status that is set again is set
        query = dict(parse_qsl(call.query, keep_blank_values=True))
        sent = Sent(call.method, world.intouch.origin, call.path, query, json.loads(call.body))
        found.append((Effect(owners.get(name, name), sent, call.at_ms), call.applied and not is_same))
        changed |= {name} if call.path == STATUS_PATH and call.applied else set()
    return [effect for effect, _ in found], [effect for effect, is_applied in found if is_applied]
