"""Where a call may go: one canonical spelling per origin, and the list of those that are allowed (contract, section 3).

Two spellings of one host that compare as different would open the allow-list or close it by accident, so everything is
compared in this form only. No name is resolved here, and nothing is asked of the network.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Self

import idna

from pipeline.domain.addresses import is_forbidden, read_address

_LENGTH_MAX = 300  # a DNS name has at most 253 characters; the rest is scheme, port and a documentation artefact
# Without re.IGNORECASE, for which the long s of old print (U+017F) is an s, too.
_SHAPE = re.compile(r"([Hh][Tt][Tt][Pp][Ss]?)://(\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\\%\s]+)(?::([1-9][0-9]{0,4}))?")
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PORT_MAX = 65535


def canonical_origin(hostname: str) -> str | None:
    """`scheme://host[:port]` as it is compared and called; None for what is no plain origin.

    A `<...>` around it (an artefact of the documents) and then one trailing slash are stripped. Scheme and host become
    lower case, the host IDNA (UTS 46); IPv6 literals are compressed; the port that the scheme implies is left out (80
    for http, 443 for https). Refused: user info, path, query, fragment, percent signs, spaces, a trailing dot, an empty
    port, and IPv4 addresses in any other spelling than four decimal numbers.
    """
    if len(hostname) > _LENGTH_MAX:
        return None
    text = hostname[1:-1] if hostname.startswith("<") and hostname.endswith(">") else hostname
    found = _SHAPE.fullmatch(text.removesuffix("/"))
    if found is None:
        return None
    scheme = found[1].lower()
    host = _canonical_host(found[2])
    port = int(found[3]) if found[3] else _DEFAULT_PORTS[scheme]
    if host is None or port > _PORT_MAX:
        return None
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"


def _canonical_host(text: str) -> str | None:
    try:
        if text.startswith("["):
            return f"[{ipaddress.IPv6Address(text[1:-1]).compressed}]"
        name = idna.encode(text, uts46=True, std3_rules=True).decode("ascii").lower()
        # What ends like a number is an address to every resolver, whatever it looks like: 127.1, 0x7f000001.
        return str(ipaddress.IPv4Address(name)) if _NUMERIC_END.fullmatch(name) else _plain_name(name)
    except (idna.IDNAError, ValueError):
        return None


def _plain_name(name: str) -> str | None:
    return None if name.endswith(".") else name


def _host_of(origin: str) -> str:
    found = _SHAPE.fullmatch(origin)
    assert found is not None  # a canonical one
    return found[2].strip("[]")


class AllowList(frozenset[str]):
    """The origins that may be called, in canonical form. Empty: nothing is called."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads comma separated origins, `scheme://host[:port]`; raises ValueError that names the entry at fault."""
        found: list[str] = []
        for entry in filter(None, (part.strip() for part in text.split(","))):
            origin = canonical_origin(entry)
            if origin is None:
                raise ValueError(f"{entry!r} is not an origin; write scheme://host[:port], without path or wildcard")
            address = read_address(_host_of(origin))
            if address is not None and is_forbidden(address):
                raise ValueError(f"{entry!r} is never called: a link-local, metadata, multicast or reserved address")
            found.append(origin)
        return cls(found)

    def allows(self, origin: str) -> bool:
        """True when exactly this origin, already canonical, is on the list."""
        return origin in self
