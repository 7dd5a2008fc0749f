"""Which calls may be made again: a table per request type (contract, section 3, "idempotency field").

A call is repeatable where Intouch dedupes it by a field that its body carries, or where a second one has no second
effect. Nothing about how often or when may enter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.domain.jsontext import read_json
from pipeline.domain.request_types import RequestType


class Manner(NamedTuple):
    """How far one call may be repeated, and what "already there" would be about."""

    is_repeatable: bool
    is_single: bool = True  # about one item or customer, so that one answer speaks for the whole call
    is_keyed: bool = False  # told from the first by a key: also when a crash is found after the time to retry


ONCE = Manner(is_repeatable=False)
PUT_AGAIN = Manner(is_repeatable=True)
KEYED = Manner(is_repeatable=True, is_keyed=True)


def _redemption(body: Any) -> Manner:
    """Repeatable where every item has an `external_reference_number`."""
    found = body["root"]["redeem"]
    items = found if isinstance(found, list) else [found]
    is_keyed = all(_names(item.get("external_reference_number")) for item in items)
    return Manner(is_keyed, len(items) == 1, is_keyed)


def _issue(body: Any) -> Manner:
    customers = body["customers"]
    return KEYED._replace(is_single=not isinstance(customers, list) or len(customers) == 1)


def _names(value: Any) -> bool:
    """A text that is not blank, or a number; validation does not look at it, so it may be anything."""
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int | float) and not isinstance(value, bool)


_MANNERS: dict[RequestType, Manner | Callable[[Any], Manner]] = {
    RequestType.POINTS_REDEMPTION: _redemption,
    RequestType.CUSTOMER_STATUS_CHANGE: PUT_AGAIN,  # the PUT of a status; the time to retry bounds it
    RequestType.GOODWILL_POINTS: ONCE,  # no idempotency field is proven
    RequestType.EARN_BADGE: KEYED,  # body.requestId, which validation asks for
    RequestType.ISSUE_BADGE: _issue,  # the same
    RequestType.RETRO_TRANSACTION: ONCE,
}


def is_never_repeated(request_type: RequestType) -> bool:
    """Whatever its body is."""
    return _MANNERS[request_type] is ONCE


def manner_of(request_type: RequestType, body: str) -> Manner:
    """Of one call with this body. Total: a body that is none of its type's may not be repeated (nor is it sent)."""
    manner = _MANNERS[request_type]
    if isinstance(manner, Manner):
        return manner
    try:
        return manner(read_json(body))
    except (ValueError, LookupError, TypeError, AttributeError):
        return ONCE
