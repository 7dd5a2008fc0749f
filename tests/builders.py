"""Good inputs, each with one thing changed: submissions, decisions, records and messages.

Data only: what the stages need to run stands in `wiring`, the four of them in a row in `assembly`. Nothing here may
judge; a test says what is right about what it built.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from pipeline.domain import ids
from pipeline.domain.access import CAN_CHECK, CAN_MAKE, CAN_RESOLVE
from pipeline.domain.ids import Origin
from pipeline.domain.messages import (
    DECISIONS_SUBMITTED,
    REQUESTS_SUBMITTED,
    Approved,
    Decided,
    Ended,
    Pending,
    Refused,
    Resolution,
    Verdict,
)
from pipeline.domain.outcomes import Ending, Outcome
from pipeline.domain.reasons import ErrorCode
from pipeline.domain.request_types import ROWS, RequestType
from pipeline.domain.requests import CallPlan, Fault, Request
from pipeline.domain.states import State
from pipeline.domain.wishes import TASK, take_apart
from pipeline.stages import Arrival
from pipeline.stages.binding import digest_of
from pipeline.trust.digest import payload_digest

ORG, MAKER, CHECKER, OPERATOR = 51250, 232134, 233253, 240001
T0 = 1_706_883_171_068  # epoch ms
HOST = "https://eu.api.example.com"
CALL = f"payload.{TASK}"
BODY = f"{CALL}.body"
QUERY = f"{CALL}.queryParams"
HEADERS = f"{CALL}.headers"
CANARY = "not-a-real-token"
PASSWORD = "Basic bm90OnJlYWw="
ENTITY = {"tillId": "50682289", "storeId": "50682288", "zoneId": "50682286", "conceptId": "50678331"}

BODIES: dict[RequestType, dict[str, Any]] = {
    RequestType.POINTS_REDEMPTION: {
        "root": {
            "redeem": {
                "points_redeemed": "100",
                "customer": {"mobile": "910000000001"},
                "redemption_time": "2020-04-15 23:01:46",
                "external_reference_number": "ACR-1",
            }
        }
    },
    RequestType.CUSTOMER_STATUS_CHANGE: {"reason": "testing", "label": "Suspended"},
    RequestType.GOODWILL_POINTS: {
        "referenceId": "ref_1",
        "reason": "reason",
        "baseType": "POINTS",
        "programId": 2739,
        "awardingTillId": 50682616,
        "earningEntityType": "CUSTOMER",
        "earningEntityId": 382332518,
        "points": 20,
        "source": "API",
    },
    RequestType.EARN_BADGE: {
        "triggeredBy": {"ownerType": "Goodwill_Module", "referenceId": "123"},
        "customerId": 382477526,
        "requestId": "earn-1",
        "badgeMetaId": "65be200710126e55359f1969",
    },
    RequestType.ISSUE_BADGE: {
        "triggeredBy": {"ownerType": "Goodwill_Module", "referenceId": "134"},
        "customers": [113460811],
        "requestId": "issue-1",
        "badgeMetaId": "65be3c4d10126e55359f196a",
    },
    RequestType.RETRO_TRANSACTION: {
        "oldType": "NOT_INTERESTED",
        "newType": "REGULAR",
        "transactionId": 1234,
        "customerId": "382477526",
    },
}
QUERIES: dict[RequestType, dict[str, Any]] = {
    RequestType.POINTS_REDEMPTION: {"skip_validation": "true", "format": "json"},
    RequestType.CUSTOMER_STATUS_CHANGE: {
        "source": "INSTORE",
        "accountId": "",
        "use_async": "false",
        "identifierName": "mobile",
        "identifierValue": "910000000001",
    },
}


# -- what people publish


def a_submission(request_type: RequestType = RequestType.GOODWILL_POINTS, **call: Any) -> dict[str, Any]:
    """A good submission of this type; `call` replaces keys of the call to Intouch."""
    row = ROWS[request_type]
    task = {
        "hostname": HOST,
        "path": row.path,
        "method": row.method,
        "pathParams": {},
        "queryParams": QUERIES.get(request_type, {}),
        "body": BODIES[request_type],
        "headers": {"Authorization": PASSWORD, "content-type": "application/json"},
    }
    return copy.deepcopy({"requestType": str(request_type), "entityInfo": ENTITY, "payload": {TASK: task | call}})


def a_decision(request_id: str, decision: str = "approved", message: str = "approving it") -> dict[str, Any]:
    """A checker's decision on the desk."""
    payload = {"AdminTask-Payload": {"actionDecision": decision, "actionMessage": message}}
    return {"requestId": request_id, "actionName": "AdminTask", "payload": payload}


