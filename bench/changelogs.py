"""Changelogs of the desk to load: one fresh, one worn by use, written to a real Kafka."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import confluent_kafka

from bench.entries import Life, other_ids
from pipeline.domain.messages import DESK
from pipeline.postings import Phase, partition_of, position, position_header
from pipeline.settings import Settings

UNSENT_MAX = 10_000  # records in the writer's hands
OLD_OFFSET = 1000  # in approval's inbox, of what placed the first entries


class Write(NamedTuple):
    """One changelog record."""

    key: bytes
    value: bytes | None
    at: int


def fresh(stages: Sequence[Life], count: int) -> Iterator[Write]:
    """So many pending requests, and nothing else."""
    sources = itertools.cycle([other_ids(life, life.waiting) for life in stages])
    for offset in range(count):
        key, value = next(next(sources))
        yield Write(key, value, position(OLD_OFFSET + offset, Phase.MEMORY))


def worn(stages: Sequence[Life], count: int) -> Iterator[Write]:
    """As many pending in the end, after half of them were written twice and half as many more were forgotten."""
    for number, write in enumerate(fresh(stages, count + count // 2)):
        yield write
        later = position(OLD_OFFSET + number + count, Phase.MEMORY)
        if number % 3 == 0:
            yield Write(write.key, None, later)
        elif number % 3 == 1:
            yield Write(write.key, write.value, later)


def put(settings: Settings, writes: Iterator[Write], tell: Callable[[str], object]) -> int:
    """Write them to the desk's changelog; how many records that were."""
    [bootstrap] = settings.kafka_bootstrap_servers
    topic, partitions = settings.topic_prefix + DESK, settings.topic_partitions
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 20, "queue.buffering.max.messages": 2 * UNSENT_MAX}
    )
    count = 0
    for count, (key, value, at) in enumerate(writes, 1):
        while len(producer) > UNSENT_MAX:
            producer.poll(0.1)
        producer.produce(topic, value, key, partition_of(key, partitions), headers=list(position_header(at)))
        if count % 50_000 == 0:
            tell(f"  {count:,} records written")
    if left := producer.flush(60):
        raise RuntimeError(f"{left} records were not written within 60 s: is the broker too slow?")
    return count
