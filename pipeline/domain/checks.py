"""What validation asks of a submission, a function per question (contract, section 3). Each gives the faults it finds.

All faults are listed, not only the first. A fault's words hold none of the input. What a deployment allows comes in as
`Policy` and `AllowList`; nothing is resolved, called or remembered.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from pipeline.domain.access import ENTITY_KEYS
from pipeline.domain.bodies import points_of
from pipeline.domain.headers import ORG_HEADER, value_of
from pipeline.domain.origins import AllowList
from pipeline.domain.policy import Policy
from pipeline.domain.reasons import ErrorCode
from pipeline.domain.request_types import QueryRule, RequestType, Row
from pipeline.domain.requests import Fault, Request, Wish, listed

Faults = tuple[Fault, ...]

QUERY_CHARACTERS_MAX = 6_000  # what fits into the request line that HTTP servers accept
BODY_ERRORS_MAX = 10_000  # to spell out more, only to cut them to a hundred, would hold up the neighbours for seconds


def fault(code: ErrorCode, field: str, message: str | None = None) -> Faults:
    """One fault; without a message, the code's own sentence."""
    return (Fault(code=code, field=field, message=message or code.sentence),)


def check_type(policy: Policy, request: Request) -> Faults:
    """Is the type switched on, and does the submission carry a key where the type wants one?"""
    found: Faults = ()
    if not policy.enabled:
        found += fault(ErrorCode.TYPE_DISABLED, "requestType")
    if policy.require_idempotency_key and not request.is_keyed:
        found += fault(ErrorCode.BAD_HEADER, "Idempotency-Key", "is required for this type")
    return found


def check_entity(row: Row, entity: Any, *, is_there: bool) -> Faults:
    """The four ids, as text or ints; only a redemption may come without them."""
    if not is_there:
        return fault(ErrorCode.MISSING_FIELD, "entityInfo", "is required") if row.needs_entity else ()
    if not isinstance(entity, dict):
        return fault(ErrorCode.BAD_ENTITY_INFO, "entityInfo", "must be an object")
    wrong = [key for key in ENTITY_KEYS if not _is_entity_id(entity.get(key))]
    return tuple(one for key in wrong for one in fault(ErrorCode.BAD_ENTITY_INFO, f"entityInfo.{key}", "must be an id"))


def _is_entity_id(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, str) and bool(value.strip()))


def check_target(row: Row, wish: Wish, allowed: AllowList) -> Faults:
    """Host, path and method, as far as they could be read; what could not is a fault already."""
    found: Faults = ()
    if wish.host is not None and not allowed.allows(wish.host):
        found += fault(ErrorCode.HOST_NOT_ALLOWED, "hostname")
    if wish.path is not None and not row.takes_path(wish.path):
        found += fault(ErrorCode.BAD_PATH, "path", f"must be {row.path}")
    if wish.method is not None and not row.takes_method(wish.method):
        found += fault(ErrorCode.BAD_METHOD, "method", f"must be {row.method}")
    return found


def check_org(request: Request, wish: Wish) -> Faults:
    """A payload that names an org must name the submission's, unless that one named none."""
    named = value_of(wish.headers, ORG_HEADER)
    if request.org_id == 0 or named is None or named.strip(" \t") == str(request.org_id):
        return ()
    return fault(ErrorCode.ORG_MISMATCH, f"headers.{ORG_HEADER}")


def check_query(row: Row, query: Any) -> Faults:
    """Values are text, numbers or booleans; the type's own rules hold for its parameters."""
    if not isinstance(query, dict):
        return ()  # a fault already
    wrong = [name for name, value in query.items() if not isinstance(value, str | int | float)]
    found = fault(ErrorCode.BAD_QUERY, "queryParams", "values must be text, numbers or booleans") if wrong else ()
    if sum(len(name) + len(str(value)) for name, value in query.items()) > QUERY_CHARACTERS_MAX:
        found += fault(ErrorCode.BAD_QUERY, "queryParams", f"must not exceed {QUERY_CHARACTERS_MAX} characters")
    return found + tuple(one for rule in row.query for one in _check_parameter(rule, query))


def _check_parameter(rule: QueryRule, query: dict[str, Any]) -> Faults:
    field, value = f"queryParams.{rule.name}", query.get(rule.name)
    if rule.name not in query:
        return fault(ErrorCode.MISSING_FIELD, field, "is required") if rule.required else ()
    if rule.required and not str(value).strip():
        return fault(ErrorCode.BAD_QUERY, field, "must not be empty")
    if rule.choices and value not in rule.choices:
        return fault(ErrorCode.BAD_QUERY, field, f"must be one of {', '.join(rule.choices)}")
    return ()


def check_body(row: Row, body: Any) -> Faults:
    """The type's model, and its complaints as faults."""
    try:
        row.body.model_validate(body)
    except ValidationError as wrong:
        if wrong.error_count() > BODY_ERRORS_MAX:
            return fault(ErrorCode.BAD_BODY, "body", f"has {wrong.error_count()} faults")
        errors = wrong.errors(include_input=False, include_url=False)
        faults = [_body_fault(error["type"], error["loc"], error["msg"]) for error in errors]
        return listed(faults, ErrorCode.BAD_BODY, "body")
    return ()


def _body_fault(kind: str, location: tuple[int | str, ...], message: str) -> Fault:
    field = ".".join(("body", *map(str, location)))
    if kind == "missing":
        return Fault(code=ErrorCode.MISSING_FIELD, field=field, message="is required")
    return Fault(code=ErrorCode.BAD_BODY, field=field, message=message)


def check_cap(policy: Policy, request_type: RequestType, body: Any) -> Faults:
    """The points against the deployment's cap; a list counts as its sum.

    As far as they can be read, whatever else is wrong with the body; those that cannot are a fault already.
    """
    if policy.max_points is None or _POINTS[request_type] is None:
        return ()
    field, points = _POINTS[request_type](body)
    return fault(ErrorCode.OVER_CAP, field, "exceeds what this type allows") if points > policy.max_points else ()


def _goodwill_points(body: Any) -> tuple[str, Decimal]:
    points = _held(body, "points")
    is_number = isinstance(points, int | float) and not isinstance(points, bool)
    return "body.points", Decimal(repr(points)) if is_number else Decimal()


def _redeemed_points(body: Any) -> tuple[str, Decimal]:
    redeem = _held(_held(body, "root"), "redeem")
    items = redeem if isinstance(redeem, list) else [redeem]
    counted = (_points_read(item["points_redeemed"]) for item in items if _held(item, "points_redeemed"))
    return "body.root.redeem.points_redeemed", sum(counted, Decimal())


def _points_read(value: Any) -> Decimal:
    try:
        return points_of(value)
    except PydanticCustomError:
        return Decimal()


def _held(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


_POINTS: dict[RequestType, Any] = {
    **dict.fromkeys(RequestType),
    RequestType.GOODWILL_POINTS: _goodwill_points,
    RequestType.POINTS_REDEMPTION: _redeemed_points,
}
