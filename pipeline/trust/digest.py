"""`rw-payload-digest`: the hash of what will be sent, by which a checker approves exactly that (contract, section 5).

Checkers compute it with their own tools, so it is canonical JSON (RFC 8785) and nothing of ours. Credentials are left
out: a digest is public, and a short secret could be guessed from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785

from pipeline.domain.headers import is_credential, sendable

_EXACT_MAX = 2**53 - 1  # the largest integer that every reader of JSON gets exactly (RFC 8785, RFC 7493)


def payload_digest(  # noqa: PLR0913 - the contract's eleven fields, each by its name
    *,
    org_id: int,
    maker_id: int,
    request_type: str,
    method: str,
    origin: str,
    path: str,
    path_params: Mapping[str, Any] | None,
    query_params: Mapping[str, Any] | None,
    headers: Mapping[str, str] | tuple[tuple[str, str], ...] | None,
    entity_info: Mapping[str, Any] | None,
    body: Any,
) -> str:
    """SHA-256, lower-case hex, over the canonical JSON of the eleven fields as they will be sent.

    `request_type` is spelled as in events, `origin` and `path` are canonical. Missing parts are {}. Headers count with
    lower-case names and without credentials and those that are never sent. Integers beyond 2^53-1 enter as decimal
    texts, at any depth.
    """
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    fields = {
        "orgId": org_id,
        "makerId": maker_id,
        "requestType": request_type,
        "method": method,
        "origin": origin,
        "path": path,
        "pathParams": path_params or {},
        "queryParams": query_params or {},
        "headers": {name.lower(): value for name, value in sendable(pairs) if not is_credential(name)},
        "entityInfo": entity_info or {},
        "body": {} if body is None else body,
    }
    return hashlib.sha256(rfc8785.dumps(_exact(fields))).hexdigest()


def _exact(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _exact(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(child) for child in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT_MAX:
        return str(value)
    return value
