"""What makers, checkers and operators publish in a chaos run, each with what it must come to: the auditor's `Wish`,
`Word` and `Resolving`.

All six types; good ones, refused ones and garbage; keys that are used again for the same and for another body;
decisions that are double, contradictory, by the maker or without right; what is in doubt is looked up and resolved,
now and then by somebody without right first. Where each record lies is learnt from delivery
reports of an idempotent librdkafka producer, so an outage of the broker makes no second copy. No judgement here.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
import re
import time
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import confluent_kafka as rd
from broker.flows import ENDINGS, ROWS, a_submission
from broker.world import CHECKER, MAKER, OPERATOR, QUIET, World
from simulation.inputs import Wish, Word
from simulation.operators import Resolving

MARKED = re.compile(r"(?:plain|slow|lost|refused)-[0-9a-f]{32}")
# How the stand-in takes a call, by the beginning of its mark; those without a rule are done at once.
BEHAVIOUR: dict[str, dict[str, Any]] = {
    "slow-": {"delay_ms": 1500},
    "lost-": {"drop": "after", "apply": True},
    "refused-": {"status": 400, "body": {"errors": [{"code": 1234, "message": "no"}]}},
}
MARKS = (("plain", 88), ("slow", 6), ("lost", 2), ("refused", 4))
FATES = (("good", 76), ("keyed", 10), ("again", 5), ("conflict", 3), ("refused", 3), ("dead", 3))
# What is no submission, and why (contract, section 4).
GARBAGE: dict[bytes | None, str] = {
    None: "no-value",
    b"{": "not-json",
    b"[]": "not-an-object",
    b'{"requestType":"X"}': "unknown-type",
}
RECENT = 50  # keyed submissions that may be repeated
THINK_S = 1.5  # a checker decides within
FIND_OUT_S = (1.0, 3.0)  # how long an operator looks for what became of a call
MEDDLING = 0.15  # of the doubts: how often somebody without the right speaks first
# (how often, who says what: decision, why it cannot count)
PLANS: tuple[tuple[int, tuple[tuple[str, str | None], ...]], ...] = (
    (74, (("approved", None),)),
    (8, (("rejected", None),)),
    (6, (("approved", None), ("approved", None))),
    (4, (("approved", None), ("rejected", None))),
    (4, (("approved", "maker-is-checker"), ("approved", None))),
    (4, (("rejected", "no-right"), ("approved", None))),
)


class Ended(NamedTuple):
    """A request that was told to have ended or to be in doubt; the time is the broker's, epoch milliseconds."""

    state: str
    at_ms: int


def drawn(rng: random.Random, rows: tuple[tuple[Any, int], ...]) -> Any:
    return rng.choices([row for row, _ in rows], [weight for _, weight in rows])[0]


