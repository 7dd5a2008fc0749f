"""The desk as a stranger can read it: the changelog of approval's memory."""

from __future__ import annotations

from pipeline.client.remembered import read_remembered
from pipeline.domain.desk import Entry, read_entry
from pipeline.domain.messages import DESK
from pipeline.settings import Settings


async def read_desk(settings: Settings, request_id: str | None = None) -> dict[bytes, Entry]:
    """What the desk holds, by key: all of it, or one request's entry alone. Raises ClientError."""
    return await read_remembered(settings, DESK, read_entry, request_id)
