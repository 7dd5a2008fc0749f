"""Sealing and signing: AES-SIV for what must not be read, HMAC for what must not be made up (design, section 2).

AES-SIV (RFC 5297) because it is deterministic: a replay seals to the same bytes. Every purpose has a key of its own,
derived from the sealing keys, and everything sealed is bound to its purpose and to what it belongs to. Whoever holds a
sealing key can open everything, so keys and opened texts appear in no error and in no repr. Settings are not read here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_SIZES = (32, 64)
_SIV_KEY_BYTES = 64  # AES-256-SIV: half of it authenticates, half of it encrypts
_KEY_ID_BYTES = 4
_TAG = b"request-workflow 1 "


class Purpose(StrEnum):
    """What something is sealed for. What was sealed for one purpose never opens for another."""

    CREDENTIALS = "credentials"
    DEAD_LETTER = "dead-letter"
    REDRIVE = "redrive"


class SealBroken(Exception):
    """A sealed text does not open: altered, bound to something else, or sealed with a key that is not here."""


def parse_keys(text: str) -> tuple[bytes, ...]:
    """Reads comma separated keys: standard base64 of 32 or 64 bytes each. The first seals, all open.

    Raises ValueError with a sentence that names the key by its position and never shows it.
    """
    entries = [entry.strip() for entry in text.split(",")]
    keys: list[bytes] = []
    for position, entry in enumerate(entries, start=1):
        where = f"sealing key {position} of {len(entries)}"
        key = _decoded(entry, where)
        if key in keys:
            raise ValueError(f"{where} is the same as key {keys.index(key) + 1}; give each key once")
        keys.append(key)
    return tuple(keys)


def _decoded(entry: str, where: str) -> bytes:
    if not entry:
        raise ValueError(f"{where} is empty; make one with `request-workflow keys new`")
    try:
        key = base64.b64decode(entry, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{where} is not standard base64; make one with `request-workflow keys new`") from None
    if len(key) not in KEY_SIZES:
        raise ValueError(f"{where} has {len(key)} bytes; 32 or 64 are needed")
    return key


def new_key() -> str:
    """A new sealing key of 64 random bytes, as `parse_keys` reads it."""
    return base64.b64encode(secrets.token_bytes(64)).decode("ascii")


def _derive(key: bytes, purpose: str, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=_TAG + purpose.encode()).derive(key)


def _framed(parts: Iterable[bytes]) -> bytes:
    """The parts, each behind its length: no two lists of parts give the same bytes."""
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


class Sealer:
    """Seals and opens texts under all keys given; the first seals. Raw keys do not stay in here."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        if not keys:
            raise ValueError("there is no sealing key; at least one is needed")
        # Per key: its public id, and one cipher per purpose.
        self._rings = [
            (_derive(key, "key-id", _KEY_ID_BYTES), {p: AESSIV(_derive(key, p, _SIV_KEY_BYTES)) for p in Purpose})
            for key in keys
        ]

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The public id of each key (8 hex digits), in the order of the keys; sealed texts begin with one."""
        return tuple(key_id.hex() for key_id, _ in self._rings)

    def seal(self, purpose: str, binding: tuple[str, ...], plain: bytes) -> str:
        """Base64 text that only `open` with the same purpose and binding reads. The same input gives the same text."""
        key_id, ciphers = self._rings[0]
        sealed = ciphers[Purpose(purpose)].encrypt(plain, [_associated(purpose, binding)])
        return base64.b64encode(key_id + sealed).decode("ascii")

    def open(self, purpose: str, binding: tuple[str, ...], text: str) -> bytes:
        """The plain bytes; raises `SealBroken`, whose sentence holds nothing of the content."""
        raw = _unwrapped(text)
        key_id, sealed = raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:]
        rings = [ciphers for found, ciphers in self._rings if found == key_id]
        if not rings:
            raise SealBroken(
                f"sealed for {purpose} with key {key_id.hex()}, which is not among the sealing keys "
                f"({', '.join(self.key_ids)}); add it again, last"
            )
        for ciphers in rings:
            try:
                return ciphers[Purpose(purpose)].decrypt(sealed, [_associated(purpose, binding)])
            except InvalidTag:
                continue
        raise SealBroken(f"sealed for {purpose}: altered, or bound to something else than {'/'.join(binding)}")


def sealed_with(text: str) -> str:
    """The id of the key that sealed the text (8 hex digits), for counting; raises `SealBroken` for no sealed text."""
    return _unwrapped(text)[:_KEY_ID_BYTES].hex()


def _unwrapped(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SealBroken("not a sealed text: it is not base64") from None
    if len(raw) < _KEY_ID_BYTES + 16:  # 16: the synthetic IV
        raise SealBroken("not a sealed text: it is too short")
    return raw


def _associated(purpose: str, binding: tuple[str, ...]) -> bytes:
    return _framed(part.encode() for part in (purpose, *binding))


class Signer:
    """Signs internal messages with the first key and accepts the signatures of all; raw keys do not stay in here."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        if not keys:
            raise ValueError("there is no sealing key to sign with; at least one is needed")
        self._keys = [_derive(key, "signature", hashlib.sha256().digest_size) for key in keys]

    def sign(self, topic: str, key: bytes, value: bytes) -> bytes:
        """32 bytes over topic (without the prefix), key and value, each behind its length."""
        return hmac.digest(self._keys[0], _framed((topic.encode(), key, value)), "sha256")

    def verify(self, topic: str, key: bytes, value: bytes, *, signature: bytes) -> bool:
        """True when one of the keys signed exactly this; compared in constant time."""
        message = _framed((topic.encode(), key, value))
        return any(hmac.compare_digest(hmac.digest(key_, message, "sha256"), signature) for key_ in self._keys)