class Traffic:
    """One run's people. `submit` publishes one submission, `look` follows what comes of all of them."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.rng = world, rng
        self.wishes: list[Wish] = []
        self.words: list[Word] = []
        self.resolutions: list[Resolving] = []
        self.ended: dict[str, Ended] = {}  # by requestId
        self.unplaced = 0  # published, and no delivery report yet
        self.failures: list[str] = []
        self._keyed: list[Wish] = []
        self._marks: dict[str, str] = {}  # by requestId, of what was announced
        self._doubts: set[str] = set()  # events
        self._planned: list[tuple[float, int, Word | Resolving]] = []
        self._order = itertools.count()
        self._read = 0
        self._tokens: dict[tuple[int, tuple[str, ...]], bytes] = {}
        self._producer = rd.Producer(
            {"bootstrap.servers": world.bootstrap, "enable.idempotence": True, "linger.ms": 5, **QUIET}
        )
        for beginning, rule in BEHAVIOUR.items():
            world.intouch.behave(body_contains=beginning, **rule)

    @property
    def is_idle(self) -> bool:
        """Everything that was planned is published and lies in its topic."""
        return not self._planned and not self.unplaced

    # -- makers

    def submit(self) -> None:
        """One submission."""
        wish = self._wish()
        headers = [("X-CAP-UI-AUTH-TOKEN", self._token(MAKER, "CanMakeRequest"))]
        headers += [("X-CAP-REQUEST-ID", wish.api_request_id.encode())]
        headers += [("Idempotency-Key", wish.key.encode())] if wish.key else []
        self._publish("requests.submitted", wish.value, headers, self._placing(wish, self.wishes))

    def _wish(self) -> Wish:
        fate = drawn(self.rng, FATES)
        if fate in ("again", "conflict") and self._keyed:
            return self._repeated(self.rng.choice(self._keyed[-RECENT:]), is_same=fate == "again")
        if fate == "dead":
            value, reason = self.rng.choice(list(GARBAGE.items()))
            return Wish("dead", MAKER, uuid.uuid4().hex, value, reason=reason, org=0)
        if fate == "refused":
            return self._made("refused", path="/elsewhere")
        wish = self._made("good")
        if fate == "keyed":
            wish.key = uuid.uuid4().hex
            self._keyed.append(wish)
        return wish

    def _repeated(self, first: Wish, *, is_same: bool) -> Wish:
        again = self._made("good")
        if is_same:
            again.value, again.mark = first.value, first.mark
        again.key = first.key
        return again

    def _made(self, fate: str, **changed: str) -> Wish:
        mark = f"{drawn(self.rng, MARKS)}-{uuid.UUID(int=self.rng.getrandbits(128)).hex}"
        value = a_submission(self.rng.choice(list(ROWS)), self.world.intouch.origin, mark)
        task = value["payload"]["IntouchAPITask-Payload"]
        task |= changed
        return Wish(fate, MAKER, uuid.uuid4().hex, json.dumps(value).encode(), mark=mark, org=0)

    # -- checkers and operators

    def look(self) -> None:
        """Reads what was told since, plans decisions for what lies on the desk, and publishes those that are due."""
        self._producer.poll(0)
        seen, events = self.world.seen, self.world.prefix + "events"
        while self._read < len(seen):
            message = seen[self._read]
            self._read += 1
            if message.topic() == events and (b"state" in dict(message.headers()).values()):
                self._hear(json.loads(message.value()), message.timestamp()[1])
        while self._planned and self._planned[0][0] <= time.monotonic():
            said = heapq.heappop(self._planned)[2]
            if isinstance(said, Word):
                self._decide(said)
            else:
                self._resolve(said)

    def _hear(self, event: Any, at_ms: int) -> None:
        request_id, state = event["data"]["requestId"], event["data"]["currentRequestState"]
        if state in ENDINGS or state == "IntouchAPITask":
            self.ended.setdefault(request_id, Ended(state, at_ms))
        if state == "AdminTask" and request_id not in self._marks:
            found = MARKED.search(json.dumps(event))
            assert found is not None
            self._marks[request_id] = found[0]
            weights = [weight for weight, _ in PLANS]
            for decision, reason in self.rng.choices(PLANS, weights)[0][1]:
                decider = MAKER if reason == "maker-is-checker" else CHECKER
                self._plan(THINK_S * self.rng.random(), Word(request_id, decision, decider, uuid.uuid4().hex, reason))
        if state == "IntouchAPITask" and event["eventId"] not in self._doubts:
            self._doubts.add(event["eventId"])
            for reason in ("no-right", None) if self.rng.random() < MEDDLING else (None,):
                self._plan(
                    self.rng.uniform(*FIND_OUT_S),
                    Resolving(request_id, "", uuid.uuid4().hex, reason, place=(0, 0), org=0),
                )

    def _plan(self, in_s: float, said: Word | Resolving) -> None:
        heapq.heappush(self._planned, (time.monotonic() + in_s, next(self._order), said))

    def _decide(self, word: Word) -> None:
        right = "CanMakeRequest" if word.reason == "no-right" else "CanCheckRequest"
        said = {"actionDecision": word.decision, "actionMessage": word.comment}
        self._say(word, "AdminTask", said, self._token(word.decider, right), self.words)

    def _resolve(self, one: Resolving) -> None:
        """By what Intouch shows now."""
        mark = self._marks[one.request_id]
        is_done = any(call.applied and mark in call.body for call in list(self.world.intouch.stand_in.calls))
        one.decision = "succeeded" if is_done else self.rng.choice(("failed", "retry"))
        right = "CanCheckRequest" if one.reason == "no-right" else "CanResolve"
        said = {"actionDecision": one.decision, "actionMessage": f"because {one.api_request_id}"}
        self._say(one, "IntouchAPITask", said, self._token(OPERATOR, right), self.resolutions)

    def _say(self, one: Any, action: str, said: Any, token: bytes, into: list[Any]) -> None:
        value = {"requestId": one.request_id, "actionName": action, "payload": {f"{action}-Payload": said}}
        headers = [("X-CAP-UI-AUTH-TOKEN", token), ("X-CAP-REQUEST-ID", one.api_request_id.encode())]
        self._publish("decisions.submitted", json.dumps(value).encode(), headers, self._placing(one, into))

    # -- both

    def _token(self, user: int, *rights: str) -> bytes:
        if (user, rights) not in self._tokens:
            self._tokens[user, rights] = self.world.token(user, rights=rights)
        return self._tokens[user, rights]

    def _placing(self, record: Any, into: list[Any]) -> Callable[[Any, rd.Message], None]:
        """Takes the record into the list once it is known where it lies."""

        def placed(error: Any, message: rd.Message) -> None:
            self.unplaced -= 1
            if error is not None:
                self.failures.append(f"a record could not be published: {error}")
                return
            record.place = (message.partition(), message.offset())
            if isinstance(record, Resolving):
                record.time_ms = message.timestamp()[1]  # the broker's: it must come after the doubt
            into.append(record)

        return placed

    def _publish(self, topic: str, value: bytes | None, headers: Any, placed: Callable[..., None]) -> None:
        self.unplaced += 1
        self._producer.produce(self.world.prefix + topic, value=value, headers=headers, on_delivery=placed)
