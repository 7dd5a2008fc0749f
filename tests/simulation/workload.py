"""Traffic whose outcome is predictable: what makers and checkers publish, and what each of it must come to.

Good and bad submissions of all types, keys used twice for the same and for other bodies, decisions that are double,
contradictory, early, late, by the maker, without right, for nobody. Everything carries an api request id of its own, by
which the auditor finds it in the events. No judgement here.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Coroutine
from typing import Any

from builders import a_decision, a_submission, changed
from simulation.inputs import ORG, ORGS, Wish, Word, task_of
from simulation.log import EPOCH_MS, PARTITIONS, Log

from pipeline.domain import ids
from pipeline.domain.messages import DECISIONS_SUBMITTED, EVENTS, REQUESTS_SUBMITTED
from pipeline.domain.request_types import ROWS, RequestType
from pipeline.trust.tokens import mint

TASK = "payload.IntouchAPITask-Payload"
BAD_PATH = "/elsewhere"
SECRET = "an obviously fake secret of more than 32 bytes"
CANARY = "Basic Y2FuYXJ5OmNhbmFyeQ=="  # stands in the submissions and nowhere else
MAKERS, CHECKERS = (11, 12, 13), (21, 22, 23)
TOKEN_S = 40_000  # a token is good for one or two of these
# What is no submission, and why.
GARBAGE: dict[bytes | None, str] = {
    None: "no-value",
    b"{": "not-json",
    b"[]": "not-an-object",
    b'{"requestType":"X"}': "unknown-type",
}
SHARED = 0.3  # of the new keys: how many somebody else uses for another request
LEFT_ALONE = 0.3  # of the requests that wait at last: nobody decides them, and time ends them
GUESSED = 0.3  # of the keyed submissions: how many somebody decides without having seen them


_tokens: dict[tuple[int, int, tuple[str, ...], int], bytes] = {}


def token(
    user: int,
    org: int = ORG,
    rights: tuple[str, ...] = ("CanMakeRequest", "CanCheckRequest"),
    *,
    now_ms: int = EPOCH_MS,
) -> bytes:
    """A real token; made once per process and time, because making one costs."""
    expires_s = (now_ms // 1000 // TOKEN_S + 2) * TOKEN_S
    if (user, org, rights, expires_s) not in _tokens:
        made = mint(SECRET.encode(), user_id=user, org_id=org, permissions=rights, expires_s=expires_s)
        _tokens[user, org, rights, expires_s] = made.encode()
    return _tokens[user, org, rights, expires_s]


class Workload:
    """One world's makers and checkers."""

    def __init__(self, rng: random.Random, log: Log, host: str, count: int) -> None:
        self.rng, self.log, self.host, self.count = rng, log, host, count
        self.wishes: list[Wish] = []
        self.words: list[Word] = []
        self.repeats = 18  # how many submissions use a key again, for each 82 others
        self._ids = self._bursts = 0
        self._planned: dict[str, tuple[str, int]] = {}  # requestId and org, by what was announced
        self._speaking: set[asyncio.Task[None]] = set()

    async def run(self, within_s: float) -> None:
        """Publishes everything within this many virtual seconds, then follows what comes of it."""
        plans = sorted((self.rng.uniform(0, within_s), self._bursts * self.count + at) for at in range(self.count))
        if not self._bursts:
            self._following = [asyncio.ensure_future(self._follow(partition)) for partition in range(PARTITIONS)]
        self._bursts += 1
        began = asyncio.get_running_loop().time()
        for at_s, number in plans:
            await asyncio.sleep(max(0.0, began + at_s - asyncio.get_running_loop().time()))
            self._submit(self._wish(number))
        await asyncio.sleep(5)
        while self._speaking:
            await asyncio.wait(self._speaking)

    def decide_again(self) -> None:
        """Opposing decisions long after: where a request is decided, they must come to nothing. Some are left alone."""
        for request_id, org in sorted(set(self._planned.values())):
            decision = self.rng.choice(("approved", "rejected"))
            if self.rng.random() > LEFT_ALONE:
                self._say(Word(request_id, decision, CHECKERS[0], self._next_id(), None), {"org": org})

    # -- makers

    def _next_id(self) -> str:
        self._ids += 1
        return f"{self._ids:032x}"

    def _wish(self, number: int) -> Wish:
        rng, kind = self.rng, self.rng.choice(list(RequestType))
        maker, org, mark = rng.choice(MAKERS), rng.choice(ORGS), f"mark-{number}"
        earlier = [wish for wish in self.wishes if wish.key and wish.fate != "dead"]
        value = a_submission(kind, hostname=self.host, headers={"Authorization": CANARY})
        fate = rng.choices(("good", "refused", "dead", "again"), (68, 8, 6, self.repeats))[0]
        if fate == "again" and earlier:
            return self._repeated(rng.choice(earlier))
        key = self._key(maker, org, number) if rng.random() < 0.4 else None
        if fate == "dead":
            bad = rng.choice(list(GARBAGE))
            return Wish("dead", maker, self._next_id(), bad, key=key, reason=GARBAGE[bad], org=org)
        if fate == "refused":
            value = changed(value, f"{TASK}.path", BAD_PATH)
        value = changed(changed(value, f"{TASK}.queryParams.mark", mark), f"{TASK}.body.mark", mark)
        wish = Wish("refused" if fate == "refused" else "good", maker, self._next_id(), b"", key=key, org=org)
        return self._marked(wish, value)

    def _key(self, maker: int, org: int, number: int) -> str:
        """A new one; or one that another maker uses, or the same maker in another org: that is another request."""
        used = {(wish.maker, wish.org, wish.key) for wish in self.wishes if wish.key}
        others = sorted(key for _, _, key in used if key and (maker, org, key) not in used)
        return self.rng.choice(others) if others and self.rng.random() < SHARED else f"key-{number}"

    def _marked(self, wish: Wish, value: Any) -> Wish:
        task = task_of(value)
        wish.value = json.dumps(value).encode()
        wish.mark = f"{task['path']} {task['queryParams']['mark']} {task['body']['mark']}"
        return wish

    def _repeated(self, first: Wish) -> Wish:
        """The key once more: for the same, for another body, for one that is refused or was, or for nothing at all."""
        how = self.rng.choices(("same", "other", "refused", "mended", "dead"), (40, 25, 15, 10, 10))[0]
        again = Wish(first.fate, first.maker, self._next_id(), b"{", key=first.key, org=first.org)
        if how == "dead":
            again.fate, again.reason = "dead", GARBAGE[again.value]
            return again
        value = json.loads(first.value or b"{}")
        if how in ("refused", "mended"):
            again.fate = "refused" if how == "refused" else "good"
            kind = RequestType(value["requestType"])
            value = changed(value, f"{TASK}.path", BAD_PATH if how == "refused" else ROWS[kind].path)
        if how == "other":
            where = self.rng.choice(("queryParams", "body"))
            value = changed(value, f"{TASK}.{where}.mark", f"other-{self._ids}")
        return self._marked(again, value)

    def _submit(self, wish: Wish) -> None:
        if wish.key and self.rng.random() < GUESSED:
            self._begin(self._guess(wish, wish.key))
        headers = [("X-CAP-UI-AUTH-TOKEN", token(wish.maker, wish.org, now_ms=self.log.now_ms()))]
        headers += [("X-CAP-API-AUTH-ORG-ID", str(wish.org).encode())]
        headers += [("X-CAP-REQUEST-ID", wish.api_request_id.encode())]
        headers += [("Idempotency-Key", wish.key.encode())] if wish.key else []
        wish.place = self._publish(REQUESTS_SUBMITTED, wish.value, headers)
        self.wishes.append(wish)

    def _publish(self, topic: str, value: bytes | None, headers: Any) -> tuple[int, int]:
        partition = self.rng.randrange(PARTITIONS)  # any key, any partitioner
        offset = self.log.end(topic, partition)
        self.log.publish(topic, b"any", value, tuple(headers), partition)
        return partition, offset

    # -- checkers

    async def _follow(self, partition: int) -> None:
        position = 0
        while True:
            await self.log.beyond(EVENTS, partition, position)
            for record in self.log.read(EVENTS, partition, position):
                position = record.offset + 1
                self._see(record)

    def _see(self, record: Any) -> None:
        event = json.loads(record.value)
        data, request_id = event["data"], event["data"]["requestId"]
        life = f"{request_id}/{data['updateTime']}"  # a key that is used again after long makes a request anew
        if data["currentRequestState"] != "AdminTask" or life in self._planned:
            return
        self._planned[life] = request_id, event["orgId"]
        digest = dict(record.headers)["rw-payload-digest"]
        for _ in range(self.rng.choices((0, 1, 2, 3, 4), (12, 40, 24, 16, 8))[0]):
            self._begin(self._speak(event, digest, self.rng.uniform(0, 4)))

    def _begin(self, speech: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(speech)
        self._speaking.add(task)
        task.add_done_callback(self._speaking.discard)

    async def _guess(self, wish: Wish, key: str) -> None:
        """Who knows the key knows the requestId, and may decide before the request lies on the desk, or just then."""
        request_id = ids.keyed_request_id(org_id=wish.org, maker_id=wish.maker, key=key.encode())
        await asyncio.sleep(self.rng.choice((0.0, self.rng.uniform(0, 0.3))))
        decision = self.rng.choice(("approved", "rejected"))
        self._say(Word(request_id, decision, self.rng.choice(CHECKERS), self._next_id(), None), {"org": wish.org})

    async def _speak(self, event: Any, digest: bytes, after_s: float) -> None:
        await asyncio.sleep(after_s)
        data, org = event["data"], event["orgId"]
        rng, request_id, kind = self.rng, data["requestId"], data["requestType"]
        decision, decider = rng.choices(("approved", "rejected"), (75, 25))[0], rng.choice(CHECKERS)
        others = [name for name in RequestType if name != kind]
        cases: list[tuple[int, str | None, dict[str, Any]]] = [
            (60, None, {}),
            (10, None, {"digest": digest}),
            (6, "digest-mismatch", {"digest": b"0" * 64}),
            (6, "maker-is-checker", {"decider": data["requesterId"]}),
            (5, "no-right", {"rights": ("CanMakeRequest",)}),
            (5, "wrong-org", {"org": sum(ORGS) - org}),
            (4, "wrong-type", {"request_type": rng.choice(others)}),
            (4, "unknown-request", {"request_id": f"{rng.getrandbits(32):08x}-0000-1000-8000-000000000000"}),
        ]
        _, reason, more = rng.choices(cases, [weight for weight, _, _ in cases])[0]
        word = Word(more.get("request_id", request_id), decision, more.get("decider", decider), self._next_id(), reason)
        for _ in range(2 if rng.random() < 0.05 else 1):  # a client that sends it twice: two records
            self._say(word, {"org": org} | more)

    def _say(self, word: Word, more: dict[str, Any]) -> None:
        org = more.get("org", ORG)
        value = a_decision(word.request_id, word.decision, word.comment)
        value |= {"requestType": more["request_type"]} if "request_type" in more else {}
        rights = more.get("rights", ("CanMakeRequest", "CanCheckRequest"))
        headers = [("X-CAP-UI-AUTH-TOKEN", token(word.decider, org, rights, now_ms=self.log.now_ms()))]
        headers += [("X-CAP-API-AUTH-ORG-ID", str(org).encode()), ("X-CAP-REQUEST-ID", word.api_request_id.encode())]
        headers += [("rw-payload-digest", more["digest"])] if "digest" in more else []
        said = Word(word.request_id, word.decision, word.decider, word.api_request_id, word.reason)
        said.org, said.time_ms = org, self.log.now_ms()
        said.place = self._publish(DECISIONS_SUBMITTED, json.dumps(value).encode(), headers)
        self.words.append(said)
