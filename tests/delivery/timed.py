"""A stage whose entries come due, for the tests of the timekeeper: what is remembered, and who was asked about."""

from __future__ import annotations

from typing import Any

from delivery.doubles import World
from delivery.trial import INBOX, TABLE

from pipeline.domain.marks import Kind, Mark
from pipeline.domain.messages import APPROVAL_INBOX, Due, read_message
from pipeline.domain.request_types import RequestType
from pipeline.stages import Arrival, Memory, Note, Stage, Step, Write

GOODWILL, BADGE = RequestType.GOODWILL_POINTS, RequestType.EARN_BADGE


def read(arrival: Arrival) -> Due:
    message = read_message(APPROVAL_INBOX, arrival.value or b"")
    assert isinstance(message, Due)
    return message


def forget(_: Arrival, memory: Memory, due: Due) -> Step:
    """What is due is forgotten, unless it is to stay."""
    stays = memory[0] is None or memory[0].endswith(b"stays")
    return Step(Note("forgotten", due.request_id), memory=() if stays else (Write(TABLE, None),))


STAGE = Stage("timed", (INBOX,), (TABLE,), read, forget, due=lambda mark: mark.due_ms)


def an_entry(*, due_ms: int | None = 1, kind: Kind = Kind.WAITING, rest: str = "", **mark: Any) -> bytes:
    """What is remembered of something that is due at this time."""
    facts = {"request_type": GOODWILL, "since_ms": 7} | mark
    return f"{Mark(kind, due_ms=due_ms, **facts)}\n{rest}".encode()


def hold(world: World, *keys: str, **entry: Any) -> None:
    """Such entries are remembered; the world's clock stands at 1."""
    for key in keys:
        world.table.note(0, key.encode(), 1, an_entry(**entry))


def asked(world: World) -> list[str]:
    """Whom a Due was posted for, in order."""
    return [posting.key.decode() for posting in world.log if posting.topic == f"t.{INBOX}"]


def answer(world: World, key: str) -> None:
    """The Due comes out of the inbox."""
    world.feed(Due(request_id=key).value().decode(), key=key.encode(), start=len(world.log))
