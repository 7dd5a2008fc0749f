"""A `Call` as it goes over the wire: its address and its headers, exactly as they were approved (contract, section 3).

Pure: nothing is sent, opened or awaited here, so what will be sent can be looked at without sending it.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from multidict import CIMultiDict
from yarl import URL

from pipeline.domain.headers import CONTENT_TYPE, faults, sendable
from pipeline.domain.requests import Call

Pairs = tuple[tuple[str, str], ...]


class Unsendable(ValueError):
    """A header that must not go out; its sentence names no value."""


def address(call: Call) -> URL:
    """Host, path and query of the call. Marked as encoded, so that no library quotes or reorders it again."""
    query = query_text(call.query)
    return URL(f"{call.host}{call.path}?{query}" if query else f"{call.host}{call.path}", encoded=True)


def query_text(query: str) -> str:
    """The percent-encoded query string of a JSON object, in the order given; "" for {} and for none.

    Numbers and booleans keep their JSON text (20.0 stays 20.0), an empty text keeps its name: `accountId=`.
    """
    # Numbers are read as texts, so that they are sent as they were written.
    pairs = json.loads(query, parse_int=str, parse_float=str) if query else {}
    return "&".join(f"{quote(name, safe='')}={quote(_text(value), safe='')}" for name, value in pairs.items())


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def headers(call: Call, opened: Pairs) -> CIMultiDict[str]:
    """What the maker gave, in order, then the opened credentials; without hop-by-hop and identity headers.

    The one addition is `content-type: application/json` where the maker named none, because that is what the body is.
    Raises `Unsendable` for an illegal name or value, though validation has refused those before.
    """
    pairs = call.headers + opened
    wrong = faults(pairs)
    if wrong:
        raise Unsendable(f"header {wrong[0].position}: {wrong[0].message}")
    given = CIMultiDict(sendable(pairs))
    given.setdefault(CONTENT_TYPE, "application/json")  # not for `content_type`, which most readers do not know
    return given
