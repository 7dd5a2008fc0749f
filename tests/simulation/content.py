"""What an event says, field by field (contract, section 5), headers included: against who asked and who decided."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from simulation.inputs import Wish, Word
from simulation.stories import ENDINGS, Story, Telling, Told

HIDES_CHECKER = TELLS_REASON = "CUSTOMER_STATUS_CHANGE"  # as the documented samples do
TOP = ("eventName", "eventId", "orgId", "refId", "apiRequestId", "createdAt", "data", "loyaltyEventId")
DATA = (
    "requestId", "requestType", "requesterId", "checkerId", "currentRequestState", "previousRequestState",
    "updateTime", "comment", "reason", "errors", "requestAttributes",
)  # fmt: skip
ACCESS, PAYLOAD = "ValidateMakerAccess", "ValidatePayload"  # the tasks that may refuse before the desk
ACCESS_CODES = {"no-right", "out-of-scope"}  # what the first of them refuses for
# What came before, by kind of event and state.
PREVIOUS: dict[tuple[str, str], str | None] = {
    ("progress", ACCESS): None,
    ("progress", PAYLOAD): ACCESS,
    ("progress", "IntouchAPITask"): "AdminTask",
    ("state", "AdminTask"): None,
    ("state", "IntouchAPITask"): "IntouchAPITask",
} | {("state", ending): "AdminTask" for ending in ENDINGS}
# Who tells it: there is one ledger.
STAGES = {
    ("progress", ACCESS): "intake",
    ("progress", PAYLOAD): "validation",
    ("progress", "IntouchAPITask"): "approval",
    ("state", "AdminTask"): "approval",
    ("state", "rejected"): "approval",
    ("state", "IntouchAPITask"): "execution",
    ("state", "approved"): "execution",
    ("state", "failed"): "execution",  # after a decision
}
# The header that says why.
REASONS: dict[tuple[str, str], set[str | None]] = {
    ("progress", ACCESS): {None},
    ("progress", PAYLOAD): {None},
    ("progress", "IntouchAPITask"): {None},
    ("state", "AdminTask"): {None, "auto-approved"},
    ("state", "rejected"): {None, "expired"},
    ("state", "IntouchAPITask"): {"in-doubt"},
    ("state", "approved"): {None, "already-there", "resolved"},
    ("state", "failed"): {
        "refused", "intouch-unavailable", "retries-exhausted", "redirect", "host-not-allowed", "digest-mismatch",
        "already-there", "resolved", "approval-expired",
    },
}  # fmt: skip


def audit_content(evidence: Any, telling: Telling) -> list[str]:
    """A sentence for each field of an event that is wrong, missing or too much."""
    wishes = {wish.api_request_id: wish for wish in evidence.wishes}
    words = {word.api_request_id: word for word in evidence.words}
    found = []
    for one in telling.events:
        event = one.event
        data = event["data"]
        story = telling.life_at(data["requestId"], data["updateTime"])
        wish = wishes.get(event["apiRequestId"]) or (wishes.get(story.first_id) if story else None)
        name = f"{data['requestId']}: {data['currentRequestState']}"
        if wish is None:
            found.append(f"{name} is told of nobody's submission")
            continue
        word = words.get(event["apiRequestId"]) or (words.get(story.winner or "") if story else None)
        is_refusal = data["currentRequestState"] == "failed" and story is not None and not story.is_placed
        wrong = [
            *_shape(event, wish),
            *_said(one, event, wish, word, story, is_refusal=is_refusal),
            *(_refusal(one, data, wish, evidence) if is_refusal else _told_why(one, event, wish)),
        ]
        found += [f"{name}: {sentence}" for sentence in wrong]
    return found


def _shape(event: Any, wish: Wish) -> Iterator[str]:
    """The keys and their order, the fixed ones, and what was asked for, as it was asked."""
    data, sent = event["data"], wish.sent
    if tuple(event) != TOP or list(data) != [key for key in DATA if key in data]:
        yield f"the keys are {list(event)} and {list(data)}"
    if (event["eventName"], event["loyaltyEventId"]) != ("requestWorkflowEvent", None):
        yield "it is no requestWorkflowEvent"
    if event["createdAt"] < data["updateTime"]:
        yield "it was created before it was so"
    asked = ({"queryParams": sent.query} if sent.query else {}) | {"body": sent.body}
    if json.dumps(data.get("requestAttributes")) != json.dumps(asked):
        yield f"requestAttributes are {data.get('requestAttributes')}, not {asked}"


def _said(
    one: Told, event: Any, wish: Wish, word: Word | None, story: Story | None, *, is_refusal: bool
) -> Iterator[str]:
    """Whose it is, what came before, who decided and what they said."""
    data, state = event["data"], event["data"]["currentRequestState"]
    tells_reason = state == "AdminTask" and wish.kind == TELLS_REASON
    wanted = {
        "orgId": wish.org,
        "refId": f"{wish.org}_{data['requestId']}",
        "requestType": wish.kind,
        "requesterId": wish.maker,
        "previousRequestState": PREVIOUS[one.kind, state],
        "reason": wish.sent.body["reason"] if tells_reason else None,
    } | _said_by(one, state, wish, word, story)
    if is_refusal:
        del wanted["comment"], wanted["previousRequestState"]
    for key, value in wanted.items():
        held = event.get(key) if key in ("orgId", "refId") else data.get(key)
        if held != value:
            yield f"{key} is {held!r}, not {value!r}"


def _said_by(one: Told, state: str, wish: Wish, word: Word | None, story: Story | None) -> dict[str, Any]:
    """Who decided, and what they said; nobody before the desk, and where a rule or time decided."""
    nobody = {"checkerId": None, "comment": None}
    if one.reason == "expired":
        return nobody | {"comment": "expired"}
    is_by_rule = story is not None and story.is_automatic
    is_before = state in (ACCESS, PAYLOAD, "AdminTask") or (story is not None and not story.is_placed)
    if word is None or is_by_rule or is_before:
        return nobody
    return {"checkerId": None if wish.kind == HIDES_CHECKER else word.decider, "comment": word.comment}


def _refusal(one: Told, data: Any, wish: Wish, evidence: Any) -> Iterator[str]:
    """Before the desk: all that is wrong, and nothing else, and who refused it."""
    errors, header = data.get("errors", []), dict(one.headers)
    codes = [error["code"] for error in errors]
    certain = {"bad-path"} if wish.fate == "refused" else set()
    if not codes or not certain <= set(codes) <= certain | evidence.changing:
        yield f"it was refused for {codes}, and {sorted(certain)} is wrong"
    if any(list(error) != ["code", "field", "message"] or not all(error.values()) for error in errors):
        yield f"its errors are {errors}"
    if not data.get("comment") or one.reason not in codes[:1]:
        yield f"it does not say why: {data.get('comment')!r}, {one.reason}"
    task = ACCESS if ACCESS_CODES & set(codes) else PAYLOAD
    if (data.get("previousRequestState"), header["rw-stage"]) != (task, "approval"):
        yield f"{data.get('previousRequestState')} has refused it, and {header['rw-stage']} says so"


def _told_why(one: Told, event: Any, wish: Wish) -> Iterator[str]:
    """The facts in the headers, and no errors: those belong before the desk."""
    state, headers = event["data"]["currentRequestState"], dict(one.headers)
    if "errors" in event["data"]:
        yield "it has errors"
    if one.reason not in REASONS[one.kind, state]:
        yield f"its reason is {one.reason}"
    if headers["rw-stage"] != STAGES[one.kind, state]:
        yield f"{headers['rw-stage']} has told it"
    if state == "AdminTask" and headers.get("rw-call") != " ".join(wish.sent[:3]):
        yield f"the checker is shown {headers.get('rw-call')}"
    is_resolved = one.reason == "resolved"
    if is_resolved and event["apiRequestId"] not in (one.resolution or ""):
        yield f"it is told under {event['apiRequestId']}, resolved by {one.resolution}"
    if (one.resolution is None) != ("rw-resolver" not in headers) or (is_resolved and one.resolution is None):
        yield f"it was resolved by {headers.get('rw-resolver')}: {one.resolution}"
