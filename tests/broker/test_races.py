"""Opposing decisions at once, on the real broker: exactly one counts for each request, and each loser is told why.

Checkers are several librdkafka producers, each with a partitioner of its own, with and without keys, let loose
together. Judged from the topics: who won is read from the events, who lost from the dead letters, and that the winner
was the first from the order in approval's inbox. Two workers share the partitions.
"""

from __future__ import annotations

import itertools
import json
import random
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import confluent_kafka as rd
import pytest
from broker.flows import ENDINGS, Flow
from broker.judge import records
from broker.world import CHECKER, MAKER, QUIET, World, until

from pipeline.domain.messages import APPROVAL_INBOX, Verdict, read_message

PARTITIONERS = ("random", "consistent_random", "murmur2_random", "fnv1a")
CHECKERS = range(CHECKER, CHECKER + 20)
CAN_CHECK = ("CanCheckRequest",)

Place = tuple[int, int]  # partition and offset in decisions.submitted


@dataclass
class Said:
    """One decision, and where it lies once it is published. `reason`: why it cannot count; None for a good one."""

    request_id: str
    word: str
    user: int
    reason: str | None = None
    org: int = 0
    rights: tuple[str, ...] = CAN_CHECK
    digest: str | None = None
    api_request_id: str = field(default_factory=lambda: uuid.uuid4().hex)


