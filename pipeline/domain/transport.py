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
_SUBMISSION = frozenset({ORG, TOKEN, REQUEST_ID, IDEMPOTENCY_KEY})
_DECISION = frozenset({ORG, TOKEN, REQUEST_ID, DIGEST})

KEY_BYTES_MAX = 255
_ORG = re.compile(rb"[0-9]{1,19}")  # as many digits as the org of a token may have (2^63-1)
_API_REQUEST_ID = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
NO_DIGEST = "malformed"  # equals none


class Transport(NamedTuple):
    """What the headers say. `api_request_id` and `digest` are lower case; None where they were absent.

    A blank header is an absent one, but for the digest: whoever sends that header wants it compared.
    """

    org_id: int
    token: bytes
    api_request_id: str | None
    key: bytes | None
    digest: str | None

    def __repr__(self) -> str:
        """Without the token."""
        return f"Transport(org_id={self.org_id})"


def read_transport(headers: Iterable[tuple[str, bytes | None]], *, is_decision: bool) -> Transport | str:
    """The headers that such a record needs, or one sentence on what is wrong with them, which holds no value."""
    needed = _DECISION if is_decision else _SUBMISSION
    found: dict[str, bytes] = {}
    for name, held in headers:
        lower = name.lower()
        if lower in needed and name.isascii():  # lower() turns a Kelvin sign into a k
            if lower in found:
                return f"The header {lower} stands twice."
            found[lower] = held if held and not held.isspace() else b""
    org, key = found.get(ORG, b""), found.get(IDEMPOTENCY_KEY, b"")
    api_request_id = _api_request_id(found.get(REQUEST_ID, b""))
    if org and not _ORG.fullmatch(org.strip()):
        return f"The header {ORG} must be a decimal number of 0 or more."
    if api_request_id is None:
        return f"The header {REQUEST_ID} must be 32 hex digits."
    if len(key) > KEY_BYTES_MAX:
        return f"The header {IDEMPOTENCY_KEY} must not exceed {KEY_BYTES_MAX} bytes."
    return Transport(
        org_id=int(org or b"0"),
        token=found.get(TOKEN, b""),
        api_request_id=api_request_id or None,
        key=key or None,
        digest=_digest(found[DIGEST]) if DIGEST in found else None,
    )


def _api_request_id(held: bytes) -> str | None:
    """The plain digits; empty for an absent one, None for a bad one. Dashes and case are ignored."""
    plain = held.decode("ascii", "replace").strip().replace("-", "").lower()
    return plain if not held or _API_REQUEST_ID.fullmatch(plain) else None


def _digest(held: bytes) -> str:
    """Whatever it says: one that is no digest at all, or empty, is another than that of what lies on the desk. What it
    says goes no further.
    """
    plain = held.decode("ascii", "replace").strip().lower()
    return plain if _DIGEST.fullmatch(plain) else NO_DIGEST
