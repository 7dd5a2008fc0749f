"""What bad input gets on the running pipeline: a dead letter with its reason, or a `failed` event. Never a stall, never
a crash, never a lost neighbour: after all of it, a good request still goes all the way.
"""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from broker.flows import submissions
from broker.world import CHECKER, MAKER, SECRET, World, until

from pipeline.trust.tokens import mint

TOKEN = "X-CAP-UI-AUTH-TOKEN"
ORG = "X-CAP-API-AUTH-ORG-ID"


def good(world: World) -> dict[str, Any]:
    """A goodwill request that nothing is wrong with."""
    return submissions(world.intouch.origin, 1)[0][1]


def changed(world: World, *path: str, value: Any) -> bytes:
    """The good one with one value changed."""
    wish = copy.deepcopy(good(world))
    inner: Any = wish
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(wish).encode()


def signed(world: World, user: int = MAKER, **more: Any) -> list[tuple[str, bytes | None]]:
    return [(TOKEN, world.token(user, **more))]


TASK = ("payload", "IntouchAPITask-Payload")


def dead_submissions(world: World) -> list[tuple[str, bytes | None, list[tuple[str, bytes | None]]]]:
    """(reason, value, headers)."""
    plain = json.dumps(good(world)).encode()
    headers = signed(world)
    forged = mint(b"x" * 40, user_id=MAKER, org_id=0, permissions=("CanMakeRequest",), expires_s=int(time.time()) + 60)
    expired = mint(
        SECRET.encode(), user_id=MAKER, org_id=0, permissions=("CanMakeRequest",), expires_s=int(time.time()) - 60
    )
    return [
        ("no-value", None, headers),
        ("not-utf8", b"\xff\xfe" + plain, headers),
        ("not-json", b"{not json", headers),
        ("not-json", b"", headers),
        ("ambiguous-json", b'{"requestType":"EARN_BADGE","requestType":"GOODWILL_POINTS"}', headers),
        ("ambiguous-json", b"[" * 100_000 + b"]" * 100_000, headers),
        ("unknown-type", b'{"a":0e9999999999999999999}', headers),
        ("not-an-object", b"[1,2]", headers),
        ("too-large", b'{"pad":"' + b"x" * 2_000_000 + b'"}', headers),
        ("too-large", plain, headers + [("a", None)] * 300_000),
        ("not-json", b"{", [*headers, ("\x01" * 900_000, None)]),  # six times as long, were it sealed as JSON
        ("unknown-type", changed(world, "requestType", value="COFFEE"), headers),
        ("bad-token", plain, []),
        ("bad-token", plain, [(TOKEN, forged.encode())]),
        ("bad-token", plain, [(TOKEN, expired.encode())]),
        ("bad-header", plain, headers + headers),
        ("bad-header", plain, [*headers, (ORG, b"twelve")]),
        ("bad-header", plain, [*headers, ("X-CAP-REQUEST-ID", b"short")]),
        ("bad-header", plain, [*headers, ("Idempotency-Key", b"k" * 256)]),
        ("org-mismatch", plain, [*headers, (ORG, b"7")]),
    ]


def failing_submissions(world: World) -> list[tuple[str, bytes, list[tuple[str, bytes | None]]]]:
    """(the code, value, headers): there is somebody to tell."""
    headers = signed(world)
    body = (*TASK, "body")
    return [
        ("no-right", json.dumps(good(world)).encode(), signed(world, rights=())),
        ("bad-path", changed(world, *TASK, "path", value="/internal/../goodwill/"), headers),
        ("bad-method", changed(world, *TASK, "method", value="DELETE"), headers),
        ("bad-host", changed(world, *TASK, "hostname", value="ftp://somewhere"), headers),
        ("host-not-allowed", changed(world, *TASK, "hostname", value="http://elsewhere.example"), headers),
        ("bad-body", changed(world, *body, "points", value=True), headers),
        ("bad-body", changed(world, *body, "points", value=None), headers),
        ("missing-field", changed(world, *TASK, "body", value=None), headers),
        ("missing-field", changed(world, "payload", value="nothing"), headers),
        ("bad-entity-info", changed(world, "entityInfo", value={"tillId": "1"}), headers),
        ("bad-header", changed(world, *TASK, "headers", value={"X-A": "b\r\nHost: evil"}), headers),
        ("bad-query", changed(world, *TASK, "queryParams", value={"a": {"b": 1}}), headers),
    ]


