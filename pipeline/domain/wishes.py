"""Takes a submission apart: what is told and sent, what must be sealed, and what is wrong with its shape.

Only known parts are taken, so that a credential in a place where none belongs travels no further than the public
topic. Whether the parts are *allowed* is validation's question, not this module's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.domain import headers as call_headers
from pipeline.domain.headers import ORG_HEADER
from pipeline.domain.jsontext import has_more_values, write_exactly
from pipeline.domain.origins import canonical_origin
from pipeline.domain.reasons import ErrorCode
from pipeline.domain.request_types import ROWS
from pipeline.domain.requests import Fault, Texts, Wish, listed

TASK = "IntouchAPITask-Payload"
HEADERS_BYTES_MAX = 16_384  # what HTTP servers accept; more could not be sent, and would be sealed for nothing
TEXT_MAX = 2_048  # a path or method longer than that is none of ours
# A record of 1,000,000 bytes may grow when its numbers are written again (1e15 becomes 1000000000000000.0), up to a
# size that no topic of ours takes. What is told, handed over and kept must fit.
TEXTS_BYTES_MAX = 1_000_000
# The digest is taken of all parts, by validation and again before the call: about 3 ms for 1,000 values.
TEXTS_VALUES_MAX = 10_000
TEXTS_ESCAPES_MAX = 50_000  # line breaks, quotes and the like: canonical JSON looks at each of them


# What a type knows is handed on as it is. Anything else is refused by validation whatever it says, and may be a secret
# (`/path?access_token=…`): it goes no further.
_PATHS = frozenset(path for row in ROWS.values() for path in (row.path, *row.also_paths))
_METHODS = frozenset(method for row in ROWS.values() for method in (row.method, *row.also_methods))
UNKNOWN = "unknown"

Pairs = tuple[tuple[str, str], ...]


class Taken(NamedTuple):
    """The parts of one submission. `credentials` are header names and values, not sealed yet: keep them local."""

    wish: Wish
    texts: Texts
    credentials: Pairs
    faults: tuple[Fault, ...]

    def __repr__(self) -> str:
        """Without the credentials."""
        return f"Taken({len(self.credentials)} credentials, {len(self.faults)} faults)"


def take_apart(submission: dict[str, Any]) -> Taken:
    """The parts, whatever the submission looks like; what could not be read is a fault."""
    task, faults = _task_of(submission)
    texts, size_faults = _bounded(_texts(submission.get("entityInfo"), task or {}))
    if task is None:
        return Taken(Wish(), texts, (), (*faults, *size_faults))
    host, host_faults = _host(task)
    path, path_faults = _scalar(task, "path", ErrorCode.BAD_PATH)
    method, method_faults = _scalar(task, "method", ErrorCode.BAD_METHOD)
    pairs, header_faults = _headers(task.get("headers"))
    plain, credentials = call_headers.split(pairs)
    shape_faults = (
        *host_faults,
        *path_faults,
        *method_faults,
        *_object(task, "pathParams", ErrorCode.BAD_PATH),
        *_object(task, "queryParams", ErrorCode.BAD_QUERY),
        *_missing(task, "body"),
        *size_faults,
        *header_faults,
    )
    path = path if path is None or path in _PATHS else UNKNOWN
    method = method if method is None or method.upper() in _METHODS else UNKNOWN
    return Taken(Wish(host=host, path=path, method=method, headers=plain), texts, credentials, shape_faults)


def _task_of(submission: dict[str, Any]) -> tuple[dict[str, Any] | None, tuple[Fault, ...]]:
    payload = submission.get("payload")
    task = payload.get(TASK) if isinstance(payload, dict) else None
    if isinstance(task, dict):
        return task, ()
    return None, (Fault(code=ErrorCode.MISSING_FIELD, field=f"payload.{TASK}", message="there must be such an object"),)


def _texts(entity: Any, task: dict[str, Any]) -> Texts:
    return Texts(_text(entity), *(_text(task.get(part)) for part in ("pathParams", "queryParams", "body")))


def _bounded(texts: Texts) -> tuple[Texts, tuple[Fault, ...]]:
    """The texts, without the largest of those that are too much together; each that is left out is a fault."""
    faults: tuple[Fault, ...] = ()
    while message := _excess(texts):
        part = max(texts._fields, key=lambda name: len(getattr(texts, name)))
        code, field = _BLAMED[part]
        faults += (Fault(code=code, field=field, message=message),)
        texts = texts._replace(**{part: ""})
    return texts, faults


_BLAMED = {
    "entity": (ErrorCode.BAD_ENTITY_INFO, "entityInfo"),
    "path_params": (ErrorCode.BAD_PATH, "pathParams"),
    "query": (ErrorCode.BAD_QUERY, "queryParams"),
    "body": (ErrorCode.BAD_BODY, "body"),
}


def _excess(texts: Texts) -> str:
    """Why these are too much; empty where they are not."""
    if sum(len(text.encode()) for text in texts) > TEXTS_BYTES_MAX:
        return f"all parts together must not exceed {TEXTS_BYTES_MAX} bytes when their numbers are written out"
    if has_more_values(",".join(texts), TEXTS_VALUES_MAX):
        return f"all parts together must not hold more than {TEXTS_VALUES_MAX} values"
    if sum(text.count("\\") for text in texts) > TEXTS_ESCAPES_MAX:
        return f"all parts together must not hold more than {TEXTS_ESCAPES_MAX} escapes (line breaks, quotes, …)"
    return ""


def _text(value: Any) -> str:
    return "" if value is None else write_exactly(value)


def _missing(task: dict[str, Any], field: str) -> tuple[Fault, ...]:
    if task.get(field) is not None:
        return ()
    return (Fault(code=ErrorCode.MISSING_FIELD, field=field, message="is required"),)


def _object(task: dict[str, Any], field: str, code: ErrorCode) -> tuple[Fault, ...]:
    if task.get(field) is None or isinstance(task[field], dict):
        return ()
    return (Fault(code=code, field=field, message="must be an object"),)


def _scalar(task: dict[str, Any], field: str, code: ErrorCode) -> tuple[str | None, tuple[Fault, ...]]:
    value = task.get(field)
    if value is None:
        return None, _missing(task, field)
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        return None, (Fault(code=code, field=field, message="must be text, and not a long one"),)
    return value, ()


def _host(task: dict[str, Any]) -> tuple[str | None, tuple[Fault, ...]]:
    value, faults = _scalar(task, "hostname", ErrorCode.BAD_HOST)
    if value is None:
        return None, faults
    host = canonical_origin(value)
    if host is None:
        message = "must be http(s)://host[:port] without user, path, query and fragment"
        return None, (Fault(code=ErrorCode.BAD_HOST, field="hostname", message=message),)
    return host, ()


def _headers(value: Any) -> tuple[Pairs, tuple[Fault, ...]]:
    """The headers in their order; where anything is wrong with them, none but the org that they name.

    That one is kept because validation compares it: both faults are listed. It is never sent.
    """
    held = {} if value is None else value
    faults = _header_faults(held)
    return (_org_of(held) if faults else tuple(held.items())), faults


def _header_faults(held: Any) -> tuple[Fault, ...]:
    if not isinstance(held, dict) or not all(isinstance(one, str) for one in held.values()):
        return (_header_fault("headers must be an object whose values are text"),)
    if sum(len(name.encode()) + len(one.encode()) for name, one in held.items()) > HEADERS_BYTES_MAX:
        return (_header_fault(f"headers must not exceed {HEADERS_BYTES_MAX} bytes"),)
    faults = [_header_fault(fault.message) for fault in call_headers.faults(held.items())]
    return listed(faults, ErrorCode.BAD_HEADER, "headers")


def _org_of(held: Any) -> Pairs:
    """The org header alone, where it can be read; cut, because what is longer is no org's number either way."""
    pairs = held.items() if isinstance(held, dict) else ()
    named = call_headers.value_of(((name, one) for name, one in pairs if isinstance(one, str)), ORG_HEADER)
    return () if named is None else ((ORG_HEADER, named.strip()[:TEXT_MAX]),)


def _header_fault(message: str) -> Fault:
    return Fault(code=ErrorCode.BAD_HEADER, field="headers", message=message)