def a_resolution(request_id: str, decision: str = "succeeded") -> dict[str, Any]:
    """An operator's word on a request in doubt."""
    payload = {"IntouchAPITask-Payload": {"actionDecision": decision, "actionMessage": "looked it up"}}
    return {"requestId": request_id, "actionName": "IntouchAPITask", "payload": payload}


def changed(value: Any, path: str, new: Any) -> Any:
    """A copy with this at one place; the path is dotted, places in lists are numbers."""
    result, *steps = copy.deepcopy(value), *path.split(".")
    *way, last = steps
    held = result
    for step in way:
        held = held[int(step)] if isinstance(held, list) else held[step]
    held[int(last) if isinstance(held, list) else last] = new
    return result


def without(value: Any, path: str) -> Any:
    """A copy that lacks one key."""
    result, *steps = copy.deepcopy(value), *path.split(".")
    *way, last = steps
    held = result
    for step in way:
        held = held[int(step)] if isinstance(held, list) else held[step]
    del held[last]
    return result


# -- records


def a_token(
    user_id: int = MAKER, *, org_id: int = ORG, can: Any = None, entities: Any = None, expires_ms: int = T0 + 600_000
) -> bytes:
    """A token that `wiring.read_token` believes; it carries every right unless `can` says which."""
    rights = [CAN_MAKE, CAN_CHECK, CAN_RESOLVE] if can is None else list(can)
    return json.dumps([CANARY, user_id, org_id, rights, entities, expires_ms]).encode()


def some_headers(*more: tuple[str, bytes | None], token: bytes | None = None, org: str | None = str(ORG)) -> Any:
    """The headers of a public record."""
    pairs: list[tuple[str, bytes | None]] = [("X-CAP-UI-AUTH-TOKEN", token or a_token())]
    pairs += [] if org is None else [("X-CAP-API-AUTH-ORG-ID", org.encode())]
    return (*pairs, *more)


def an_arrival(value: Any, **changes: Any) -> Arrival:
    """A record as it came; a dict is written as JSON, bytes and None stay."""
    raw = value if isinstance(value, bytes | None) else json.dumps(value).encode()
    good = Arrival(
        topic=REQUESTS_SUBMITTED,
        partition=3,
        offset=17,
        key=None,
        time_ms=T0,
        value=raw,
        headers=some_headers(),
        is_broker_time=True,
        seen_ms=T0 + 5,
    )
    return good._replace(**changes)


def a_decision_arrival(value: Any, token: bytes | None = None, **changes: Any) -> Arrival:
    """A record of the decisions' topic, by the checker unless the token says otherwise."""
    headers = some_headers(token=token or a_token(CHECKER))
    return an_arrival(value, **({"topic": DECISIONS_SUBMITTED, "time_ms": T0 + 1000, "headers": headers} | changes))


def an_origin(offset: int = 17, *, topic: str = REQUESTS_SUBMITTED, time_ms: int = T0) -> Origin:
    """A public record's place and time."""
    return Origin(topic, 3, offset, time_ms)


# -- messages between the stages

REQUEST_ID = ids.request_id(an_origin())


