"""What is kept and still sealed, counted by the key that sealed it: so an operator knows when an old key may go.

Kept are what lies on the desk, the intents of calls, and the dead letters. Nothing is opened for it, and keys are named
by their public ids only (`trust.sealing`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pipeline.client.kafka import ClientError, reading
from pipeline.client.remembered import read_latest
from pipeline.domain.desk import Declined, Entry, Intent, read_entry, read_intent
from pipeline.domain.jsontext import read_json
from pipeline.domain.messages import DEAD_LETTERS, DESK, INTENTS, Pending
from pipeline.domain.remnants import Settled
from pipeline.settings import Settings, SettingsError
from pipeline.trust.sealing import SealBroken, Sealer, parse_keys, sealed_with

NO_KEY = "none"  # of a text that is none of our seals
PLACES = (DESK, INTENTS, DEAD_LETTERS)

Seals = Counter[tuple[str, str]]  # (id of the key, topic) -> sealed texts


def key_ids_of(settings: Settings) -> tuple[str, ...]:
    """The ids of the keys in force, the one that seals first. Raises SettingsError."""
    settings.require("seal_keys")
    assert settings.seal_keys is not None
    try:
        return Sealer(parse_keys(settings.seal_keys.get_secret_value())).key_ids
    except ValueError as problem:
        raise SettingsError(f"RW_SEAL_KEYS: {problem}.") from None


async def count_seals(settings: Settings) -> Seals:
    """What is sealed with which key, in the topics as they are now. Raises ClientError."""
    found: Seals = Counter()
    for topic, read in _READERS.items():
        for value in (await read_latest(settings, topic)).values():
            found.update((_key_of(text), topic) for text in _kept(topic, read, value))
    async with reading(settings, DEAD_LETTERS) as reader:
        async for record in reader.to_end():
            found.update((_key_of(text), DEAD_LETTERS) for text in _in_letter(record.value))
    return found


def _key_of(text: str) -> str:
    try:
        return sealed_with(text)
    except SealBroken:
        return NO_KEY


_READERS: dict[str, Callable[[bytes | None], Entry | Intent | None]] = {DESK: read_entry, INTENTS: read_intent}


def _kept(topic: str, read: Callable[[bytes | None], Entry | Intent | None], value: bytes | None) -> Iterator[str]:
    try:
        entry = read(value)
    except ValueError:
        raise ClientError(f"{topic} holds an entry that this version cannot read: use the worker's own.") from None
    if entry is not None and not isinstance(entry, Settled):
        yield from _in_entry(entry)


def _in_entry(entry: Any) -> Iterator[str]:
    if isinstance(entry, Declined):
        texts = [entry.refused.original]
    else:
        pending: Pending = (entry.approved if isinstance(entry, Intent) else entry).pending
        texts = [pending.plan.sealed_headers, pending.original]
    yield from (text for text in texts if text is not None)


def _in_letter(value: bytes | None) -> Iterator[str]:
    try:
        letter = read_json((value or b"").decode())
    except ValueError:
        return
    if isinstance(letter, dict) and isinstance(letter.get("sealed"), str):
        yield letter["sealed"]
