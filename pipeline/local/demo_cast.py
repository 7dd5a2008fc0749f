"""The demo's cast: seven requests, what the checker says to each, and how each has to end. Data and nothing else.

One of every documented type that is approved, one that is rejected, and one that is approved and that Intouch refuses.
All names and numbers are made up.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pipeline.domain.jsontext import write_json
from pipeline.domain.reasons import Reason
from pipeline.domain.request_types import ROWS, RequestType
from pipeline.domain.states import State
from pipeline.local.intouch import Rule

ORG, MAKER, CHECKER = 51250, 232134, 233253
_ENTITY = {"tillId": "50682289", "storeId": "50682288", "zoneId": "50682286", "conceptId": "50678331"}
_REFUSED_REFERENCE = "DEMO-0007"


class Role(NamedTuple):
    """One request of the story. `title` says what is wished, `message` what the checker says, `reason` why it fails."""

    title: str
    request_type: RequestType
    body: dict[str, Any]
    word: Literal["approved", "rejected"]
    message: str
    ends: State
    query: dict[str, Any] | None = None
    reason: str | None = None

    def document(self, origin: str) -> bytes:
        """The documented POST body, for a call to this origin (`http://host:port`)."""
        row = ROWS[self.request_type]
        task: dict[str, Any] = {"hostname": origin, "path": row.path, "method": row.method, "pathParams": {}}
        task |= {"queryParams": self.query} if self.query else {}
        task |= {
            "body": self.body,
            "headers": {"Authorization": "Basic ZGVtbzpub3QtYS1zZWNyZXQ=", "content-type": "application/json"},
        }
        return write_json({"entityInfo": _ENTITY, "payload": {"IntouchAPITask-Payload": task}}).encode()


def _goodwill(reference: str, points: float, reason: str) -> dict[str, Any]:
    return {
        "referenceId": reference,
        "reason": reason,
        "baseType": "POINTS",
        "programId": 2739,
        "awardingTillId": 50682616,
        "earningEntityType": "CUSTOMER",
        "earningEntityId": 382332518,
        "points": points,
        "source": "API",
    }


def _redemption(points: str, reference: str) -> dict[str, Any]:
    item = {
        "points_redeemed": points,
        "customer": {"mobile": "919800000001"},
        "notes": "asked for at the desk",
        "external_reference_number": reference,
    }
    return {"root": {"redeem": item}}


def _badge(request_id: str, **who: Any) -> dict[str, Any]:
    trigger = {"ownerType": "Goodwill_Module", "referenceId": "123"}
    return {"triggeredBy": trigger, **who, "requestId": request_id, "badgeMetaId": "658c50761c4c2b12732c3ec6"}


CAST: tuple[Role, ...] = (
    Role(
        "20 points for a late delivery",
        RequestType.GOODWILL_POINTS,
        _goodwill("DEMO-0001", 20, "late delivery"),
        "approved",
        "the delivery was late indeed",
        State.APPROVED,
    ),
    Role(
        "redeem 100 points",
        RequestType.POINTS_REDEMPTION,
        _redemption("100", "DEMO-0002"),
        "approved",
        "the customer stands here",
        State.APPROVED,
        {"skip_validation": "true", "format": "json"},
    ),
    Role(
        "suspend a customer",
        RequestType.CUSTOMER_STATUS_CHANGE,
        {"reason": "card was stolen", "label": "Suspended"},
        "approved",
        "the report is in the file",
        State.APPROVED,
        {"source": "INSTORE", "accountId": "", "identifierName": "mobile", "identifierValue": "919800000001"},
    ),
    Role(
        "let a customer earn a badge",
        RequestType.EARN_BADGE,
        _badge("DEMO-0004", customerId=382477526),
        "approved",
        "ten visits are reached",
        State.APPROVED,
    ),
    Role(
        "issue a badge to two customers",
        RequestType.ISSUE_BADGE,
        _badge("DEMO-0005", customers=[382477526, 382477527]),
        "approved",
        "both took part",
        State.APPROVED,
    ),
    Role(
        "5000 points for nothing in particular",
        RequestType.GOODWILL_POINTS,
        _goodwill("DEMO-0006", 5000, "because"),
        "rejected",
        "too much, and no reason given",
        State.REJECTED,
    ),
    Role(
        "redeem more points than there are",
        RequestType.POINTS_REDEMPTION,
        _redemption("900000", _REFUSED_REFERENCE),
        "approved",
        "looks good to me",
        State.FAILED,
        reason=Reason.REFUSED,
    ),
)

# HTTP 200 is not success: that is how Intouch refuses a redemption.
REFUSAL = Rule(
    body_contains=_REFUSED_REFERENCE,
    body={
        "response": {
            "status": {"success": "false", "code": "500", "message": "All requests have failed"},
            "responses": {
                "points": {"item_status": {"success": "false", "code": "816", "message": "Not enough points"}}
            },
        }
    },
)
