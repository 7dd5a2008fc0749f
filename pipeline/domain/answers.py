"""How Intouch's answers read, per request type (contract, section 3, "success" and "already there").

The documents' samples answer 200 to a redemption that failed, booleans arrive as texts and codes as int, float or text;
so the body is asked, never the status alone. What a reading means under which status is decided in `outcomes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

from pipeline.domain.jsontext import read_json
from pipeline.domain.request_types import RequestType


class Shows(StrEnum):
    """What the body of an answer says happened."""

    SUCCESS = "success"
    REFUSAL = "refusal"  # a no with a business code: it holds under every status
    COMPLAINT = "complaint"  # a no without one: under a 5xx it proves nothing
    ALREADY_THERE = "already-there"  # the idempotency key was used before
    NOT_NOW = "not-now"  # nothing was applied, and another try is worth it
    NOTHING = "nothing"  # not readable, or neither yes nor no


# Redemption items that were not applied and may be tried again [D], contract, section 8.
_NOT_NOW_CODES = frozenset({521, 815, 886, 887, 889, 894, 896, 898})
_ALREADY_THERE_CODES: dict[str, int] = {
    RequestType.POINTS_REDEMPTION: 744,
    RequestType.EARN_BADGE: 809,
    RequestType.ISSUE_BADGE: 809,
}


def shown_by(request_type: str, body: bytes) -> Shows:
    """What this answer body says about a call of this type; total, whatever the bytes are."""
    try:
        answer = read_json(body.decode("utf-8-sig"))
    except ValueError:  # not UTF-8, not JSON, or JSON that two readers could read differently
        return Shows.NOTHING
    return _READERS[RequestType(request_type)](answer) if isinstance(answer, dict) else Shows.NOTHING


def _truth(value: Any) -> bool | None:
    """True and "true" alike; None for what is neither true nor false."""
    return {"true": True, "false": False}.get(str(value).lower()) if isinstance(value, bool | str) else None


def _code(value: Any) -> int | None:
    """744, 744.0, "744" and "744.0" alike; None for what is no whole number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and (not value.isascii() or "_" in value):
        return None  # float() reads the digits of every script, and 7_44
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() else None


def _is_business(code: int | None) -> bool:
    """Codes that repeat an HTTP status of success or of a fault inside Intouch say nothing about the request."""
    return code is not None and code > 0 and code // 100 not in {2, 5}


def _refusal(request_type: RequestType, codes: list[int | None]) -> Shows:
    """What a no with these codes says; one code per item that failed. Where one of them was there already, a try of
    ours may have put it there, whatever became of the others.
    """
    there = _ALREADY_THERE_CODES.get(request_type)
    if there is not None and there in codes:
        return Shows.ALREADY_THERE
    return Shows.REFUSAL if any(map(_is_business, codes)) else Shows.COMPLAINT


def _code_in(error: Any) -> int | None:
    return _code(error.get("code")) if isinstance(error, dict) else None


def _errors(answer: dict[str, Any]) -> list[Any]:
    errors = answer.get("errors")
    if isinstance(errors, list):
        return errors
    return [errors] if errors else []


def _redemption(answer: dict[str, Any]) -> Shows:
    kind = RequestType.POINTS_REDEMPTION
    response = answer.get("response")
    status = response.get("status") if isinstance(response, dict) else None
    overall = status if isinstance(status, dict) else {}
    items = list(_item_statuses(response))
    said = [_truth(item.get("success")) for item in items]
    if None in said:
        return Shows.NOTHING
    if False in said:
        codes = [_code(item.get("code")) for item, good in zip(items, said, strict=True) if not good]
        is_worth_a_try = True not in said and all(code in _NOT_NOW_CODES for code in codes)
        return Shows.NOT_NOW if is_worth_a_try else _refusal(kind, codes)
    if not items and _truth(overall.get("success")) is False:
        return _refusal(kind, [_code(overall.get("code"))])
    return Shows.SUCCESS if items and _truth(overall.get("success")) else Shows.NOTHING


def _item_statuses(response: Any) -> Iterator[dict[str, Any]]:
    """Every `item_status`, wherever the documents put it: below `responses.points`, an object or a list of them."""
    if isinstance(response, dict):
        found = response.get("item_status")
        if isinstance(found, dict):
            yield found
        for child in response.values():
            yield from _item_statuses(child)
    elif isinstance(response, list):
        for child in response:
            yield from _item_statuses(child)


def _unless_errors(
    kind: RequestType, succeeded: Callable[[dict[str, Any]], Shows]
) -> Callable[[dict[str, Any]], Shows]:
    """A reader for answers with `errors`: a no where that is not empty, else what `succeeded` makes of the rest."""

    def read(answer: dict[str, Any]) -> Shows:
        errors = _errors(answer)
        return _refusal(kind, [_code_in(error) for error in errors]) if errors else succeeded(answer)

    return read


def _created(answer: dict[str, Any]) -> Shows:
    created = answer.get("createdId")
    is_there = isinstance(created, int | float | str) and not isinstance(created, bool) and created != ""
    return Shows.SUCCESS if is_there else Shows.NOTHING


def _silent(_answer: dict[str, Any]) -> Shows:
    return Shows.SUCCESS


def _earned(answer: dict[str, Any]) -> Shows:
    return Shows.NOTHING if answer.get("data") is None else Shows.SUCCESS


def _issued(answer: dict[str, Any]) -> Shows:
    data = answer.get("data")
    badges = data.get("issuedBadges") if isinstance(data, dict) else answer.get("issuedBadges")
    if not isinstance(badges, list) or not badges or not all(isinstance(badge, dict) for badge in badges):
        return Shows.NOTHING
    errors = [badge["error"] for badge in badges if badge.get("error") is not None]
    # Some of several customers is counted as failed (contract, section 3).
    return _refusal(RequestType.ISSUE_BADGE, [_code_in(error) for error in errors]) if errors else Shows.SUCCESS


_READERS: dict[RequestType, Callable[[dict[str, Any]], Shows]] = {
    RequestType.POINTS_REDEMPTION: _redemption,
    RequestType.CUSTOMER_STATUS_CHANGE: _unless_errors(RequestType.CUSTOMER_STATUS_CHANGE, _silent),
    RequestType.GOODWILL_POINTS: _unless_errors(RequestType.GOODWILL_POINTS, _created),
    RequestType.EARN_BADGE: _unless_errors(RequestType.EARN_BADGE, _earned),
    RequestType.ISSUE_BADGE: _unless_errors(RequestType.ISSUE_BADGE, _issued),
    RequestType.RETRO_TRANSACTION: _unless_errors(RequestType.RETRO_TRANSACTION, _created),
}
