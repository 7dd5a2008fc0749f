"""The Kafka headers of a public record: read once, refused when two readers could read them differently.

Names are matched without regard to case; one that is needed and stands twice is a fault (contract, section 4). What
the headers mean for a request is not decided here. The token stays bytes: it is verified by intake and goes no further.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

ORG = "x-cap-api-auth-org-id"
TOKEN = "x-cap-ui-auth-token"  # noqa: S105 - the name of a header
REQUEST_ID = "x-cap-request-id"
IDEMPOTENCY_KEY = "idempotency-key"
DIGEST = "rw-payload-digest"
_NEEDED = frozenset({ORG, TOKEN, REQUEST_ID, IDEMPOTENCY_KEY, DIGEST})

KEY_BYTES_MAX = 255
_ORG = re.compile(rb"[0-9]{1,18}")
_API_REQUEST_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(rb"[0-9a-fA-F]{64}")


class Transport(NamedTuple):
    """What the headers say. `api_request_id` and `digest` are lower case; None where they were absent or blank."""

    org_id: int
    token: bytes
    api_request_id: str | None
    key: bytes | None
    digest: str | None

    def __repr__(self) -> str:
        """Without the token."""
        return f"Transport(org_id={self.org_id})"


def read_transport(headers: Iterable[tuple[str, bytes | None]]) -> Transport | str:
    """The headers, or one sentence on what is wrong with them, which holds none of their values."""
    found: dict[str, bytes] = {}
    for name, held in headers:
        lower = name.lower()
        if lower in _NEEDED:
            if lower in found:
                return f"The header {lower} stands twice."
            found[lower] = held if held and not held.isspace() else b""
    org, key, digest = found.get(ORG, b""), found.get(IDEMPOTENCY_KEY, b""), found.get(DIGEST, b"")
    api_request_id = _api_request_id(found.get(REQUEST_ID, b""))
    if org and not _ORG.fullmatch(org.strip()):
        return f"The header {ORG} must be a decimal number of 0 or more."
    if api_request_id is None:
        return f"The header {REQUEST_ID} must be 32 hex digits."
    if len(key) > KEY_BYTES_MAX:
        return f"The header {IDEMPOTENCY_KEY} must not exceed {KEY_BYTES_MAX} bytes."
    if digest and not _DIGEST.fullmatch(digest):
        return f"The header {DIGEST} must be 64 hex digits."
    return Transport(
        org_id=int(org or b"0"),
        token=found.get(TOKEN, b""),
        api_request_id=api_request_id or None,
        key=key or None,
        digest=digest.decode().lower() or None,
    )


def _api_request_id(held: bytes) -> str | None:
    """The plain digits; empty for an absent one, None for a bad one. Dashes and case are ignored."""
    plain = held.decode("ascii", "replace").strip().replace("-", "").lower()
    return plain if not held or _API_REQUEST_ID.fullmatch(plain) else None
