"""Records on their way out: which partition, which headers, which position. Pure; nothing here waits or sends.

The partition is Kafka's own choice (murmur2 of the key), so that other clients and we agree where a request lives.
The position says which inbox record caused a changelog record: it decides which of two writes of a key counts, however
late one of them arrives (design, "Late writes").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from pipeline.stages import Headers, Post

POSITION_HEADER = "rw-position"
# A topic takes 3,000,000 bytes at once (contract, section 4); the rest is for what Kafka adds to a record.
POSTING_BYTES_MAX = 2_900_000
STEPS = 8  # positions per inbox offset; more than Phase has members, and a power of two
GENERATIONS = 1 << 16  # per step; they only tell two owners of one moment apart, so they may begin anew

Stamp = Callable[[str, bytes, bytes], Headers]  # (topic without prefix, key, value) -> headers that prove the writer


class Phase(IntEnum):
    """The step of a message that writes memory; part of a write's position.

    Memory without a call stands above a call's outcome: the new owner of an intent without a result declares it in
    doubt at the very offset at which a frozen predecessor may still write the outcome, and what was told must stay.
    Below all stands what gives way: a predecessor found that the call had better wait, the new owner makes it at the
    same offset, and a late write of the former must not hide that.
    """

    GIVES_WAY = 0
    INTENT = 1
    OUTCOME = 2
    MEMORY = 3
    AFTERWARDS = 5


class Posting(NamedTuple):
    """One record to be appended. `topic` is the full name; a `value` of None is a tombstone."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: Headers

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        return len(self.key) + len(self.value or b"") + sum(len(name) + len(held) for name, held in self.headers)


def position(offset: int, phase: Phase, generation: int = 0) -> int:
    """Later messages of a partition, and later phases of one message, have higher positions; so has, of the same phase
    of the same message, what a later owner writes. `generation` is the consumer group's.

    Two owners write the same, unless settings have changed between them. Then the later one has acted on what it wrote.
    """
    return (offset * STEPS + phase) * GENERATIONS + generation % GENERATIONS


def position_header(at: int) -> Headers:
    """The header that carries a position into the changelog, as decimal text."""
    return ((POSITION_HEADER, str(at).encode()),)


def position_of(headers: tuple[tuple[str, bytes | None], ...]) -> int:
    """The position a changelog record carries. ValueError if it has none: we did not write that record."""
    for name, text in headers:
        if name == POSITION_HEADER and text is not None:
            return int(text)
    raise ValueError(f"a changelog record without a {POSITION_HEADER} header: not written by this pipeline")


def murmur2(data: bytes) -> int:
    """Kafka's hash of a key. Reads four bytes at a time: the client's own goes byte by byte and costs three times as
    much.
    """
    mask, mix = 0xFFFFFFFF, 0x5BD1E995
    whole = len(data) & ~3
    state = 0x9747B28C ^ len(data)
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * mix & mask
        word ^= word >> 24
        state = (state * mix & mask) ^ (word * mix & mask)
    if len(data) & 3:
        state = (state ^ int.from_bytes(data[whole:], "little")) * mix & mask
    state ^= state >> 13
    state = state * mix & mask
    return state ^ state >> 15


def partition_of(key: bytes, count: int) -> int:
    """Where Kafka's default partitioner puts a key, of `count` partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % count


@dataclass(frozen=True, slots=True)
class Outlet:
    """How what a stage says becomes a record: the prefix, the partition, and the writer's stamp."""

    prefix: str
    partitions: int
    stamp: Stamp

    def posting(self, post: Post) -> Posting:
        """The record of an event, a dead letter or a handover. The message's bytes are made here, once."""
        topic, key, value = post.topic, post.key, post.value()
        headers = (*post.headers(), *self.stamp(topic, key, value))
        return Posting(self.prefix + topic, partition_of(key, self.partitions), key, value, headers)
