"""Time on the real broker, with terms of seconds: what is finished is forgotten, what waits too long expires.

Both run in one world, so that the minute for which a finished request must be remembered at least is used: the expiry,
two workers and a kill are in it. 63 s is the shortest term that the settings allow.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
from broker.flows import a_submission
from broker.listening import last_values, reasons, times_told
from broker.world import World, until

REMEMBER_S = 63
TERMS = {"RW_RETENTION_S": "1", "RW_SEGMENT_S": "1", "RW_REMEMBER_S": str(REMEMBER_S)}
SHORT_LIVED = "[RETRO_TRANSACTION]\nexpires_after_s = 3\n"
TYPES = ["GOODWILL_POINTS", "POINTS_REDEMPTION", "CUSTOMER_STATUS_CHANGE", "EARN_BADGE", "ISSUE_BADGE"]


@pytest.fixture(scope="module")
def world(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two workers, and terms of seconds."""
    folder = tmp_path_factory.mktemp("forgetting")
    (folder / "types.toml").write_text(SHORT_LIVED)
    files = {"RW_REQUEST_TYPES_FILE": str(folder / "types.toml")}
    made = World(broker, f"t{uuid.uuid4().hex[:10]}.", folder, **TERMS, **files)
    try:
        made.create_topics()
        for _ in range(2):
            made.worker()
        for worker in made.workers:
            worker.ready()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def finished(world: World) -> dict[str, float]:
    """Requests that have ended, and when (seconds of the monotonic clock) the last of them had."""
    for kind in TYPES:
        world.submit(a_submission(kind, world.intouch.origin, uuid.uuid4().hex))
    placed = until(lambda: len(found := world.events(state="AdminTask")) >= len(TYPES) and found, "all on the desk")
    for number, event in enumerate(placed):
        world.decide(event["data"]["requestId"], "rejected" if number == 0 else "approved")
    ended = lambda: world.events(state="approved") + world.events(state="rejected")  # noqa: E731 - asked often
    until(lambda: len(ended()) >= len(TYPES), "all ended")
    return dict.fromkeys((event["data"]["requestId"] for event in ended()), time.monotonic())


@pytest.mark.usefixtures("finished")
def test_what_waits_too_long_expires(world: World) -> None:
    """Past its term a request ends as rejected, comment `expired`, by one event, though the worker that looks after its
    partition is killed and another asks again; a decision then comes too late.
    """
    for _ in range(12):
        world.submit(a_submission("RETRO_TRANSACTION", world.intouch.origin, uuid.uuid4().hex))
    until(lambda: len(world.events(state="AdminTask")) >= len(TYPES) + 12, "all on the desk")
    world.workers[0].kill()
    world.worker().ready()

    def expired() -> dict[str, dict[str, str]]:
        told = world._told("events")
        return {event["data"]["requestId"]: headers for headers, event in told if headers.get("rw-reason") == "expired"}

    until(lambda: len(expired()) >= 12, "all expired", 30)
    world.decide(next(iter(expired())))
    until(lambda: "not-waiting" in reasons(world), "the late decision is buried")

    told = [request_id for request_id, _, _ in times_told(world, "rejected") if request_id in expired()]
    assert len(told) == len(set(told)) == 12
    events = [event for event in world.events(state="rejected") if event["data"]["requestId"] in expired()]
    assert {event["data"]["comment"] for event in events} == {"expired"}
    assert all("checkerId" not in event["data"] for event in events)


def forgotten(world: World, topic: str) -> set[str]:
    """Requests whose last record in this changelog is a tombstone."""
    return {request_id for request_id, held in last_values(world, topic).items() if held is None}


def test_what_ended_is_forgotten(world: World, finished: dict[str, float]) -> None:
    """After its term a finished request has a tombstone on the desk and in the executor's tables, not before; a later
    decision is buried as one on an unknown request, and nothing more is told of it.
    """
    early = last_values(world, "approval.desk")
    assert all(early[request_id] is not None for request_id in finished)
    called = {
        rid for rid, held in last_values(world, "execution.results").items() if held is not None and rid in finished
    }
    assert len(called) == len(TYPES) - 1, "what was rejected was never called"

    left_s = REMEMBER_S + 20 - (time.monotonic() - min(finished.values()))
    until(lambda: forgotten(world, "approval.desk") >= set(finished), "the desk forgets", left_s)
    until(lambda: forgotten(world, "execution.results") >= called, "the executor forgets")
    assert forgotten(world, "execution.intents") >= called
    before = len(world.events())
    for request_id in finished:
        world.decide(request_id)
    until(lambda: reasons(world).count("unknown-request") >= len(finished), "the decisions are buried")

    assert len(world.intouch.stand_in.calls) == len(called)
    assert len(world.events()) == before