def test_bad_submissions(running: World) -> None:
    """Each gets its reason, and a good neighbour published after them is approved."""
    dead, failing = dead_submissions(running), failing_submissions(running)
    for _, value, headers in dead:
        running.publish("requests.submitted", value, headers)
    for _, value, headers in failing:
        running.publish("requests.submitted", value, headers)
    running.submit(good(running))

    placed = running.event("AdminTask")
    running.decide(placed["data"]["requestId"])
    running.event("approved", requestId=placed["data"]["requestId"])

    until(lambda: len(running.dead_letters()) >= len(dead), "every dead letter")
    until(lambda: len(running.events(state="failed")) >= len(failing), "every failed event")
    assert sorted(letter["reason"] for letter in running.dead_letters()) == sorted(reason for reason, _, _ in dead)
    codes = [event["data"]["errors"][0]["code"] for event in running.events(state="failed")]
    assert sorted(codes) == sorted(code for code, _, _ in failing)


DECISION = {"actionName": "AdminTask", "payload": {"AdminTask-Payload": {"actionDecision": "approved"}}}


def test_bad_decisions(running: World) -> None:
    """A decision without effect becomes a dead letter with its reason, and the request waits on, untouched."""
    running.submit(good(running))
    request_id = running.event("AdminTask")["data"]["requestId"]
    said = copy.deepcopy(DECISION) | {"requestId": request_id}
    said["payload"]["AdminTask-Payload"]["actionMessage"] = "because"
    checker = signed(running, CHECKER)
    cases: list[tuple[str, Any, Any]] = [
        ("bad-decision", DECISION | {"requestId": request_id}, checker),
        ("no-right", said, signed(running, CHECKER, rights=())),
        ("unknown-request", said | {"requestId": "00000000-0000-1000-8000-000000000000"}, checker),
        ("wrong-type", said | {"requestType": "EARN_BADGE"}, checker),
        ("wrong-org", said, [*signed(running, CHECKER, org=7), (ORG, b"7")]),
        ("maker-is-checker", said, signed(running, MAKER, rights=("CanCheckRequest",))),
        ("digest-mismatch", said, [*checker, ("rw-payload-digest", b"0" * 64)]),
    ]
    for _, value, headers in cases:
        running.publish("decisions.submitted", json.dumps(value).encode(), headers)
    until(lambda: len(running.dead_letters()) >= len(cases), "every dead letter")

    assert sorted(letter["reason"] for letter in running.dead_letters()) == sorted(reason for reason, _, _ in cases)
    assert not running.intouch.stand_in.calls

    running.decide(request_id)
    running.event("approved", requestId=request_id)
    running.decide(request_id, "rejected")
    until(lambda: running.dead_letters()[-1]["reason"] == "not-waiting", "the second decision is refused")

    assert len(running.intouch.stand_in.calls) == 1


@pytest.mark.parametrize("topic", ["requests.received", "approval.inbox", "execution.inbox"])
def test_unsigned_internal_record(running: World, topic: str) -> None:
    """The right to write to an internal topic is not enough: what we did not sign is buried."""
    running.publish(topic, b'{"kind":"approved"}', [("rw-signature", b"x" * 32)])
    letter = until(running.dead_letters, "the dead letter")[0]

    assert (letter["reason"], letter["source"]["topic"]) == ("bad-header", topic)
    assert not running.intouch.stand_in.calls
