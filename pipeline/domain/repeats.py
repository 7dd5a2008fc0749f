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


ONCE = Manner(is_repeatable=False)
AGAIN = Manner(is_repeatable=True)


def _redemption(body: Any) -> Manner:
    """Repeatable where every item has an `external_reference_number`."""
    found = body["root"]["redeem"]
    items = found if isinstance(found, list) else [found]
    return Manner(all(_names(item.get("external_reference_number")) for item in items), len(items) == 1)


def _issue(body: Any) -> Manner:
    customers = body["customers"]
    return Manner(is_repeatable=True, is_single=not isinstance(customers, list) or len(customers) == 1)


def _names(value: Any) -> bool:
    """A text that is not blank, or a number; validation does not look at it, so it may be anything."""
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int | float) and not isinstance(value, bool)


_MANNERS: dict[RequestType, Manner | Callable[[Any], Manner]] = {
    RequestType.POINTS_REDEMPTION: _redemption,
    RequestType.CUSTOMER_STATUS_CHANGE: AGAIN,  # the PUT of a status; the time to retry bounds it
    RequestType.GOODWILL_POINTS: ONCE,  # no idempotency field is proven
    RequestType.EARN_BADGE: AGAIN,  # body.requestId, which validation asks for
    RequestType.ISSUE_BADGE: _issue,  # the same
    RequestType.RETRO_TRANSACTION: ONCE,
}


def manner_of(request_type: RequestType, body: str) -> Manner:
    """Of one call with this body (a JSON text that validation found good)."""
    manner = _MANNERS[request_type]
    return manner if isinstance(manner, Manner) else manner(read_json(body))
