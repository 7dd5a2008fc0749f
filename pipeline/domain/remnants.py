"""What is left of a request when the world knows how it ended: one short line for each table that keeps it.

These are held by the hundred thousand, for a week each, so they are written without names: the mark, and behind it
what the mark does not say. Times count against the mark's, an origin's topic is known from its place, and of a digest
128 bits stay: enough to tell two payloads of one idempotency key apart. No rule may live here.
"""

from __future__ import annotations

import base64
from abc import abstractmethod
from collections.abc import Iterable
from typing import Literal, NamedTuple, Self

from pydantic import TypeAdapter

from pipeline.domain.ids import Origin
from pipeline.domain.lines import Lined
from pipeline.domain.marks import Kind, Mark, read_mark
from pipeline.domain.messages import DECISIONS_SUBMITTED, REQUESTS_SUBMITTED
from pipeline.domain.outcomes import Effect
from pipeline.domain.request_types import RequestType

Ruling = Literal["approved", "rejected", "expired", "refused"]

_DIGEST_BYTES = 16


class Remembered(Lined):
    """Begins with its mark, a line of its own."""

    @abstractmethod
    def mark(self) -> Mark:
        """What it is, for whoever looks through everything."""

    def value(self) -> bytes:
        """The entry's bytes."""
        return f"{self.mark()}\n".encode() + super().value()


def behind_mark(value: bytes) -> bytes:
    """An entry without its mark; raises `ValueError` where there is no second line."""
    return value[value.index(b"\n") + 1 :]


def shortened(digest: str) -> str:
    """The first 128 bits of a digest in hex, as 22 characters of URL-safe base64."""
    return base64.urlsafe_b64encode(bytes.fromhex(digest)[:_DIGEST_BYTES]).decode().rstrip("=")


class Decider(NamedTuple):
    """The record of `decisions.submitted` that decided; `after_ms` counts from the mark's time."""

    partition: int
    offset: int
    after_ms: int


class SettledLine(NamedTuple):
    """The second line of a `Settled`, a JSON array. `after_ms` is the submission's, counted from the mark's time.

    `decided_by` is 0 where the type's own rule decided, by the submission itself, and null where nobody did.
    """

    ruling: Ruling
    org_id: int
    partition: int
    offset: int
    after_ms: int
    digest: str | None
    decided_by: Decider | Literal[0] | None


_settled_line = TypeAdapter(SettledLine)


class Settled(Remembered):
    """All that is left when the world knows. Its term of memory counts from `ended_ms`.

    That is when approval knew how it ended, or the last use of its key, whichever is later; None while execution has
    not told the ending. `digest` is the shortened one.
    """

    org_id: int
    request_type: RequestType
    first: Origin
    digest: str | None = None
    ruling: Ruling
    decided_by: Origin | None = None
    ended_ms: int | None = None

    def has_digest(self, digest: str) -> bool:
        """It was a request with this payload."""
        return self.digest == shortened(digest)

    def mark(self) -> Mark:
        if self.ended_ms is None:
            return Mark(Kind.HANDED, self.request_type, self.first.time_ms)
        return Mark(Kind.SETTLED, self.request_type, self.ended_ms)

    def value(self) -> bytes:
        mark, first = self.mark(), self.first
        assert first.topic == REQUESTS_SUBMITTED
        line = SettledLine(
            ruling=self.ruling,
            org_id=self.org_id,
            partition=first.partition,
            offset=first.offset,
            after_ms=first.time_ms - mark.since_ms,
            digest=self.digest,
            decided_by=self._decider(mark.since_ms),
        )
        return f"{mark}\n".encode() + _settled_line.dump_json(line)

    def _decider(self, since_ms: int) -> Decider | Literal[0] | None:
        origin = self.decided_by
        if origin is None:
            return None
        if origin == self.first:
            return 0
        assert origin.topic == DECISIONS_SUBMITTED
        return Decider(origin.partition, origin.offset, origin.time_ms - since_ms)

    @classmethod
    def read(cls, value: bytes) -> Self:
        """What these bytes say; raises `ValueError` for anything else."""
        mark, line = read_mark(value), _settled_line.validate_json(behind_mark(value), strict=True)
        first = Origin(REQUESTS_SUBMITTED, line.partition, line.offset, mark.since_ms + line.after_ms)
        return cls(
            org_id=line.org_id,
            request_type=mark.request_type,
            first=first,
            digest=line.digest,
            ruling=line.ruling,
            decided_by=_origin_of(line.decided_by, first, mark.since_ms),
            ended_ms=mark.since_ms if mark.kind is Kind.SETTLED else None,
        )


def _origin_of(decider: Decider | Literal[0] | None, first: Origin, since_ms: int) -> Origin | None:
    if isinstance(decider, Decider):
        return Origin(DECISIONS_SUBMITTED, decider.partition, decider.offset, since_ms + decider.after_ms)
    return None if decider is None else first


class Finished(Remembered):
    """All that is left of a call when the world knows how it ended, at `at_ms`.

    Its second line is the effect, and behind it where the approval came from and the resolutions that counted: a letter
    for the topic, and `partition/offset`. An approval from elsewhere is about another request of the same name: its
    idempotency key was used again when approval had forgotten the first, and execution had not.
    """

    request_type: RequestType
    at_ms: int
    effect: Effect
    approval: str
    words: tuple[str, ...] = ()

    def is_of(self, approval: Origin) -> bool:
        """It is what is left of the request that was approved so."""
        return self.approval == _short_place(approval)

    def was_told_by(self, origin: Origin) -> bool:
        """The record of `decisions.submitted` with this origin is one of the resolutions that counted."""
        return _short_place(origin) in self.words

    def mark(self) -> Mark:
        return Mark(Kind.FINISHED, self.request_type, self.at_ms)

    def value(self) -> bytes:
        return f"{self.mark()}\n{' '.join((self.effect, self.approval, *self.words))}".encode()

    @classmethod
    def of(
        cls, request_type: RequestType, at_ms: int, effect: Effect, *, approval: Origin, words: Iterable[Origin]
    ) -> Self:
        """What is left when the request was approved and resolved by these records."""
        approved, *resolved = map(_short_place, (approval, *words))
        return cls(request_type=request_type, at_ms=at_ms, effect=effect, approval=approved, words=tuple(resolved))

    @classmethod
    def read(cls, value: bytes) -> Self:
        """What these bytes say; raises `ValueError` for anything else."""
        mark = read_mark(value)
        effect, approval, *words = behind_mark(value).decode().split(" ")
        return cls(
            request_type=mark.request_type,
            at_ms=mark.since_ms,
            effect=Effect(effect),
            approval=approval,
            words=tuple(words),
        )


def _short_place(origin: Origin) -> str:
    return f"{origin.topic[0]}{origin.partition}/{origin.offset}"
