"""Many requests of all six types through a world: what is submitted, what is decided, and how it all ended."""

from __future__ import annotations

import copy
import json
import uuid
from collections import Counter
from typing import Any

from broker.world import World

ENTITY = {"tillId": "1", "storeId": "2", "zoneId": "3", "conceptId": "4"}
ENDINGS = {"approved", "rejected", "failed"}
ONCE = ("GOODWILL_POINTS", "RETRO_TRANSACTION")  # what Intouch does not dedupe
MARK = "<mark>"  # stands in each body where a text of one's own may stand

_BADGE = {"badgeMetaId": "b", "triggeredBy": {"ownerType": "Loyalty", "referenceId": "1"}, "requestId": MARK}
_GOODWILL = {
    "referenceId": MARK,
    "reason": "r",
    "baseType": "POINTS",
    "programId": 1,
    "awardingTillId": 2,
    "earningEntityType": "CUSTOMER",
    "earningEntityId": 3,
    "points": 20.5,
    "source": "API",
}
_REDEEM = {"points_redeemed": "10", "customer": {"mobile": "919000000000"}, "external_reference_number": MARK}
_RETRO = {"oldType": "NOT_INTERESTED", "newType": "REGULAR", "customerId": "5", "transactionId": MARK}
_IDENTIFIER = {"source": "INSTORE", "identifierName": "mobile", "identifierValue": "919000000000"}

# type -> method, path, query, body
ROWS: dict[str, tuple[str, str, dict[str, str], Any]] = {
    "GOODWILL_POINTS": ("POST", "/internal/goodwill/", {}, _GOODWILL),
    "POINTS_REDEMPTION": ("POST", "/v1.1/points/redeem", {}, {"root": {"redeem": _REDEEM}}),
    "CUSTOMER_STATUS_CHANGE": (
        "PUT",
        "/v2/customers/lookup/status",
        _IDENTIFIER,
        {"reason": MARK, "label": "Suspended"},
    ),
    "EARN_BADGE": ("POST", "/api_gateway/v1/badges/customer/earn", {}, _BADGE | {"customerId": 7}),
    "ISSUE_BADGE": ("POST", "/api_gateway/v1/badges/badgeMeta/customer/issueBulk", {}, _BADGE | {"customers": [7]}),
    "RETRO_TRANSACTION": ("PUT", "/v2/transactions/retro", {}, _RETRO),
}


def a_submission(kind: str, origin: str, mark: str) -> dict[str, Any]:
    """A good submission of this type, whose call carries the mark."""
    method, path, query, body = ROWS[kind]
    task = {
        "hostname": origin,
        "path": path,
        "method": method,
        "queryParams": query,
        "body": json.loads(json.dumps(body).replace(MARK, mark)),
        "headers": {"Authorization": "Basic b2J2aW91c2x5OmZha2U="},
    }
    return {
        "requestType": kind,
        "entityInfo": copy.copy(ENTITY),
        "payload": {"IntouchAPITask-Payload": task},
    }


def submissions(origin: str, count: int) -> list[tuple[str, dict[str, Any]]]:
    """(a mark that stands in the call, the submission): all six types in turn."""
    kinds = list(ROWS)
    marks = [uuid.uuid4().hex for _ in range(count)]
    return [(mark, a_submission(kinds[number % len(kinds)], origin, mark)) for number, mark in enumerate(marks)]


class Flow:
    """Submits a number of requests and approves each as soon as it lies on the desk."""

    def __init__(self, world: World, count: int) -> None:
        self.world, self.wishes = world, submissions(world.intouch.origin, count)
        self.ours = {uuid.uuid4().hex: wish for _, wish in self.wishes}
        self.decided: set[str] = set()
        for api_request_id, wish in self.ours.items():
            world.submit(wish, api_request_id=api_request_id)

    def decide(self) -> int:
        """Decides what waits; how many are decided by now."""
        for event in self.world.events(state="AdminTask"):
            request_id = event["data"]["requestId"]
            if event["apiRequestId"] in self.ours and request_id not in self.decided:
                self.decided.add(request_id)
                self.world.decide(request_id)
        return len(self.decided)

    def endings(self) -> dict[str, set[str]]:
        """By request: the endings that were told."""
        found: dict[str, set[str]] = {request_id: set() for request_id in self.decided}
        for event in self.world.events():
            data = event["data"]
            is_parked = data["currentRequestState"] == "IntouchAPITask"
            if data["requestId"] in found and (is_parked or data["currentRequestState"] in ENDINGS):
                found[data["requestId"]].add(data["currentRequestState"])
        return found

    def all_ended(self) -> bool:
        """Every request has an ending, or is in doubt."""
        return self.decide() == len(self.wishes) and all(self.endings().values())

    def calls(self, *kinds: str) -> Counter[str]:
        """How often each request (of these types, if any is named) was called, by its mark."""
        seen = [call.body for call in list(self.world.intouch.stand_in.calls)]
        wanted = [mark for mark, wish in self.wishes if not kinds or wish["requestType"] in kinds]
        return Counter({mark: sum(mark in body for body in seen) for mark in wanted})

    def effects(self) -> Counter[str]:
        """How often each request had its effect, by its mark; a status that is set again is set."""
        seen = list(self.world.intouch.stand_in.calls)
        found: Counter[str] = Counter()
        for mark, wish in self.wishes:
            count = sum(call.applied and mark in call.body for call in seen)
            found[mark] = min(count, 1) if wish["requestType"] == "CUSTOMER_STATUS_CHANGE" else count
        return found
