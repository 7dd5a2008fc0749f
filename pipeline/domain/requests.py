"""Requests as data: where they come from, what they ask for, and the call that would be made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call to Intouch, complete but for the sealed headers, which only the client opens, during the call.

    `origin` is `scheme://host[:port]` in canonical form, `path` is pinned by the request's type, `query` and `body` are
    JSON texts exactly as the maker's submission was serialised once: the body's bytes are what is sent.
    `sealed_headers` is base64 text bound to `binding`; `headers` are the others, in order.
    """

    request_id: str
    request_type: str
    method: str
    origin: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    sealed_headers: str | None
    binding: tuple[str, ...]
    body: str
