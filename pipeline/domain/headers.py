"""Which headers of the call to Intouch are legal, which are sent, and which are credentials (contract, sections 3, 5).

Names and values only: nothing of HTTP libraries, Kafka headers or sealing may enter. Intake splits by these predicates,
validation refuses by them, the digest leaves out by them and the client drops by them, so they must exist once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

Pairs = Iterable[tuple[str, str]]

# Contract, section 3: they belong to the connection or say who is asking, so they are ours to set.
_DROPPED = frozenset(
    {"host", "connection", "transfer-encoding", "content-length", "upgrade", "te", "trailer", "expect", "forwarded"}
    | {"via"}
)
_DROPPED_PREFIXES = ("proxy-", "x-forwarded-")
_CREDENTIAL_WORDS = ("authorization", "token", "cookie", "secret", "signature", "key")  # contract, section 5

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # a token of RFC 9110
# CR, LF and NUL end or split a header; no HTTP library of ours sends the other control characters but a tab either, and
# half a surrogate pair has no UTF-8.
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
# ASCII: or a long s would be an s, and a space of another script a space.
_JSON_TYPE = re.compile(r'[ \t]*application/json\s*(;\s*charset="?utf-8"?\s*)?', re.IGNORECASE | re.ASCII)

CONTENT_TYPE = "content-type"
ORG_HEADER = "x-cap-api-auth-org-id"


class HeaderFault(NamedTuple):
    """What is wrong with one header of a payload, in words that repeat neither its value nor an illegal name."""

    position: int
    message: str


def as_read(name: str) -> str:
    """The name as the least careful reader knows it: CGI, WSGI and PHP tell neither case nor `_` from `-`.

    What is one header to such a reader must be one here, or `X_Forwarded_For` would be sent, and an org header with an
    underscore would name another org than the one that was checked.
    """
    return name.lower().replace("_", "-")


def is_dropped(name: str) -> bool:
    """True for a hop-by-hop or identity header, whatever its spelling: never sent, and not part of the digest."""
    read = as_read(name)
    return read in _DROPPED or read.startswith(_DROPPED_PREFIXES)


def is_credential(name: str) -> bool:
    """True where the name, whatever its case, says that the value is a secret: it is sealed, and not in the digest."""
    lower = name.lower()
    return any(word in lower for word in _CREDENTIAL_WORDS)


def is_legal_name(name: str) -> bool:
    """True for a token of RFC 9110: what may stand before the colon."""
    return _NAME.fullmatch(name) is not None


def is_legal_value(value: str) -> bool:
    """True without CR, LF, NUL or another control character that cannot be sent; a tab may stand."""
    return _UNSENDABLE.search(value) is None


def is_json_type(value: str) -> bool:
    """True for `application/json`, with or without `charset=utf-8`: the only content type that is sent."""
    return _JSON_TYPE.fullmatch(value) is not None


def sendable(headers: Pairs) -> tuple[tuple[str, str], ...]:
    """The headers that go out, in their order, without those that `is_dropped`."""
    return tuple((name, value) for name, value in headers if not is_dropped(name))


def split(headers: Pairs) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """(plain, credentials): what is sent in clear through our topics, and what must be sealed. Each keeps its order."""
    kept = sendable(headers)
    return (
        tuple((name, value) for name, value in kept if not is_credential(name)),
        tuple((name, value) for name, value in kept if is_credential(name)),
    )


def value_of(headers: Pairs, name: str) -> str | None:
    """The value of the first header of this name, whatever its spelling; None without one."""
    wanted = as_read(name)
    return next((value for found, value in headers if as_read(found) == wanted), None)


def faults(headers: Pairs) -> tuple[HeaderFault, ...]:
    """Everything that makes the headers `bad-header`; () for good ones. Dropped headers are judged, too.

    `position` counts from 1 in the order given.
    """
    found: list[HeaderFault] = []
    seen: set[str] = set()
    for position, (name, value) in enumerate(headers, start=1):
        message = _fault(name, value, seen=seen)
        if message:
            found.append(HeaderFault(position, message))
        seen.add(as_read(name))
    return tuple(found)


def _fault(name: str, value: str, *, seen: set[str]) -> str | None:
    if not is_legal_name(name):
        return "the name holds a character that no header name may have"
    if as_read(name) in seen:
        return f"{name} stands twice"
    if not is_legal_value(value):
        return f"the value of {name} holds a line break or another control character"
    if as_read(name) == CONTENT_TYPE and not is_json_type(value):
        return f"{name} must be application/json"
    return None
