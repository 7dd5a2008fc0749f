"""The thirteen documented events, through the running pipeline on a real broker: same keys, same order, same omissions,
same values but ids and times. What a consumer written against the documents reads must not have changed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from broker.world import World, until
from expected import CALLS

SAMPLES = Path(__file__).parents[2] / "topics" / "samples" / "events"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.json"))
ENTITY = {"tillId": "50682289", "storeId": "50682288", "zoneId": "50682286", "conceptId": "50678331"}
IDS = re.compile(r'("(?:eventId|refId|apiRequestId|createdAt|requestId|updateTime)": )("[^"]*"|\d+)')


def without_ids(event: Any) -> str:
    """The event as text, in its own key order, with every id and time replaced (the body's own requestId, too)."""
    body = event["data"]["requestAttributes"].pop("body")
    return IDS.sub(r"\1_", json.dumps(event)) + json.dumps(body)


def submission_of(event: Any, origin: str) -> dict[str, Any]:
    """The submission that leads to this event."""
    data = event["data"]
    method, path = CALLS[data["requestType"]]
    task = {"hostname": origin, "path": path, "method": method, **data["requestAttributes"]}
    task["headers"] = {"Authorization": "Basic b2J2aW91c2x5OmZha2U=", "content-type": "application/json"}
    return {
        "requestType": data["requestType"],
        "entityInfo": ENTITY,
        "payload": {"IntouchAPITask-Payload": task},
    }


@pytest.fixture(scope="module")
def shared(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One pipeline for all thirteen, because starting one costs seconds."""
    world = World(broker, "documented.", tmp_path_factory.mktemp("documented"))
    try:
        world.create_topics()
        world.worker().ready()
        yield world
    finally:
        world.close()


@pytest.mark.parametrize("name", NAMES)
def test_documented_event(shared: World, name: str) -> None:
    """The pipeline tells the documented event, key for key."""
    sample = json.loads((SAMPLES / f"{name}.json").read_text())
    state = sample["data"]["currentRequestState"]
    if state == "failed":
        shared.intouch.behave(path=CALLS[sample["data"]["requestType"]][1], status=400, body={}, times=1)
    api_request_id = f"{NAMES.index(name):032x}"
    shared.submit(submission_of(sample, shared.intouch.origin), api_request_id=api_request_id)
    placed = until(
        lambda: [e for e in shared.events(state="AdminTask") if e["apiRequestId"] == api_request_id], "AdminTask"
    )[0]
    request_id = placed["data"]["requestId"]
    if state != "AdminTask":
        decision = "rejected" if state == "rejected" else "approved"
        shared.decide(request_id, decision, sample["data"]["comment"])

    told = shared.event(state, requestId=request_id)

    assert without_ids(told) == without_ids(sample)
    assert shared.dead_letters() == []


def test_there_are_thirteen() -> None:
    """A test over no samples proves nothing."""
    assert len(NAMES) == 13
