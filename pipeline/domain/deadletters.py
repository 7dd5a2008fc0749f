"""What becomes of a record that no stage can use: its reason, where it came from, and itself, sealed.

A dead letter's words hold none of the input's content. The reasons are a closed list (`reasons.DeadReason`), and it is
the metric label and the alert. Sealing is not done here: it comes in as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.domain.ids import Origin
from pipeline.domain.jsontext import read_json, write_json
from pipeline.domain.messages import DEAD_LETTERS
from pipeline.domain.reasons import DeadReason

RECORD_BYTES_MAX = 1_000_000
# An empty header counts no byte and costs two in the log: a record of 3 MB may hold a million and a half.
RECORD_HEADERS_MAX = 1_000


class DeadLetter(NamedTuple):
    """One record of `dead-letters` (contract, section 4). `dead_at_ms` is the broker's time of the record that died."""

    reason: DeadReason
    stage: str
    source: Origin
    dead_at_ms: int
    sealed: str | None
    sha256: str | None = None
    detail: str | None = None
    request_id: str | None = None
    org_id: int | None = None

    @property
    def topic(self) -> str:
        """Always `dead-letters`."""
        return DEAD_LETTERS

    @property
    def key(self) -> bytes:
        """The requestId where one is known, else the place of the origin."""
        return (self.request_id or self.source.place).encode()

    def value(self) -> bytes:
        """One JSON object; `requestId` and `orgId` where known, `sha256` where nothing is sealed."""
        source = self.source
        letter = {
            "reason": self.reason,
            "detail": self.detail or self.reason.sentence,
            "stage": self.stage,
            "source": {
                "topic": source.topic,
                "partition": source.partition,
                "offset": source.offset,
                "timestamp": source.time_ms,
            },
            "deadAt": self.dead_at_ms,
        }
        letter |= {} if self.request_id is None else {"requestId": self.request_id}
        letter |= {} if self.org_id is None else {"orgId": self.org_id}
        letter |= {"redriven": 0, "sealed": self.sealed}
        letter |= {} if self.sha256 is None else {"sha256": self.sha256}
        return write_json(letter).encode()

    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """`rw-reason`, and the stage."""
        return (("rw-reason", self.reason.encode()), ("rw-stage", self.stage.encode()))


def record_size(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> int:
    """Bytes of key, value and headers together (contract, section 4)."""
    inside = sum(len(name.encode()) + len(held or b"") for name, held in headers)
    return len(key or b"") + len(value or b"") + inside


def is_too_large(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> bool:
    """More bytes or more headers than anybody needs: hashed, not sealed."""
    return len(headers) > RECORD_HEADERS_MAX or record_size(key, value, headers) > RECORD_BYTES_MAX


def original_bytes(key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    """The original record in one piece, to be sealed: a line of JSON with the lengths, then all bytes in a row.

    `read_original` takes it apart again. The lengths are null where the record had no key, no value or no header value.
    Names lie among the bytes, because JSON would make a name of control characters six times as long.
    """
    parts = [key, value, *(part for name, held in headers for part in (name.encode(), held))]
    lengths = [None if part is None else len(part) for part in parts]
    return write_json(lengths).encode() + b"\n" + b"".join(part or b"" for part in parts)


def read_original(raw: bytes) -> tuple[bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]:
    """Key, value and headers of a record that `original_bytes` put into one piece."""
    table, _, rest = raw.partition(b"\n")
    parts: list[bytes | None] = []
    at = 0
    for length in read_json(table.decode()):
        parts.append(None if length is None else rest[at : at + length])
        at += length or 0
    key, value, *others = parts
    names = [(name or b"").decode() for name in others[::2]]
    return key, value, tuple(zip(names, others[1::2], strict=True))
