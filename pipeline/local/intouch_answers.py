"""How the stand-in answers, path by path, as the documentation of the APIs shows it (contract, section 3).

Bodies are checked lightly: enough to catch a call that no Intouch would take. Idempotency keys are remembered as
Intouch does for redemptions (744) and badges (809); goodwill, status changes and retro transactions have none.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KEYS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: status and body (JSON), and whether the call had its effect."""

    status: int
    body: dict[str, Any]
    applied: bool


class _Refused(Exception):
    """The body is not one that Intouch would take; carries its code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Answers:
    """Answers by method and path; remembers the idempotency keys it has seen, the last `KEYS_MAX` of them."""

    def __init__(self) -> None:
        self._ids = itertools.count(1_000_001)
        self._keys: dict[tuple[str, str], None] = {}
        self._paths: dict[tuple[str, str], Callable[[dict[str, Any]], Answer]] = {
            ("POST", "/v1.1/points/redeem"): self._redeem,
            ("PUT", "/v2/customers/lookup/status"): self._change_status,
            ("POST", "/internal/goodwill/"): self._goodwill,
            ("POST", "/api_gateway/v1/badges/customer/earn"): self._earn,
            ("POST", "/api_gateway/v1/badges/badgeMeta/customer/issueBulk"): self._issue,
            ("PUT", "/v2/transactions/retro"): self._retro,
        }

    def to(self, method: str, path: str, *, body: str) -> Answer:
        """The answer to one call, and its effect. Total: 404 and 400 for what Intouch does not know."""
        answer = self._paths.get((method, path))
        if answer is None:
            return _refusal(404, 404, f"no such path: {method} {path}")
        try:
            content = json.loads(body)
            return answer(content) if isinstance(content, dict) else _refusal(400, 400, "the body is no object")
        except json.JSONDecodeError:
            return _refusal(400, 400, "the body is no JSON")
        except _Refused as fault:
            return _refusal(400, fault.code, fault.message)

    def _is_new(self, kind: str, key: object) -> bool:
        """True for the first use of an idempotency key; a missing key is always new."""
        if key is None:
            return True
        entry = (kind, str(key))
        if entry in self._keys:
            return False
        if len(self._keys) >= KEYS_MAX:
            del self._keys[next(iter(self._keys))]
        self._keys[entry] = None
        return True

    def _created(self, status: int) -> Answer:
        return Answer(status, {"createdId": next(self._ids), "warnings": [], "errors": None}, applied=True)

    def _goodwill(self, body: dict[str, Any]) -> Answer:
        _need(body, "referenceId", "reason", "programId", "awardingTillId", "earningEntityId", "points")
        return self._created(201)

    def _change_status(self, body: dict[str, Any]) -> Answer:
        _need(body, "reason", "label")
        return self._created(200)

    def _retro(self, body: dict[str, Any]) -> Answer:
        _need(body, "oldType", "newType", "transactionId", "customerId")
        return self._created(200)

    def _earn(self, body: dict[str, Any]) -> Answer:
        _need(body, "badgeMetaId", "customerId", "requestId", "triggeredBy")
        if not self._is_new("earn", body["requestId"]):
            return _refusal(400, 809, "requestId was used before")
        earned = {
            "badgeMetaId": body["badgeMetaId"],
            "customerId": body["customerId"],
            "earnedId": str(next(self._ids)),
        }
        return Answer(200, {"data": earned, "errors": [], "warnings": []}, applied=True)

    def _issue(self, body: dict[str, Any]) -> Answer:
        _need(body, "badgeMetaId", "customers", "requestId", "triggeredBy")
        if not self._is_new("issue", body["requestId"]):
            return _refusal(400, 809, "requestId was used before")
        customers = body["customers"] if isinstance(body["customers"], list) else [body["customers"]]
        issued = [{"customerId": customer, "issuedId": str(next(self._ids)), "error": None} for customer in customers]
        data = {"badgeMetaId": body["badgeMetaId"], "issuedBadges": issued}
        return Answer(200, {"data": data, "errors": [], "warnings": []}, applied=True)

    def _redeem(self, body: dict[str, Any]) -> Answer:
        """200 whatever happens, booleans and codes as texts: that is how the documents' samples look."""
        root = body.get("root")
        redeem = root.get("redeem") if isinstance(root, dict) else None
        items = redeem if isinstance(redeem, list) else [redeem]
        points = [self._redeem_item(item) for item in items]
        good = sum(item["item_status"]["success"] == "true" for item in points)
        status = {
            "success": "true" if good else "false",
            "code": "200" if good else "500",
            "message": "SUCCESS" if good == len(points) else "PARTIAL" if good else "All requests have failed",
            "total": len(points),
            "success_count": good,
        }
        told = points if isinstance(redeem, list) else points[0]
        return Answer(200, {"response": {"status": status, "responses": {"points": told}}}, applied=good > 0)

    def _redeem_item(self, item: Any) -> dict[str, Any]:
        if not isinstance(item, dict) or not isinstance(item.get("customer"), dict) or not item.get("points_redeemed"):
            return {"item_status": {"success": "false", "code": "801", "message": "Invalid points or customer"}}
        told = {"points_redeemed": str(item["points_redeemed"]), **item["customer"]}
        if not self._is_new("redeem", item.get("external_reference_number")):
            status = {"success": "false", "code": "744", "message": "External reference number was used before"}
        else:
            status = {"success": "true", "code": "800", "message": "Points redeemed successfully"}
            told["redemption_id"] = str(next(self._ids))
        return told | {"item_status": status}


def _need(body: dict[str, Any], *names: str) -> None:
    missing = [name for name in names if body.get(name) is None]
    if missing:
        raise _Refused(400, f"missing: {', '.join(missing)}")


def _refusal(status: int, code: int, message: str) -> Answer:
    errors = [{"status": False, "code": code, "message": message}]
    return Answer(status, {"data": None, "errors": errors, "warnings": []}, applied=False)
