"""Killed between a call and its result: what may be made again is made again, the rest waits for a person.

One request of each type, and a second one of the types that Intouch does not dedupe. The operator uses the commands.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from broker.flows import ONCE, ROWS, a_submission
from broker.listening import reasons
from broker.world import CHECKER, MAKER, OPERATOR, World, until

KINDS = (*ROWS, *ONCE, "GOODWILL_POINTS")


@pytest.fixture(scope="module")
def world(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """All calls were under way when the worker was killed, and had their effect; another worker is ready."""
    made = World(broker, f"t{uuid.uuid4().hex[:10]}.", tmp_path_factory.mktemp("doubt"))
    try:
        made.create_topics()
        worker = made.worker().ready()
        made.intouch.behave(delay_ms=60_000)
        for kind in KINDS:
            made.submit(a_submission(kind, made.intouch.origin, uuid.uuid4().hex))
        placed = until(lambda: len(found := made.events(state="AdminTask")) >= len(KINDS) and found, "all on the desk")
        for event in placed:
            made.decide(event["data"]["requestId"])
        until(lambda: len(made.intouch.stand_in.calls) == len(KINDS), "all calls are under way")
        worker.kill()
        made.intouch.forgive()
        made.worker().ready()
        ended = lambda: len(made.events(state="approved")) + len(doubts(made))  # noqa: E731 - asked often
        until(lambda: ended() == len(KINDS), "all ended or in doubt", 60)
        yield made
    finally:
        made.close()


def doubts(world: World) -> list[Any]:
    """The events that tell a doubt."""
    return [event for headers, event in world._told("events") if headers.get("rw-reason") == "in-doubt"]


def command(world: World, *arguments: str) -> list[str]:
    """What the console script prints, by line."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        env={**os.environ, **world.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def listed(world: World) -> list[Any]:
    """What `in-doubt list` says."""
    return [json.loads(line) for line in command(world, "in-doubt", "list", "--json")]


def calls_of(world: World, event: Any) -> list[Any]:
    """The calls that Intouch saw of the request that an event tells of."""
    body = json.dumps(event["data"]["requestAttributes"]["body"], separators=(",", ":"))
    return [call for call in world.intouch.stand_in.calls if json.loads(call.body) == json.loads(body)]


def test_what_may_be_made_again_is(world: World) -> None:
    """With the very same body and key; the second one is recognised, so the request is approved and had one effect."""
    approved = [event for event in world.events(state="approved") if event["data"]["requestType"] not in ONCE]

    assert {event["data"]["requestType"] for event in approved} == set(ROWS) - set(ONCE)
    for event in approved:
        first, second = calls_of(world, event)
        assert first.body == second.body
        assert second.applied == (event["data"]["requestType"] == "CUSTOMER_STATUS_CHANGE")


def test_what_may_not_is_in_doubt(world: World) -> None:
    """One call, no ending, and nobody makes another."""
    told = doubts(world)

    assert sorted({event["data"]["requestType"] for event in told}) == sorted(ONCE)
    assert all(len(calls_of(world, event)) == 1 for event in told)


def test_the_operator_sees_what_is_in_doubt(world: World) -> None:
    """Who asked and agreed, since when, what was sent and how it ended."""
    found = listed(world)

    assert {one["requestId"] for one in found} == {event["data"]["requestId"] for event in doubts(world)}
    for one in found:
        assert (one["makerId"], one["checkerId"], one["attempts"]) == (MAKER, CHECKER, 1)
        assert one["call"].endswith(ROWS[one["requestType"]][1])
        assert one["ended"] == "the worker ended before the answer was remembered"
        assert one["body"] in [json.loads(call.body) for call in world.intouch.stand_in.calls]


def test_resolved_each_way(world: World) -> None:
    """By the commands: succeeded, failed, and made once more; the maker may not, and a second word comes too late."""
    first, second, third, *rest = [one["requestId"] for one in listed(world)]
    said = {first: "succeeded", second: "failed", third: "retry"} | dict.fromkeys(rest, "failed")
    before = len(world.intouch.stand_in.calls)
    command(world, "resolve", first, "failed", "--message", "my own", "--user", str(MAKER))
    until(lambda: "maker-is-checker" in reasons(world, requestId=first), "the maker's word is buried")
    for request_id, word in said.items():
        command(world, "resolve", request_id, word, "--message", "looked it up", "--user", str(OPERATOR))
    ended = until(lambda: len(found := resolved(world)) == len(said) and found, "all are resolved")
    command(world, "resolve", first, "failed", "--message", "too late", "--user", str(OPERATOR))
    until(lambda: "not-in-doubt" in reasons(world, requestId=first), "the second word is buried")

    states = {request_id: event["data"]["currentRequestState"] for request_id, event in ended.items()}
    assert states == {one: "failed" if word == "failed" else "approved" for one, word in said.items()}
    assert {event["data"]["previousRequestState"] for event in ended.values()} == {"AdminTask"}
    assert len(world.intouch.stand_in.calls) == before + 1
    assert listed(world) == []


def resolved(world: World) -> dict[str, Any]:
    """The endings that a resolution brought about, by request."""
    return {
        event["data"]["requestId"]: event
        for headers, event in world._told("events")
        if headers.get("rw-resolver") == str(OPERATOR)
        and headers["rw-resolution"] == "looked it up"
        and headers.get("rw-reason") == "resolved"
    }
