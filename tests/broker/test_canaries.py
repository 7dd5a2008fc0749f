"""A thousand requests whose every secret is a canary, through refusals, dead letters, forged tokens and a kill -9; then
every byte that is not in the two public topics is searched for them.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from broker.canaries import Canaries
from broker.judge import PUBLIC, Lag, records
from broker.secretive import DEMANDING, LOST, REFUSED, Secretive
from broker.world import WorkerUnderTest, World, until

from pipeline.local.broker import LocalBroker
from pipeline.topology import read_topics

GOOD = 1000
FAILING_ROUNDS = 5  # times every kind of refusal
ROUNDS = 4  # times every kind of dead letter
FATES = ["", "", "", "", "", "", REFUSED, LOST]
COMMANDS = (["settings"], ["keys", "status"], ["pending", "list"], ["topics", "check"])


@pytest.fixture
def canaries() -> Canaries:
    return Canaries(random.Random(20))


@pytest.fixture
def password(canaries: Canaries) -> str:
    """Of the login to Kafka."""
    return canaries.new("login")


@pytest.fixture
def guarded(broker: str, tmp_path: Path, password: str) -> Iterator[LocalBroker]:  # noqa: ARG001 - skips where no broker can be had
    """A broker with a login whose password is a canary, and with its files where they can be searched."""
    with LocalBroker(data=tmp_path / "kafka", login=("worker", password)) as local:
        yield local


@pytest.fixture
def world(guarded: LocalBroker, password: str, tmp_path: Path, canaries: Canaries) -> Iterator[World]:
    """Its workers log in, log everything, and hold keys that are canaries."""
    types = tmp_path / "types.toml"
    types.write_text(f"[{DEMANDING}]\nrequire_digest = true\n")
    login = {
        "RW_KAFKA_BOOTSTRAP_SERVERS": guarded.sasl_bootstrap,
        "RW_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "RW_KAFKA_SASL_MECHANISM": "PLAIN",
        "RW_KAFKA_SASL_USERNAME": "worker",
        "RW_KAFKA_SASL_PASSWORD": password,
    }
    keys = ",".join(base64.b64encode(f"{canaries.new('seal'):.<64}".encode()).decode() for _ in range(2))
    made = World(
        guarded.bootstrap,
        "canary.",
        tmp_path,
        **login,
        RW_JWT_HS256_SECRET=canaries.new("jwtsecret") + "." * 20,
        RW_SEAL_KEYS=keys,
        RW_LOG_LEVEL="debug",
        RW_REQUEST_TYPES_FILE=str(types),
        RW_INTOUCH_TIMEOUT_S="5",
    )
    try:
        made.create_topics()
        yield made
    finally:
        made.close()


class Story:
    """What is published and decided, and what came of it so far."""

    def __init__(self, world: World, canaries: Canaries) -> None:
        self.world = world
        self.people = Secretive(world, canaries, world.environment["RW_JWT_HS256_SECRET"])
        self.decided: set[str] = set()
        self.kept: set[str] = set()  # on the desk, for losers to try
        self.reasons: list[str] = []
        self._read = 0

    def publish(self) -> int:
        """Everything that makers say, well mixed with what cannot be used; how many of it are requests."""
        people = self.people
        for number in range(GOOD):
            people.submit(people.wish(FATES[number % len(FATES)]))
            if number % (GOOD // ROUNDS) == 0:
                self.reasons += people.bury(people.dead())
        failing = [wish for _ in range(FAILING_ROUNDS) for wish in people.failing()]
        for wish in failing:
            people.submit(wish)
        people.submit(people.wish(), people.maker(permissions=[]))
        self.world.producer.flush(30)
        return GOOD + ROUNDS + len(failing) + 1  # of each round, the first with its key

    def decide(self) -> int:
        """Decides what lies on the desk, one in ten by a rejection; how many are decided."""
        seen, events = self.world.seen, f"{self.world.prefix}events"
        while self._read < len(seen):
            message, self._read = seen[self._read], self._read + 1
            if message.topic() == events and b'"currentRequestState":"AdminTask"' in message.value():
                event, headers = json.loads(message.value()), dict(message.headers())
                self._decide(event, headers["rw-payload-digest"].decode())
        return len(self.decided)

    def _decide(self, event: Any, digest: str) -> None:
        request_id, kind = event["data"]["requestId"], event["data"]["requestType"]
        if request_id in self.decided | self.kept:
            return
        if kind == DEMANDING and len(self.kept) < ROUNDS:
            self.kept.add(request_id)
            self.reasons += self.people.lose(self.people.losing(request_id, kind))
            return
        self.decided.add(request_id)
        self.people.decide(event, digest, "rejected" if len(self.decided) % 10 == 0 else "approved")
        if len(self.decided) % 50 == 0:
            self.people.decide(event, digest)
            self.reasons.append("not-waiting")

    def ended(self) -> int:
        """Requests that are over, or in doubt."""
        self.decide()
        over = {"approved", "rejected", "failed", "IntouchAPITask"}
        return len({e["data"]["requestId"] for e in self.world.events() if e["data"]["currentRequestState"] in over})


def commands(world: World, canaries: Canaries) -> Iterator[tuple[str, bytes]]:
    """What the commands say that read topics or settings, and workers whose settings are wrong."""
    request_id = world.events(state="approved")[0]["data"]["requestId"]
    wrong = {
        "RW_SEAL_KEYS": world.environment["RW_SEAL_KEYS"][:-9],
        "RW_JWT_HS256_SECRET": f"{canaries.mark}short",
        "RW_KAFKA_SASL_PASSWORD": f"{canaries.mark}wrong",
    }
    rows: list[tuple[list[str], dict[str, str]]] = [(words, {}) for words in (*COMMANDS, ["show", request_id])]
    rows += [(["worker"], {name: held}) for name, held in wrong.items()]
    for words, changed in rows:
        ran = subprocess.run(
            [sys.executable, "-m", "pipeline", *words],
            env={**os.environ, **world.environment, **changed},
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == (1 if changed else 0), (words, ran.stderr[-500:])
        yield " ".join(words), ran.stdout + ran.stderr


def shown_by(worker: WorkerUnderTest) -> Iterator[tuple[str, bytes]]:
    """What a living worker shows of itself: its port and its arguments."""
    for path in ("/metrics", "/livez", "/readyz"):
        yield path, worker.get(path)[1].encode()
    yield "arguments", Path(f"/proc/{worker.popen.pid}/cmdline").read_bytes()


def parts_of(world: World, *topics: str) -> Iterator[tuple[str, bytes]]:
    """Keys, values, and names and contents of headers of all records in these topics."""
    for message in records(world, *topics):
        headers = [part for name, held in message.headers() or () for part in (name.encode(), held)]
        for part in (message.key(), message.value(), *headers):
            yield message.topic(), part or b""


def everything(world: World, kafka: LocalBroker) -> Iterator[tuple[str, bytes]]:
    """All that must hold no secret: every topic but the public two, as they are read and as they lie on the disk, and
    all that the processes said.
    """
    yield from parts_of(world, *(topic.name for topic in read_topics() if topic.name not in PUBLIC))
    public = tuple(world.prefix + topic for topic in PUBLIC)
    for segment in (kafka.log.parent / "log").rglob("*.log"):
        if not segment.parent.name.startswith(public):
            yield str(segment), segment.read_bytes()
    for log in [*world.folder.glob("worker*.log"), kafka.log]:
        yield str(log), log.read_bytes()


def test_no_secret_leaves_the_public_topics(
    world: World, guarded: LocalBroker, canaries: Canaries, figure: Callable[[str], None]
) -> None:
    """Tokens, credentials, keys and passwords stand nowhere else: not in a topic, a log, an output, a metric, an
    argument; in no form. In the public topics the same search finds every kind of them.
    """
    story, worker = Story(world, canaries), world.worker().ready()
    requests = story.publish()
    until(lambda: story.ended() > requests // 3, "a third has ended", 240)
    shown = list(shown_by(worker))
    worker.kill()
    worker = world.worker().ready()
    until(lambda: story.ended() >= requests - len(story.kept), "all but those that wait have ended", 300)
    until(lambda: len(world.dead_letters()) >= len(story.reasons), "every dead letter", 60)
    lag = Lag(world)
    until(lambda: lag.look()[0] == 0, "nothing is under way", 60)
    lag.close()
    shown += [*shown_by(worker), *commands(world, canaries)]
    assert worker.end() == 0

    found = Counter(letter["reason"] for letter in {letter_of(one): one for one in world.dead_letters()}.values())
    assert found == Counter(story.reasons)
    assert len(world.intouch.stand_in.calls) > GOOD // 2
    searched = list(itertools.chain(shown, everything(world, guarded)))
    assert any(b'"logger": "aiokafka' in held for _, held in searched)  # what only the debug level lets through
    hits = canaries.hits(searched)
    assert not hits, Counter((hit.where, hit.form, hit.around) for hit in hits).most_common(10)

    public = list(parts_of(world, *PUBLIC))
    assert canaries.kinds_in(public) == set(canaries.planted) - {"login", "seal", "jwtsecret"}
    size = sum(len(held) for _, held in searched) / 1e6
    figure(
        f"canaries: {canaries.planted.total()} secrets of {len(canaries.planted)} kinds in {requests} requests and "
        f"{len(story.reasons)} dead letters of {len(found)} reasons; 0 found in {size:.0f} MB outside the public topics"
    )


def letter_of(letter: Any) -> str:
    """What makes two dead letters the same one, told twice."""
    return json.dumps(letter["source"])


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("after", ["", "1", "12", "123"])
def test_the_search_finds_a_canary_in_every_form(canaries: Canaries, before: str, after: str) -> None:
    """As it is, in JSON, in a URL, in hex, in base64 wherever it begins, in any case."""
    text = f"{before}{canaries.new('x')}{after}"
    raw = text.encode()
    encoded = [base64.b64encode(raw), base64.urlsafe_b64encode(raw), raw.hex().encode(), raw.hex().upper().encode()]
    written = [json.dumps(f'"{text}\n').encode(), quote(f"{text}/&").encode(), text.upper().encode(), raw]

    for held in (*encoded, *written):
        assert canaries.hits([("there", b"{" + held + b"}")]), held
    assert not canaries.hits([("there", canaries.mark[:-1].encode())])
