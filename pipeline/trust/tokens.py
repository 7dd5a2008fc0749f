"""Tokens of makers and checkers: a JWT becomes `Claims`, or nothing (contract, section 6).

Two steps, because a backlog must void nothing: signature and form are judged here, once per token; the times are judged
per record, by `Claims.good_at`. Why a token was refused is told to nobody: a forger would learn from it. The token
itself never leaves intake, so it stands in no error and is cached under its SHA-256 only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.api_jws import PyJWS

from pipeline.domain.claims import Claims
from pipeline.domain.jsontext import read_json
from pipeline.trust.keys import Key, Keys, SharedSecret

TOKEN_BYTES_MAX = 8 * 1024
CACHE_MAX = 10_000
_ID_MAX = 2**63 - 1

_FORM = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})  # RFC 7519 and RFC 9068
_DECIMAL = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a deployment wants of a token: the names of its claims, who issued it for whom, and how long it may live.

    `issuer` and `audience` are checked when set; `max_age_s` is the longest time between publication and expiry.
    """

    user: str = "sub"
    name: str = "name"
    org: str = "orgId"
    permissions: str = "permissions"
    entities: str = "entities"
    issuer: str | None = None
    audience: str | None = None
    max_age_s: float = 86_400


class Tokens:
    """Verifies tokens with the keys given; remembers the verdict on the last `CACHE_MAX` of them."""

    def __init__(self, keys: Keys, wanted: Wanted) -> None:
        self._keys = keys
        self._wanted = wanted
        self._generation = keys.generation()
        self._cache: dict[bytes, Claims | None] = {}

    def read(self, token: bytes) -> Claims | None:
        """The claims of a token whose signature and form are good, else None. No time is judged here."""
        if len(token) > TOKEN_BYTES_MAX:
            return None
        generation = self._keys.generation()
        if generation != self._generation:
            self._generation = generation
            self._cache.clear()
        digest = hashlib.sha256(token).digest()
        if digest in self._cache:
            return self._cache[digest]
        if len(self._cache) >= CACHE_MAX:
            del self._cache[next(iter(self._cache))]
        claims = self._cache[digest] = self._verify(token)
        return claims

    def _verify(self, token: bytes) -> Claims | None:
        try:
            header = _unverified_header(token)
            key = self._keys.find(header)
            if key is None or not _is_plain(header):
                return None
            return _claims(_payload(token, key), self._wanted)
        except (ValueError, jwt.PyJWTError):
            return None


def _unverified_header(token: bytes) -> dict[str, Any]:
    found = _FORM.fullmatch(token)
    if found is None:
        raise ValueError("not a compact JWS")
    return _object(jwt.utils.base64url_decode(found[1]))


def _object(text: bytes) -> dict[str, Any]:
    """Header or payload; a name twice and everything else that two readers could read differently is refused."""
    found = read_json(text.decode())
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - a wrong token, not a wrong call
    return found


def _is_plain(header: Mapping[str, Any]) -> bool:
    """No extension that would have to be understood (RFC 7515, crit), and no other type than a JWT's."""
    kind = header.get("typ", "JWT")
    return "crit" not in header and "b64" not in header and isinstance(kind, str) and kind.lower() in _TYPES


def _payload(token: bytes, key: Key) -> dict[str, Any]:
    jws = PyJWS(algorithms=[key.algorithm])
    verified = jws.decode_complete(token, key.material, algorithms=[key.algorithm])
    return _object(verified["payload"])


def _claims(payload: Mapping[str, Any], wanted: Wanted) -> Claims:
    """Raises ValueError for a claim that is needed and missing, and for every claim of the wrong shape."""
    _check_parties(payload, wanted)
    return Claims(
        user_id=_user_id(payload.get(wanted.user)),
        name=_optional_text(payload.get(wanted.name)),
        org_id=_org_id(payload.get(wanted.org)),
        permissions=_texts(payload.get(wanted.permissions, [])),
        entities=_ids(payload[wanted.entities]) if wanted.entities in payload else None,
        expires_s=_number(payload.get("exp")),
        max_age_s=wanted.max_age_s,
        not_before_s=_number(payload["nbf"]) if "nbf" in payload else None,
        issued_s=_number(payload["iat"]) if "iat" in payload else None,
    )


def _check_parties(payload: Mapping[str, Any], wanted: Wanted) -> None:
    if wanted.issuer is not None and payload.get("iss") != wanted.issuer:
        raise ValueError("issued by somebody else")
    audience = payload.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if wanted.audience is not None and wanted.audience not in audiences:
        raise ValueError("meant for somebody else")


def _user_id(value: Any) -> int:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = int(value)
    if type(value) is not int or not 0 < value <= _ID_MAX:
        raise ValueError("the user id is neither a positive integer nor its canonical text")
    return value


def _org_id(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _ID_MAX:
        raise ValueError("the org id is no integer from 0 up")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a time is no number")  # noqa: TRY004 - a wrong token, not a wrong call
    try:
        return float(value)
    except OverflowError:
        raise ValueError("a time is outside the range of a double") from None


def _optional_text(value: Any) -> str | None:
    if not isinstance(value, str | None):
        raise ValueError("the name is no text")  # noqa: TRY004 - a wrong token, not a wrong call
    return value


def _texts(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError("not a list of texts")
    return frozenset(value)


def _ids(value: Any) -> frozenset[str]:
    """Entity ids: texts, or integers as entityInfo may write them, too."""
    return _texts([str(entry) if type(entry) is int else entry for entry in value] if type(value) is list else value)


def mint(
    secret: bytes,
    *,
    user_id: int,
    org_id: int,
    permissions: tuple[str, ...],
    expires_s: int,
    wanted: Wanted | None = None,
    entities: tuple[str, ...] | None = None,
) -> str:
    """A development token, signed with the HS256 secret, as `wanted` asks for it. `expires_s` is in epoch seconds."""
    SharedSecret(secret)  # refuses a short one
    wanted = wanted or Wanted()
    payload: dict[str, Any] = {
        wanted.user: str(user_id),
        wanted.org: org_id,
        wanted.permissions: list(permissions),
        "exp": expires_s,
    }
    if entities is not None:  # none at all is a limit, too
        payload[wanted.entities] = list(entities)
    parties = {"iss": wanted.issuer, "aud": wanted.audience}
    payload |= {name: value for name, value in parties.items() if value is not None}
    return jwt.encode(payload, secret, algorithm="HS256")
