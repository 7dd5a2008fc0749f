"""The whole contract between a stage and the runner; nothing else may pass between them.

A stage is a pure fold: what arrived and what is remembered go in, a `Step` comes out, and the runner does what the
step says, in its order. The replay law (design, section 4): folding the same message again, on any later memory of its
key before its `afterwards`, says the same events and handovers again and writes no memory; on what `afterwards` left,
it says nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pipeline.domain.marks import Mark
from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Outcome
from pipeline.domain.requests import Call

Headers = tuple[tuple[str, bytes], ...]


class Arrival(NamedTuple):
    """One Kafka record as it arrived. `topic` is the name without the prefix; `time_ms` is the record's timestamp.

    `seen_ms` is the worker's clock when it arrived; it differs in a replay, so only what is remembered may use it.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    time_ms: int
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    is_broker_time: bool
    seen_ms: int

    def __repr__(self) -> str:
        """Where it lies. What it holds may be a token or a credential in clear."""
        return f"Arrival({self.topic}/{self.partition}/{self.offset})"


class Post(Protocol):
    """A message that can be published: every class of `domain.messages`, the event and the dead letter."""

    @property
    def topic(self) -> str:
        """The topic's name without the prefix."""
        ...

    @property
    def key(self) -> bytes:
        """The record's key; it also chooses the partition."""
        ...

    def value(self) -> bytes:
        """The record's bytes; the same message gives the same bytes, always."""
        ...

    def headers(self) -> Headers:
        """The record's headers, without the signature."""
        ...


class Write(NamedTuple):
    """What a table shall hold for the key of the message that is folded; None forgets (a tombstone).

    `may_be_overtaken`: left out where something later is remembered already. For all else that is a bug.
    `gives_way`: whatever else is remembered of the same message counts, however late this one arrives.
    """

    table: str
    value: bytes | None
    may_be_overtaken: bool = False
    gives_way: bool = False


Memory = tuple[bytes | None, ...]  # what each of the stage's tables holds for the key, in the order of `Stage.tables`


class Note(NamedTuple):
    """What the runner logs and counts about one message; `decision` only for verdicts and resolutions."""

    outcome: Noted
    request_id: str | None = None
    reason: str | None = None
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from one message, in the order in which it is done (design, section 4)."""

    note: Note
    memory: tuple[Write, ...] = ()  # 1. remember: durable before anything below is visible
    call: Call | None = None  # 2. ask Intouch (execution only); its outcome is folded next
    events: tuple[Post, ...] = ()  # 3. tell (events and dead letters): durable before 4
    handovers: tuple[Post, ...] = ()  # 4. hand over to the next stage
    afterwards: tuple[Write, ...] = ()  # 5. shrink or forget, once all of the above is durable


class Unusable(Exception):
    """Raised by `Stage.read` alone: no stage can use this record. Carries the step that buries it."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.note.reason)
        self.step = step


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: its name, what it reads, what it remembers, and its folds.

    `read` turns the bytes of a record into a message and raises `Unusable` for nothing else but bad input.
    `fold` and `on_outcome` are total: an exception that leaves them is a bug and ends the process.
    `due` says of one entry's mark when (epoch ms) time may change it; the runner then posts a `Due` to the stage.
    """

    name: str
    sources: tuple[str, ...]
    tables: tuple[str, ...]
    read: Callable[[Arrival], Any]
    fold: Callable[[Arrival, Memory, Any], Step]
    on_outcome: Callable[[Arrival, Memory, Any, Outcome], Step] | None = None
    due: Callable[[Mark], int | None] | None = None
