"""The keys that tokens are verified with: one HS256 secret, or a JWKS file (contract, section 6).

One algorithm per key, fixed by us and never by the token: that is what makes `none` and key confusion impossible. A key
file is read again when it changes; a file that cannot be used leaves the keys as they were. No claim may be read here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from pipeline.domain.jsontext import read_json

SECRET_BYTES_MIN = 32
RSA_BITS_MIN = 2048
FILE_BYTES_MAX = 256 * 1024

# alg -> (kty, crv): what a key of that algorithm must be.
_KINDS: dict[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
_PRIVATE_MEMBERS = ("d", "p", "q", "k")


class Key(NamedTuple):
    """One verification key and the only algorithm that it is good for."""

    algorithm: str
    material: Any

    def __repr__(self) -> str:
        """A secret must not stand in a log because somebody printed a key."""
        return f"Key({self.algorithm})"


class Keys(Protocol):
    """Where verification keys come from."""

    def generation(self) -> object:
        """A value that changes when the keys do: what was verified under another one is no longer trusted."""
        ...

    def find(self, header: Mapping[str, Any]) -> Key | None:
        """The key for a token with this header; None where there is none, or its `alg` is not the key's."""
        ...


class SharedSecret:
    """One HS256 secret of at least 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SECRET_BYTES_MIN:
            raise ValueError(f"the HS256 secret has {len(secret)} bytes; at least {SECRET_BYTES_MIN} are needed")
        self._key = Key("HS256", secret)

    def generation(self) -> object:
        """Never changes: a new secret needs a new start."""
        return None

    def find(self, header: Mapping[str, Any]) -> Key | None:
        """The secret, whatever `kid` says, for HS256 and nothing else."""
        return self._key if header.get("alg") == self._key.algorithm else None


class KeyFile:
    """A JWKS file: RS256, PS256, ES256 and EdDSA keys, each with its `alg`; looked at again before every use.

    `fault` is the sentence that says why the file as it stands now is not in force, None when it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: object = self._look()
        self._keys = read_jwks(_file_text(path), where=str(path))
        self._generation = 0
        self.fault: str | None = None

    def _look(self) -> object:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - once per token; a Path costs more than the call itself
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def generation(self) -> object:
        """Counts the reloads; reads the file again where it changed."""
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            self._reload()
        return self._generation

    def _reload(self) -> None:
        try:
            self._keys = read_jwks(_file_text(self._path), where=str(self._path))
        except (OSError, ValueError) as fault:
            self.fault = f"{fault}; the keys read before stay in force"
        else:
            self.fault = None
            self._generation += 1

    def find(self, header: Mapping[str, Any]) -> Key | None:
        """The key that `kid` names; without one, the only key of the file."""
        kid = header.get("kid")
        if kid is None:
            key = next(iter(self._keys.values())) if len(self._keys) == 1 else None
        else:
            key = self._keys.get(kid) if isinstance(kid, str) else None
        return key if key and header.get("alg") == key.algorithm else None


def _file_text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise ValueError(f"{path} is larger than {FILE_BYTES_MAX} bytes; a key set is not")
    return content.decode()


def read_jwks(text: str, *, where: str) -> dict[str | None, Key]:
    """The keys of a JWKS text by their `kid`; raises ValueError that names `where`, the key's place and the fault."""
    try:
        entries = read_json(text).get("keys")
    except (ValueError, AttributeError):
        raise ValueError(f'{where} is not a key set: {{"keys": […]}} is expected') from None
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{where} holds no keys")
    found: dict[str | None, Key] = {}
    for position, entry in enumerate(entries, start=1):
        kid = entry.get("kid") if isinstance(entry, dict) else None
        try:
            key = _read_key(entry, is_only=len(entries) == 1)
        except ValueError as fault:
            raise ValueError(f"{where}, key {position}: {fault}") from None
        if kid in found:
            raise ValueError(f"{where}, key {position}: its kid stands twice")
        found[kid] = key
    return found


def _read_key(entry: Any, *, is_only: bool) -> Key:
    if not isinstance(entry, dict):
        raise ValueError("not an object")  # noqa: TRY004 - a wrong file, not a wrong call
    fault = _fault(entry, is_only=is_only)
    if fault:
        raise ValueError(fault)
    try:
        material = jwt.PyJWK(entry, entry["alg"]).key
    except jwt.PyJWTError:
        raise ValueError("its numbers make no key") from None  # the library's sentence repeats them
    if isinstance(material, RSAPublicKey) and material.key_size < RSA_BITS_MIN:
        raise ValueError(f"{material.key_size} bits are too few; {RSA_BITS_MIN} are needed")
    return Key(entry["alg"], material)


def _fault(entry: dict[str, Any], *, is_only: bool) -> str | None:
    kid = entry.get("kid")
    kind = _KINDS.get(entry["alg"]) if isinstance(entry.get("alg"), str) else None
    if kind is None:
        return f"its alg must be one of {', '.join(_KINDS)}"
    if (entry.get("kty"), entry.get("crv")) != kind:
        return f"its kty and crv are not those of {entry['alg']}"
    if any(member in entry for member in _PRIVATE_MEMBERS):
        return "it holds its private half, which has no place here; publish the public one"
    if entry.get("use", "sig") != "sig":
        return "its use is not sig"
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return "its key_ops do not hold verify"
    if not (isinstance(kid, str) or (kid is None and is_only)):
        return "it needs a kid, a text, because there are several keys"
    return None
