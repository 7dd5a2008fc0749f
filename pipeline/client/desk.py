"""The desk as a stranger can read it: the changelog of approval's memory, without asking a worker.

Of several records of a key the one with the highest position counts, not the last (design, "Late writes"). Credentials
in it are sealed, and no key to open them is wanted here.
"""

from __future__ import annotations

from pipeline.client.kafka import ClientError, Record, reading
from pipeline.domain.desk import Entry, read_entry
from pipeline.postings import position_of
from pipeline.settings import Settings

CHANGELOG = "approval.desk"


async def read_desk(settings: Settings, request_id: str | None = None) -> dict[bytes, Entry]:
    """What the desk holds, by key: all of it, or one request's entry alone. Raises ClientError."""
    latest = await read_latest(settings, CHANGELOG, None if request_id is None else request_id.encode())
    entries = {key: _entry(value) for key, value in latest.items()}
    return {key: entry for key, entry in entries.items() if entry is not None}


async def read_latest(settings: Settings, changelog: str, key: bytes | None = None) -> dict[bytes, bytes | None]:
    """What counts in a changelog, by key, or for one key alone; None for what was forgotten. Raises ClientError."""
    latest: dict[bytes, tuple[int, bytes | None]] = {}
    async with reading(settings, changelog, key=key) as reader:
        async for record in reader.to_end():
            if key in {None, record.key}:
                at = _position(changelog, record)
                if record.key not in latest or latest[record.key][0] <= at:
                    latest[record.key] = (at, record.value)
    return {key: value for key, (_, value) in latest.items()}


def _position(changelog: str, record: Record) -> int:
    try:
        return position_of(record.headers)
    except ValueError as problem:
        raise ClientError(f"{changelog}, partition {record.partition}, offset {record.offset}: {problem}.") from None


def _entry(value: bytes | None) -> Entry | None:
    try:
        return read_entry(value)
    except ValueError:
        raise ClientError(f"{CHANGELOG} holds an entry that this version cannot read: use the worker's own.") from None
