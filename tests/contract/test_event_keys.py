"""The event key table of the contract (section 5), column by column, as the four stages tell it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from assembly import Assembly, done, refused, unknown
from builders import a_submission
from wiring import a_policy

from pipeline.domain.request_types import RequestType

GW, CSC = RequestType.GOODWILL_POINTS, RequestType.CUSTOMER_STATUS_CHANGE
TERM_MS = 2_592_000_000
ALWAYS = ["requestId", "requestType", "requesterId", "currentRequestState", "updateTime", "requestAttributes"]
ORDER = [
    "requestId",
    "requestType",
    "requesterId",
    "checkerId",
    "currentRequestState",
    "previousRequestState",
    "updateTime",
    "comment",
    "reason",
    "errors",
    "requestAttributes",
]
DECIDED = ["checkerId", "previousRequestState", "comment"]
# column: what happens, and for each event its state, previousRequestState and the keys beside those that stand always
COLUMNS: dict[str, list[tuple[str, str | None, list[str]]]] = {
    "approved": [
        ("ValidateMakerAccess", None, []),
        ("ValidatePayload", "ValidateMakerAccess", ["previousRequestState"]),
        ("AdminTask", None, []),
        ("IntouchAPITask", "AdminTask", DECIDED),
        ("approved", "AdminTask", DECIDED),
    ],
    "failed": [("IntouchAPITask", "AdminTask", DECIDED), ("failed", "AdminTask", DECIDED)],
    "in doubt": [("IntouchAPITask", "AdminTask", DECIDED), ("IntouchAPITask", "IntouchAPITask", DECIDED)],
    "rejected": [("AdminTask", None, []), ("rejected", "AdminTask", DECIDED)],
    "expired": [("AdminTask", None, []), ("rejected", "AdminTask", ["previousRequestState", "comment"])],
    "automatic": [
        ("AdminTask", None, []),
        ("IntouchAPITask", "AdminTask", ["previousRequestState"]),
        ("approved", "AdminTask", ["previousRequestState"]),
    ],
    "refused": [
        ("ValidateMakerAccess", None, []),
        ("ValidatePayload", "ValidateMakerAccess", ["previousRequestState"]),
        ("failed", "ValidatePayload", ["previousRequestState", "comment", "errors"]),
    ],
}
ANSWERS = {"failed": refused, "in doubt": unknown}


def happened(column: str, request_type: RequestType = GW, **voice: Any) -> list[dict[str, Any]]:
    """All events of one request that goes this way."""
    policies = a_policy(request_type, auto_approve=column == "automatic")
    assembly = Assembly(policies, answer=ANSWERS.get(column, done), **voice)
    request_id = assembly.submit(a_submission(request_type, **({"path": "/x"} if column == "refused" else {})))
    if column == "expired":
        assembly.now_ms += TERM_MS
    if column not in {"automatic", "refused"}:
        assembly.decide(request_id, "rejected" if column == "rejected" else "approved")
    return [json.loads(event.value()) for event in assembly.events]


@pytest.mark.parametrize("column", COLUMNS)
def test_keys_of_a_column(column):
    """Exactly these keys, in the documented order, from the right state."""
    datas = [event["data"] for event in happened(column)][-len(COLUMNS[column]) :]

    for data, (state, previous, more) in zip(datas, COLUMNS[column], strict=True):
        assert list(data) == [key for key in ORDER if key in [*ALWAYS, *more]]
        assert (data["currentRequestState"], data.get("previousRequestState")) == (state, previous)


@pytest.mark.parametrize("every", [True, False])
def test_a_status_change_hides_its_checker_and_tells_its_reason(every):
    """In all of its events, unless the setting turns the checker on; the reason stands on AdminTask alone."""
    datas = [event["data"] for event in happened("approved", CSC, tells_every_checker=every)]

    assert ["checkerId" in data for data in datas] == [False, False, False, every, every]
    assert ["reason" in data for data in datas] == [False, False, True, False, False]


@pytest.mark.parametrize("column", COLUMNS)
def test_api_request_ids(column):
    """The submission's before a decision, on expiry and on auto-approval; the decision's after it."""
    events = happened(column)
    submissions = events[0]["apiRequestId"]
    told = [event["apiRequestId"] == submissions for event in events]
    after = {"approved": 2, "failed": 2, "in doubt": 2, "rejected": 1}.get(column, 0)

    assert told == [True] * (len(events) - after) + [False] * after
    assert len({event["apiRequestId"] for event in events}) == (2 if after else 1)


@pytest.mark.parametrize("column", COLUMNS)
def test_ids_and_times(column):
    """One eventId per event; updateTime never goes back, and createdAt is never before it."""
    events = happened(column)
    times = [event["data"]["updateTime"] for event in events]

    assert len({event["eventId"] for event in events}) == len(events)
    assert times == sorted(times)
    assert all(event["createdAt"] >= event["data"]["updateTime"] for event in events)


@pytest.mark.parametrize("column", COLUMNS)
def test_silenced_progress(column):
    """Documented states are told all the same, and a doubt, too; in the same bytes."""
    kinds = {"AdminTask", "approved", "rejected", "failed"}
    loud, silent = happened(column), happened(column, tells_progress=False)
    doubts = loud[-1:] if column == "in doubt" else []

    assert silent == [event for event in loud if event["data"]["currentRequestState"] in kinds] + doubts


def test_comment_of_a_failure_is_the_decisions():
    """Never the failure's own reason, which is a header."""
    assert [event["data"].get("comment") for event in happened("failed")] == [None, None, None, "yes", "yes"]
    assert happened("expired")[-1]["data"]["comment"] == "expired"


def test_errors_of_a_refusal():
    """Code, field and message of each."""
    [error] = happened("refused")[-1]["data"]["errors"]

    assert list(error) == ["code", "field", "message"]
    assert (error["code"], error["field"]) == ("bad-path", "path")
