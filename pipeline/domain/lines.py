"""How our own records are written: lines. The first is JSON, the submission's four texts follow, a line each.

JSON holds no line break, so nothing needs escaping: a body is never copied apart or parsed again on its way, and what
was approved is, byte for byte, what is told and sent. Used by every internal message and by what is remembered.
"""

from __future__ import annotations

from typing import Any, Self, TypeVar

from pydantic import TypeAdapter

from pipeline.domain.requests import Strict, Texts


class Lined(Strict):
    """A record of ours; the same one always gives the same bytes."""

    def carried(self) -> Texts | None:
        """The texts that follow the first line."""
        return None

    def carrying(self, texts: Texts) -> Self:
        """The same record with the texts that were read behind its first line."""
        raise ValueError(f"{type(self).__name__} carries no texts, but {len(texts)} followed")

    def value(self) -> bytes:
        """The record's bytes."""
        head, texts = self.model_dump_json(exclude_none=True), self.carried()
        return (head if texts is None else "\n".join((head, *texts))).encode()


L = TypeVar("L", bound=Lined)


def read_lines(adapter: TypeAdapter[L], value: bytes) -> L:
    """The record that these bytes are; raises `ValueError` (pydantic's is one) for anything else."""
    head, *rest = value.decode().split("\n")
    record = adapter.validate_json(head)
    if rest:
        return record.carrying(texts_of(rest))
    if record.carried() is not None:
        raise ValueError(f"{type(record).__name__} carries texts, but none followed")
    return record


def texts_of(lines: list[str]) -> Texts:
    """Exactly four lines as texts."""
    if len(lines) != len(Texts._fields):
        raise ValueError(f"{len(lines)} texts instead of {len(Texts._fields)}")
    return Texts(*lines)


def adapter_of(kinds: Any) -> TypeAdapter[Any]:
    """Reads one of the kinds: a class, or a union that is told apart by `kind`."""
    return TypeAdapter(kinds)
