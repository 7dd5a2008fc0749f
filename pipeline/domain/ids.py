"""Ids derived from what is already durable (contract, section 5): nothing random, so a replay tells the same event.

Everything goes back to an origin, the public record with its topic (without prefix), partition, offset and broker
time, or to an idempotency key. Never to an internal hop: a crash upstream writes the same hop twice.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import NamedTuple

# 100 ns steps between the epoch of UUID version 1 (15 October 1582) and the Unix epoch (RFC 9562, section 5.1).
_GREGORIAN_OFFSET = 0x01B21DD213814000


class Origin(NamedTuple):
    """The public record that something goes back to. `time_ms` is the broker's time, epoch milliseconds."""

    topic: str
    partition: int
    offset: int
    time_ms: int

    @property
    def place(self) -> str:
        """`topic/partition/offset`: the key of a dead letter that has no requestId."""
        return f"{self.topic}/{self.partition}/{self.offset}"


def _digest(*parts: bytes | str | int) -> bytes:
    """SHA-256 over the parts, each preceded by its length, so that no two lists of parts look alike."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.digest()


def _in_form(digest: bytes, version: int) -> str:
    """122 bits of the digest in the form of a UUID of this version."""
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF << 76) | version << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=number))


def request_id(origin: Origin) -> str:
    """A UUID version 1 whose time is the submission's, and whose clock and node are a hash of its place."""
    time = origin.time_ms * 10_000 + _GREGORIAN_OFFSET
    digest = _digest("request", origin.topic, origin.partition, origin.offset)
    clock, node = int.from_bytes(digest[:2], "big") & 0x3FFF, int.from_bytes(digest[2:8], "big")
    return str(
        uuid.UUID(
            fields=(
                time & 0xFFFFFFFF,
                time >> 32 & 0xFFFF,
                time >> 48 & 0x0FFF | 0x1000,
                clock >> 8 | 0x80,
                clock & 0xFF,
                node,
            )
        )
    )


def keyed_request_id(*, org_id: int, maker_id: int, key: bytes) -> str:
    """The same for the same org, maker and idempotency key; in the form of a UUID version 1."""
    return _in_form(_digest("idempotency-key", org_id, maker_id, key), 1)


def event_id(request: str, state: str, cause: Origin, attempt: int = 0) -> str:
    """Stable: the same state of the same request, from the same cause and attempt, has the same id."""
    return _in_form(_digest("event", request, state, cause.topic, cause.partition, cause.offset, attempt), 4)


def api_request_id(origin: Origin) -> str:
    """32 hex digits, for a submission or decision that brought none of its own."""
    return _digest("api-request", origin.topic, origin.partition, origin.offset)[:16].hex()
