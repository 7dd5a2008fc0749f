"""What is kept and still sealed, counted by the key that sealed it: so an operator knows when an old key may go.

Kept are what lies on the desk, the intents of calls, and the dead letters. Nothing is opened for it, and keys are named
by their public ids only (`trust.sealing`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from pipeline.client.kafka import reading
from pipeline.client.remembered import read_remembered
from pipeline.domain.calls import Begun, Intent, Parked, read_begun
from pipeline.domain.desk import Declined, Entry, read_entry
from pipeline.domain.jsontext import read_json
from pipeline.domain.messages import DEAD_LETTERS, DESK, INTENTS
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
        entries: dict[bytes, Entry | Begun] = await read_remembered(settings, topic, read)
        for entry in entries.values():
            found.update((_key_of(text), topic) for text in _in_entry(entry))
    async with reading(settings, DEAD_LETTERS) as reader:
        async for record in reader.to_end():
            found.update((_key_of(text), DEAD_LETTERS) for text in _in_letter(record.value))
    return found


def _key_of(text: str) -> str:
    try:
        return sealed_with(text)
    except SealBroken:
        return NO_KEY


_READERS: dict[str, Callable[[bytes | None], Entry | Begun | None]] = {DESK: read_entry, INTENTS: read_begun}


def _in_entry(entry: Entry | Begun) -> Iterator[str]:
    if isinstance(entry, Settled):
        return
    if isinstance(entry, Declined):
        texts = [entry.refused.original]
    else:
        pending = (entry.approved if isinstance(entry, Parked | Intent) else entry).pending
        texts = [pending.plan.sealed_headers, pending.original]
    yield from (text for text in texts if text is not None)


def _in_letter(value: bytes | None) -> Iterator[str]:
    try:
        letter = read_json((value or b"").decode())
    except ValueError:
        return
    if isinstance(letter, dict) and isinstance(letter.get("sealed"), str):
        yield letter["sealed"]