def a_request(request_type: RequestType = RequestType.GOODWILL_POINTS, **changes: Any) -> Request:
    """Who asks."""
    good: dict[str, Any] = {
        "request_id": REQUEST_ID,
        "org_id": ORG,
        "maker_id": MAKER,
        "api_request_id": "a" * 32,
        "origin": an_origin(),
    }
    return Request(request_type=request_type, **(good | changes))


def a_pending(
    request_type: RequestType = RequestType.GOODWILL_POINTS,
    *,
    submission: dict[str, Any] | None = None,
    original: str | None = None,
    **changes: Any,
) -> Pending:
    """A request that may be decided, with the digest of what it holds; `changes` go into its `Request`."""
    taken, row = take_apart(submission or a_submission(request_type)), ROWS[request_type]
    request = a_request(request_type, **changes)
    plan = CallPlan(
        method=row.method,
        host=taken.wish.host or HOST,
        path=row.path,
        headers=taken.wish.headers,
        sealed_headers="sealed-headers",
        digest="",
        reason=taken.texts.read("body")["reason"] if row.tells_reason else None,
    )
    digest = digest_of(payload_digest, request, plan, taken.texts)
    plan = plan.model_copy(update={"digest": digest})
    return Pending(request=request, texts=taken.texts, plan=plan, original=original)


def a_refused(*, original: str | None = None, **changes: Any) -> Refused:
    """A request that validation will not let through."""
    fault = Fault(code=ErrorCode.BAD_PATH, field="path", message="must be another")
    texts = take_apart(a_submission()).texts
    request = a_request(**changes)
    return Refused(request=request, texts=texts, task=State.VALIDATE_PAYLOAD, faults=(fault,), original=original)


def a_verdict(decision: str = "approved", *, offset: int = 40, after_ms: int = 1000, **changes: Any) -> Verdict:
    """A checker's verdict, published `after_ms` after the submission."""
    good = _spoken("verdict", offset, after_ms) | {"person_id": CHECKER, "api_request_id": "c" * 32}
    return Verdict(**(good | {"comment": "a comment", "decision": decision} | changes))


def an_operators_resolution(
    decision: str = "succeeded", *, offset: int = 60, after_ms: int = 60_000, **changes: Any
) -> Resolution:
    """An operator's word on a request in doubt, as intake hands it on."""
    good = _spoken("resolution", offset, after_ms) | {"person_id": OPERATOR, "api_request_id": "d" * 32}
    return Resolution(**(good | {"comment": "looked it up", "decision": decision} | changes))


def _spoken(what: str, offset: int, after_ms: int) -> dict[str, Any]:
    origin = an_origin(offset, topic=DECISIONS_SUBMITTED, time_ms=T0 + after_ms)
    return {"request_id": REQUEST_ID, "org_id": ORG, "origin": origin, "original": f"sealed-{what}-{offset}"}


def an_approved(pending: Pending | None = None, **changes: Any) -> Approved:
    """A request and the decision that lets it be called."""
    good: dict[str, Any] = {
        "origin": an_origin(40, topic=DECISIONS_SUBMITTED, time_ms=T0 + 1000),
        "at_ms": T0 + 1000,
        "api_request_id": "c" * 32,
        "checker_id": CHECKER,
        "comment": "a comment",
    }
    return Approved(pending=pending or a_pending(), decided=Decided(**(good | changes)))


def an_outcome(ending: Ending = Ending.DONE, at_ms: int = T0 + 3000, **facts: Any) -> Outcome:
    """How a call ended."""
    return Outcome(ending=ending, at_ms=at_ms, **facts)


def an_ended(at_ms: int = T0 + 2000) -> Ended:
    """Execution's word that the request has ended."""
    return Ended(request_id=REQUEST_ID, origin=an_origin(40, topic=DECISIONS_SUBMITTED), at_ms=at_ms)
