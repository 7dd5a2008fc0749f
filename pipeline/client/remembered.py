"""What a stage remembers, as a stranger can read it: its changelog, without asking a worker.

Of several records of a key the one with the highest position counts, not the last (design, "Late writes"). Credentials
in it are sealed, and no key to open them is wanted here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pipeline.client.kafka import ClientError, Record, reading
from pipeline.postings import position_of
from pipeline.settings import Settings

E = TypeVar("E")


async def read_remembered(
    settings: Settings, changelog: str, read: Callable[[bytes | None], E | None], request_id: str | None = None
) -> dict[bytes, E]:
    """The entries of this changelog (name without the prefix) by key: all or one request's. Raises ClientError."""
    key = None if request_id is None else request_id.encode()
    latest: dict[bytes, tuple[int, bytes | None]] = {}
    async with reading(settings, changelog, key=key) as reader:
        async for record in reader.to_end():
            if key in {None, record.key}:
                at = _position(changelog, record)
                if record.key not in latest or latest[record.key][0] <= at:
                    latest[record.key] = (at, record.value)
    try:
        entries = {key: read(value) for key, (_, value) in latest.items()}
    except ValueError:
        raise ClientError(f"{changelog} holds an entry that this version cannot read: use the worker's own.") from None
    return {key: entry for key, entry in entries.items() if entry is not None}


def _position(changelog: str, record: Record) -> int:
    try:
        return position_of(record.headers)
    except ValueError as problem:
        raise ClientError(f"{changelog}, partition {record.partition}, offset {record.offset}: {problem}.") from None
