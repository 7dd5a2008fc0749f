"""What approval remembers of a request: the desk, which is the ledger, too.

An entry stays whole until what it caused is durable, then it is reduced to what later questions need: is this request
known, was it this very decision, when did it end (design, sections 4 and 5; `remnants`). No rule may live here.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from pipeline.domain.ids import Origin
from pipeline.domain.lines import adapter_of, read_lines
from pipeline.domain.marks import Kind, Mark, read_mark
from pipeline.domain.messages import Decided, Pending, Refused
from pipeline.domain.remnants import Remembered, Settled, behind_mark, shortened
from pipeline.domain.requests import Request, Texts


class _WithPending(Remembered):
    """Keeps the whole request. `placed`: the offset in approval's inbox of the message that placed it."""

    pending: Pending
    placed: int
    since_ms: int
    expires_ms: int

    @property
    def request(self) -> Request:
        """Who asked."""
        return self.pending.request

    @property
    def first(self) -> Origin:
        """The submission that the ledger knows."""
        return self.pending.request.origin

    @property
    def digest(self) -> str:
        """Of the request that lies there."""
        return self.pending.plan.digest

    def has_digest(self, digest: str) -> bool:
        """It is a request with this payload."""
        return self.digest == digest

    def was_placed_after(self, offset: int) -> bool:
        """Nothing lay there yet when the message at this offset of the inbox was folded first."""
        return offset < self.placed

    def carried(self) -> Texts | None:
        return self.pending.texts

    def carrying(self, texts: Texts) -> Self:
        return self.model_copy(update={"pending": self.pending.carrying(texts)})


class Waiting(_WithPending):
    """Lies on the desk. `since_ms` is when AdminTask was told, `expires_ms` when nobody may decide it any more."""

    kind: Literal["waiting"] = "waiting"
    decided_by: ClassVar[Origin | None] = None

    def mark(self) -> Mark:
        return Mark(Kind.WAITING, self.request.request_type, self.since_ms, self.expires_ms)

    def ruled(self, ruling: Literal["approved", "rejected", "expired"], decided: Decided | None) -> Deciding:
        """The same request, decided; `decided` is None when nobody did it in time."""
        return Deciding(
            pending=self.pending,
            placed=self.placed,
            since_ms=self.since_ms,
            expires_ms=self.expires_ms,
            ruling=ruling,
            decided=decided,
        )


class Deciding(_WithPending):
    """Is decided, and the world may not know yet. `decided` is None for a request that expired."""

    kind: Literal["deciding"] = "deciding"
    ruling: Literal["approved", "rejected", "expired"]
    decided: Decided | None = None

    def mark(self) -> Mark:
        return Mark(Kind.DECIDING, self.request.request_type, self.ruled_ms)

    @property
    def decided_by(self) -> Origin | None:
        """The public record that decided it."""
        return None if self.decided is None else self.decided.origin

    @property
    def is_automatic(self) -> bool:
        """The type's own rule decided, no checker."""
        return self.decided is not None and self.decided.checker_id is None

    @property
    def ruled_ms(self) -> int:
        """When it was decided, or expired."""
        return self.expires_ms if self.decided is None else self.decided.at_ms

    def reduced(self, known_ms: int) -> Settled:
        """What is left when all this is told. `known_ms` is when approval heard of it: the term of memory counts from
        there, not from an ending that lies far back. An approved one ends later, when execution says so.
        """
        return Settled(
            org_id=self.request.org_id,
            request_type=self.request.request_type,
            first=self.first,
            digest=shortened(self.digest),
            ruling=self.ruling,
            decided_by=self.decided_by,
            ended_ms=None if self.ruling == "approved" else max(self.ruled_ms, known_ms),
        )


class Declined(Remembered):
    """Was refused before the desk, and the world may not know yet."""

    kind: Literal["declined"] = "declined"
    decided_by: ClassVar[Origin | None] = None
    refused: Refused

    def mark(self) -> Mark:
        return Mark(Kind.DECLINED, self.request.request_type, self.first.time_ms)

    @property
    def first(self) -> Origin:
        """The submission that the ledger knows."""
        return self.refused.request.origin

    @property
    def request(self) -> Request:
        """Who asked."""
        return self.refused.request

    @property
    def digest(self) -> str | None:
        """Of what was refused, where it could be had."""
        return self.refused.digest

    def has_digest(self, digest: str) -> bool:
        """It was a request with this payload."""
        return self.digest == digest

    def reduced(self, known_ms: int) -> Settled:
        """What is left when `failed` is told; its term counts from `known_ms`, when approval heard of it."""
        return Settled(
            org_id=self.request.org_id,
            request_type=self.request.request_type,
            first=self.first,
            digest=None if self.digest is None else shortened(self.digest),
            ruling="refused",
            ended_ms=max(self.first.time_ms, known_ms),
        )

    def carried(self) -> Texts | None:
        return self.refused.texts

    def carrying(self, texts: Texts) -> Self:
        return self.model_copy(update={"refused": self.refused.carrying(texts)})


Entry = Waiting | Deciding | Declined | Settled
_whole = adapter_of(Annotated[Waiting | Deciding | Declined, Field(discriminator="kind")])
_SETTLED = (Kind.HANDED, Kind.SETTLED)


def read_entry(value: bytes | None) -> Entry | None:
    """The desk's entry; None where nothing is known. Raises `ValueError` for bytes that are none."""
    if value is None:
        return None
    if read_mark(value).kind in _SETTLED:
        return Settled.read(value)
    entry: Entry = read_lines(_whole, behind_mark(value))
    return entry
