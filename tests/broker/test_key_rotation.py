"""Sealing keys come and go on a running pipeline: what opens, what an operator is told, and what a lost key costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from broker.flows import a_submission
from broker.judge import records
from broker.world import SEAL_KEY, World, until

from pipeline.domain.deadletters import read_original
from pipeline.trust.sealing import Purpose, Sealer, new_key, parse_keys, sealed_with

NEW_KEY = new_key()
OLD, NEW = (Sealer(parse_keys(key)).key_ids[0] for key in (SEAL_KEY, NEW_KEY))
GARBAGE = b"{an unreadable submission"


def restarted(world: World, keys: str) -> None:
    """Another worker in the place of the last one, with these keys."""
    if world.workers:
        assert world.workers[-1].end() == 0
    world.environment["RW_SEAL_KEYS"] = keys
    world.worker().ready()


def on_the_desk(world: World, mark: str, kind: str = "EARN_BADGE") -> str:
    """A request that waits; its id."""
    world.submit(a_submission(kind, world.intouch.origin, mark), api_request_id=mark * 32)

    def placed() -> list[str]:
        return [e["data"]["requestId"] for e in world.events(state="AdminTask") if e["apiRequestId"] == mark * 32]

    return until(placed, f"request {mark} on the desk")[0]


def status(world: World) -> tuple[int, list[list[str]], str]:
    """What `keys status` says: exit code, the rows of its table, everything."""
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline", "keys", "status"],
        env={**os.environ, **world.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ran.stdout.splitlines() if "│" in line]
    return ran.returncode, rows, ran.stdout + ran.stderr


def headers_of(world: World, request_id: str, state: str) -> dict[str, str]:
    """Of the event that tells this state."""
    found = [
        {name: held.decode() for name, held in message.headers()}
        for message in records(world, "events")
        if json.loads(message.value())["data"]["requestId"] == request_id
        and json.loads(message.value())["data"]["currentRequestState"] == state
    ]
    return found[0]


def test_keys_are_changed_without_a_stop(world: World) -> None:
    """The first key seals and all open; the count says when the old one may go, and shows ids alone."""
    restarted(world, SEAL_KEY)
    first = on_the_desk(world, "a")
    world.publish("requests.submitted", GARBAGE, [("x-secret", b"obviously fake")])
    until(world.dead_letters, "the dead letter")
    restarted(world, f"{NEW_KEY},{SEAL_KEY}")
    second = on_the_desk(world, "b")

    code, rows, said = status(world)
    assert (code, rows) == (0, [[NEW, "seals and opens", "1", "0", "0"], [OLD, "opens", "1", "0", "1"]])
    assert not any(secret in said for secret in (NEW_KEY, SEAL_KEY))

    for request_id in (first, second):
        world.decide(request_id)
        world.event("approved", requestId=request_id)
    sent = [dict(call.headers)["Authorization"] for call in world.intouch.stand_in.calls]
    assert sent == ["***"] * 2  # how the stand-in shows that a credential came
    until(lambda: status(world)[1][0][2:] == ["0", "0", "0"], "the desk is empty", 60)
    assert status(world)[1][1] == [OLD, "opens", "0", "0", "1"]


def test_a_dead_letter_opens_with_its_key(world: World) -> None:
    """It holds key, value and headers as they were, bound to its source; without the key it shows nothing."""
    restarted(world, SEAL_KEY)
    world.producer.produce(
        f"{world.prefix}requests.submitted", GARBAGE, b"a key", headers=[("X-Api-Key", b"fake"), ("n", None)]
    )
    letter: dict[str, Any] = until(world.dead_letters, "the dead letter")[0]
    source = letter["source"]
    place = f"{source['topic']}/{source['partition']}/{source['offset']}"

    opened = Sealer(parse_keys(SEAL_KEY)).open(Purpose.DEAD_LETTER, (place,), letter["sealed"])

    assert read_original(opened) == (b"a key", GARBAGE, (("X-Api-Key", b"fake"), ("n", None)))
    assert sealed_with(letter["sealed"]) == OLD
    assert b"unreadable" not in json.dumps(letter).encode()


def test_a_key_that_went_too_early_costs_its_requests_alone(world: World) -> None:
    """What no key opens is not called and fails as bad-header; the operator is told which key is missing, and the
    worker and everybody else go on.
    """
    restarted(world, SEAL_KEY)
    lost = on_the_desk(world, "a")
    restarted(world, NEW_KEY)
    code, _, said = status(world)
    assert code == 1
    assert f"sealed with {OLD}, and no such key is in RW_SEAL_KEYS" in said

    good = on_the_desk(world, "b")
    for request_id in (lost, good):
        world.decide(request_id)
    world.event("failed", requestId=lost)
    world.event("approved", requestId=good)

    assert headers_of(world, lost, "failed")["rw-reason"] == "bad-header"
    assert len(world.intouch.stand_in.calls) == 1
    [line] = world.workers[-1].lines("not called")
    assert (line["level"], line["request_id"]) == ("error", lost)
    assert f"with key {OLD}, which is not among the sealing keys ({NEW})" in line["detail"]
    assert world.workers[-1].popen.poll() is None