class Crowd:
    """Publishes decisions from several producers at once; `placed` holds each by its place."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.rng = world, random.Random(seed)
        self.placed: dict[Place, Said] = {}
        self._tokens: dict[Any, bytes] = {}

    def say(self, decisions: list[Said]) -> None:
        """All of them, in an order of nobody's making; returns when all lie in the topic."""
        self.rng.shuffle(decisions)
        for said in decisions:
            self._token(said)  # minted before the race begins
        start = threading.Barrier(len(PARTITIONERS))
        shares = [decisions[number :: len(PARTITIONERS)] for number in range(len(PARTITIONERS))]
        threads = [
            threading.Thread(target=self._publish, args=(partitioner, share, start))
            for partitioner, share in zip(PARTITIONERS, shares, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(self.placed) == len(decisions), "every decision lies in its topic"

    def _publish(self, partitioner: str, share: list[Said], start: threading.Barrier) -> None:
        producer = rd.Producer(
            {"bootstrap.servers": self.world.bootstrap, "partitioner": partitioner, "linger.ms": 1, **QUIET}
        )
        start.wait(30)
        for number, said in enumerate(share):
            producer.produce(
                self.world.prefix + "decisions.submitted",
                value=json.dumps(_value(said)).encode(),
                key=(None, said.request_id, uuid.uuid4().hex)[number % 3],
                headers=self._headers(said),
                on_delivery=self._placing(said),
            )
            producer.poll(0)
        producer.flush(30)

    def _placing(self, said: Said) -> Any:
        def placed(error: Any, message: rd.Message) -> None:
            assert error is None, error
            self.placed[message.partition(), message.offset()] = said

        return placed

    def _token(self, said: Said) -> bytes:
        bearer = (said.user, said.org, said.rights)
        if bearer not in self._tokens:
            self._tokens[bearer] = self.world.token(*bearer)
        return self._tokens[bearer]

    def _headers(self, said: Said) -> list[tuple[str, bytes]]:
        headers = [("X-CAP-UI-AUTH-TOKEN", self._token(said)), ("X-CAP-REQUEST-ID", said.api_request_id.encode())]
        headers += [("X-CAP-API-AUTH-ORG-ID", str(said.org).encode())] if said.org else []
        return headers + ([("rw-payload-digest", said.digest.encode())] if said.digest else [])


def _value(said: Said) -> dict[str, Any]:
    details = {"actionDecision": said.word, "actionMessage": f"said by {said.user}"}
    return {"requestId": said.request_id, "actionName": "AdminTask", "payload": {"AdminTask-Payload": details}}


# -- what came of it


def on_the_desk(flow: Flow) -> list[str]:
    """The requests of the flow, as soon as all of them wait."""
    waiting = until(
        lambda: len(found := flow.world.events(state="AdminTask")) >= len(flow.wishes) and found,
        "all requests lie on the desk",
        60,
    )
    return [event["data"]["requestId"] for event in waiting]


def winners(world: World, crowd: Crowd) -> dict[str, Said]:
    """By request: the decision whose ending was told. Exactly one ending each, which is what that decision said; the
    same event again would be no second ending.
    """
    by_name = {said.api_request_id: said for said in crowd.placed.values()}
    found: dict[str, Said] = {}
    endings = {event["eventId"]: event for state in ENDINGS for event in world.events(state=state)}
    for event in endings.values():
        data, said = event["data"], by_name[event["apiRequestId"]]
        assert data["requestId"] not in found
        assert (data["requestId"], data["currentRequestState"]) == (said.request_id, said.word)
        assert data.get("checkerId", said.user) == said.user
        assert data["comment"] == f"said by {said.user}"
        found[data["requestId"]] = said
    return found


def losers(world: World) -> Iterator[tuple[Place, Any]]:
    """The dead letters by the place of the decision that died."""
    for letter in world.dead_letters():
        source = letter["source"]
        assert source["topic"] == "decisions.submitted"
        yield (source["partition"], source["offset"]), letter


def first_to_arrive(world: World) -> dict[str, list[Place]]:
    """By request: the verdicts in the order of approval's inbox."""
    found: dict[str, list[Place]] = {}
    for record in records(world, APPROVAL_INBOX):
        message = read_message(APPROVAL_INBOX, record.value())
        if isinstance(message, Verdict):
            found.setdefault(message.request_id, []).append((message.origin.partition, message.origin.offset))
    return found


def settled(world: World, crowd: Crowd, requests: int) -> None:
    """Waits until every decision has come to something: one ending per request, a dead letter for each other one."""
    lost = len(crowd.placed) - requests
    until(lambda: len(world.seen) >= 4 * requests + lost, "about everything is told", 120)
    until(lambda: len(dict(losers(world))) >= lost, "every dead letter")
    until(lambda: len(winners(world, crowd)) >= requests, "every ending")


@pytest.fixture
def shared(world: World) -> World:
    """A world whose partitions two workers share."""
    for worker in [world.worker(), world.worker()]:
        worker.ready()
    return world


def test_one_of_twenty_opposing_decisions_counts(shared: World) -> None:
    """200 requests x 20 checkers, half of whom approve while the others reject: one decides, nineteen are told that
    nobody waits for them, and only what was approved is called, once.
    """
    flow, crowd = Flow(shared, 200), Crowd(shared, seed=5)
    request_ids = on_the_desk(flow)
    words = itertools.cycle(("approved", "rejected"))
    crowd.say([Said(request_id, next(words), user) for request_id in request_ids for user in CHECKERS])
    settled(shared, crowd, len(request_ids))

    won, lost = winners(shared, crowd), dict(losers(shared))
    assert set(won) == set(request_ids)
    assert len(lost) == 200 * 19
    assert {id(said) for place, said in crowd.placed.items() if place not in lost} == {
        id(said) for said in won.values()
    }
    for place, letter in lost.items():
        assert (letter["reason"], letter["requestId"]) == ("not-waiting", crowd.placed[place].request_id)
    for request_id, arrived in first_to_arrive(shared).items():
        assert crowd.placed[arrived[0]] is won[request_id]
        assert len(set(arrived)) == 20
    assert {said.word for said in won.values()} == {"approved", "rejected"}
    calls = flow.calls()
    assert set(calls.values()) == {0, 1}
    assert calls.total() == sum(said.word == "approved" for said in won.values())


def test_nobody_wins_without_the_right(shared: World) -> None:
    """50 requests, on each one good decision among seven that cannot count, all at once: the good one counts, and each
    other gets its own reason, or is told that nobody waits any more where that was asked first.
    """
    flow, crowd = Flow(shared, 50), Crowd(shared, seed=6)
    decisions: list[Said] = []
    for request_id in on_the_desk(flow):
        decisions += [
            Said(request_id, "rejected", CHECKER),
            Said(request_id, "approved", MAKER, "maker-is-checker"),
            Said(request_id, "rejected", MAKER, "maker-is-checker"),
            Said(request_id, "approved", CHECKER + 1, "digest-mismatch", digest="0" * 64),
            Said(request_id, "approved", CHECKER + 1, "wrong-org", org=7),
            Said(request_id, "approved", MAKER, "wrong-org", org=7),
            Said(request_id, "approved", CHECKER + 2, "no-right", rights=("CanMakeRequest", "CanResolve")),
            Said(str(uuid.uuid1()), "approved", CHECKER + 3, "unknown-request"),
        ]
    crowd.say(decisions)
    settled(shared, crowd, 50)

    won, lost = winners(shared, crowd), dict(losers(shared))
    assert all(said.reason is None for said in won.values())
    assert len(won) == 50
    assert len(lost) == 50 * 7
    for place, letter in lost.items():
        reason = crowd.placed[place].reason
        asked_later = reason in ("maker-is-checker", "digest-mismatch")
        assert letter["reason"] in ((reason, "not-waiting") if asked_later else (reason,))
    assert flow.calls().total() == 0
