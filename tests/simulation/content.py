"""What an event says, field by field (contract, section 5), and a dead letter: against who asked and who decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simulation.stories import ENDINGS, Story, Telling, Told
from simulation.workload import Wish, Word

HIDES_CHECKER = "CUSTOMER_STATUS_CHANGE"  # as the documented samples do
REFUSING = ("ValidateMakerAccess", "ValidatePayload")  # the tasks that may refuse before the desk
# What came before, by kind of event and state.
PREVIOUS: dict[tuple[str, str], str | None] = {
    ("progress", "ValidateMakerAccess"): None,
    ("progress", "ValidatePayload"): "ValidateMakerAccess",
    ("progress", "IntouchAPITask"): "AdminTask",
    ("state", "AdminTask"): None,
    ("state", "IntouchAPITask"): "IntouchAPITask",
} | {("state", ending): "AdminTask" for ending in ENDINGS}


def audit_content(evidence: Any, telling: Telling) -> list[str]:
    """A sentence for each event with a field that is wrong, missing or too much, and for each such dead letter."""
    wishes = {wish.api_request_id: wish for wish in evidence.wishes}
    words = {word.api_request_id: word for word in evidence.words}
    found = []
    for one in telling.events:
        event = one.event
        story = telling.life_at(event["data"]["requestId"], event["data"]["updateTime"])
        wish = wishes.get(event["apiRequestId"]) or (wishes.get(story.first_id) if story else None)
        if wish is None:
            found.append(f"{event['refId']}: {event['data']['currentRequestState']} is told of nobody's submission")
            continue
        word = words.get(event["apiRequestId"]) or (words.get(story.winner or "") if story else None)
        found += _wrong(one, event, wish, word, story)
    return [*found, *_audit_letters(evidence)]


def _wrong(one: Told, event: Any, wish: Wish, word: Word | None, story: Story | None) -> Iterator[str]:
    data, state = event["data"], event["data"]["currentRequestState"]
    is_refusal = one.kind == "state" and state == "failed" and story is not None and not story.is_placed
    wanted = {
        "orgId": wish.org,
        "refId": f"{wish.org}_{data['requestId']}",
        "requestType": wish.kind,
        "requesterId": wish.maker,
        "previousRequestState": PREVIOUS[one.kind, state],
    } | _said_by(one, state, wish, word, story)
    if is_refusal:
        del wanted["comment"], wanted["previousRequestState"]
        codes = [error["code"] for error in data.get("errors", ())]
        if not data.get("comment") or codes[:1] != [one.reason] or data.get("previousRequestState") not in REFUSING:
            yield f"{event['refId']}: failed before the desk, and does not say why: {data}"
    for key, value in wanted.items():
        held = event.get(key) if key in ("orgId", "refId") else data.get(key)
        if held != value:
            yield f"{event['refId']}: {key} of {state} is {held!r}, not {value!r}"


def _said_by(one: Told, state: str, wish: Wish, word: Word | None, story: Story | None) -> dict[str, Any]:
    """Who decided, and what they said; nobody before the desk, and where a rule or time decided."""
    nobody = {"checkerId": None, "comment": None}
    if one.reason == "expired":
        return nobody | {"comment": "expired"}
    is_by_rule = story is not None and story.is_automatic
    is_before = state in (*REFUSING, "AdminTask") or (story is not None and not story.is_placed)
    if word is None or is_by_rule or is_before:
        return nobody
    return {"checkerId": None if wish.kind == HIDES_CHECKER else word.decider, "comment": word.comment}


def _audit_letters(evidence: Any) -> Iterator[str]:
    """Each holds its original; what is known of whom it is about is right."""
    wishes = {wish.place: wish for wish in evidence.wishes}
    words = {word.place: word for word in evidence.words}
    for letter in evidence.letters:
        source = letter["source"]
        place = source["partition"], source["offset"]
        name = f"the dead letter of {source['topic']} {place}, {letter['reason']},"
        if not letter.get("sealed"):
            yield f"{name} does not hold its original"
        wish = wishes.get(place) if source["topic"] == "requests.submitted" else None
        word = words.get(place) if source["topic"] == "decisions.submitted" else None
        if letter["reason"] == "idempotency-conflict" and wish and letter.get("orgId") != wish.org:
            yield f"{name} says org {letter.get('orgId')}, not {wish.org}"
        if word and letter.get("requestId") != word.request_id:
            yield f"{name} is about {letter.get('requestId')}, not {word.request_id}"
