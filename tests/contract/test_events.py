"""The 13 documented events come out of the stages: same keys, order and omissions, same values but ids and times.

Each sample is driven from a submission, and a decision where it has one, through all four stages, without Kafka.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from assembly import Assembly, done, refused
from builders import a_submission

from pipeline.domain.request_types import ROWS, RequestType

SAMPLES = sorted((Path(__file__).parents[2] / "topics" / "samples" / "events").glob("*.json"))
IDS_AND_TIMES = {"eventId", "refId", "createdAt", "requestId", "updateTime"}


def told_like(sample: dict[str, Any]) -> dict[str, Any]:
    """The event in which the stages tell what this sample tells."""
    data, attributes = sample["data"], sample["data"]["requestAttributes"]
    request_type, org = RequestType(data["requestType"]), str(sample["orgId"])
    row, query = ROWS[request_type], attributes.get("queryParams", {})
    submission = a_submission(request_type, method=row.method, queryParams=query, body=attributes["body"])
    assembly = Assembly(answer=refused if data["currentRequestState"] == "failed" else done)
    more = (("X-CAP-REQUEST-ID", sample["apiRequestId"].encode()),)
    is_decided = "previousRequestState" in data
    request_id = assembly.submit(submission, org=org, user_id=data["requesterId"], more=() if is_decided else more)
    if is_decided:
        decision = "rejected" if data["currentRequestState"] == "rejected" else "approved"
        checker = data.get("checkerId", 233253)
        assembly.decide(request_id, decision, data["comment"], org=org, user_id=checker, more=more)
    values = [json.loads(event.value()) for event in assembly.events]
    [event] = [value for value in values if value["data"]["currentRequestState"] == data["currentRequestState"]]
    return event


def shape(value: Any) -> Any:
    """All keys in their order at every depth, and all values but ids and times."""
    if not isinstance(value, dict):
        return value, type(value)
    return [(key, None if key in IDS_AND_TIMES else shape(held)) for key, held in value.items()]


def attributes_of(value: dict[str, Any]) -> str:
    """The request's attributes, whole: here even an id is the submission's own, and must survive."""
    return json.dumps(value["data"]["requestAttributes"])


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_documented_event_is_reproduced(path: Path) -> None:
    """The stages tell exactly this event."""
    sample = json.loads(path.read_text())

    event = told_like(sample)

    assert shape(event) == shape(sample)
    assert attributes_of(event) == attributes_of(sample)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_ids_and_times_have_the_documented_form(path: Path) -> None:
    """Ids and times differ, but not in their kind: UUIDs of version 4 and 1, the refId made of both, epoch ms."""
    sample = json.loads(path.read_text())

    event = told_like(sample)

    for told in (event, sample):
        assert told["eventId"][14] == "4"
        assert told["data"]["requestId"][14] == "1"
        assert told["refId"] == f"{told['orgId']}_{told['data']['requestId']}"
        assert len(str(told["createdAt"])) == len(str(told["data"]["updateTime"])) == 13
        assert told["createdAt"] >= told["data"]["updateTime"]


def test_all_samples_are_there() -> None:
    """Thirteen events are documented, of five types; a missing file would go unnoticed above."""
    types = {json.loads(path.read_text())["data"]["requestType"] for path in SAMPLES}

    assert len(SAMPLES) == 13
    assert types == set(RequestType) - {RequestType.RETRO_TRANSACTION}
