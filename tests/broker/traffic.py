"""What makers and checkers publish in a chaos run, each with what it must come to: the auditor's `Wish` and `Word`.

All six types; good ones, refused ones and garbage; keys that are used again for the same and for another body;
decisions that are double, contradictory, by the maker or without right. Where each record lies is learnt from delivery
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
from broker.world import CHECKER, MAKER, QUIET, World
from simulation.workload import Wish, Word

MARKED = re.compile(r"(?:plain|slow|lost|refused)-[0-9a-f]{32}")
# How the stand-in takes a call, by the beginning of its mark; those without a rule are done at once.
BEHAVIOUR: dict[str, dict[str, Any]] = {
    "slow-": {"delay_ms": 1500},
    "lost-": {"drop": "after", "apply": True},
    "refused-": {"status": 400, "body": {"errors": [{"code": 1234, "message": "no"}]}},
}
MARKS = (("plain", 88), ("slow", 6), ("lost", 2), ("refused", 4))
FATES = (("good", 76), ("keyed", 10), ("again", 5), ("conflict", 3), ("refused", 3), ("dead", 3))
GARBAGE = (None, b"{", b"[]", b'{"requestType":"X"}')
RECENT = 50  # keyed submissions that may be repeated
THINK_S = 1.5  # a checker decides within
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
    """One run's makers and checkers. `submit` publishes one submission, `look` follows what comes of all of them."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.rng = world, rng
        self.wishes: list[Wish] = []
        self.words: list[Word] = []
        self.ended: dict[str, Ended] = {}  # by requestId
        self.unplaced = 0  # published, and no delivery report yet
        self.failures: list[str] = []
        self._keyed: list[Wish] = []
        self._announced: set[str] = set()
        self._planned: list[tuple[float, int, Word]] = []
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
            return Wish("dead", MAKER, uuid.uuid4().hex, self.rng.choice(GARBAGE), org=0)
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

    # -- checkers

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
            self._say(heapq.heappop(self._planned)[2])

    def _hear(self, event: Any, at_ms: int) -> None:
        request_id, state = event["data"]["requestId"], event["data"]["currentRequestState"]
        if state in ENDINGS or state == "IntouchAPITask":
            self.ended.setdefault(request_id, Ended(state, at_ms))
        elif state == "AdminTask" and request_id not in self._announced:
            self._announced.add(request_id)
            weights = [weight for weight, _ in PLANS]
            for decision, reason in self.rng.choices(PLANS, weights)[0][1]:
                at = time.monotonic() + self.rng.uniform(0, THINK_S)
                decider = MAKER if reason == "maker-is-checker" else CHECKER
                word = Word(request_id, decision, decider, uuid.uuid4().hex, reason)
                heapq.heappush(self._planned, (at, next(self._order), word))

    def _say(self, word: Word) -> None:
        value = {
            "requestId": word.request_id,
            "actionName": "AdminTask",
            "payload": {"AdminTask-Payload": {"actionDecision": word.decision, "actionMessage": word.comment}},
        }
        right = "CanMakeRequest" if word.reason == "no-right" else "CanCheckRequest"
        headers = [("X-CAP-UI-AUTH-TOKEN", self._token(word.decider, right))]
        headers += [("X-CAP-REQUEST-ID", word.api_request_id.encode())]
        self._publish("decisions.submitted", json.dumps(value).encode(), headers, self._placing(word, self.words))

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
            into.append(record)

        return placed

    def _publish(self, topic: str, value: bytes | None, headers: Any, placed: Callable[..., None]) -> None:
        self.unplaced += 1
        self._producer.produce(self.world.prefix + topic, value=value, headers=headers, on_delivery=placed)
