"""A whole pipeline on a real broker: topics of its own, the stand-in for Intouch, workers as real subprocesses.

Makers, checkers and observers are librdkafka clients with their default partitioner, so nothing here depends on our
own client. Nothing is patched: faults are signals to processes and rules of the stand-in.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import confluent_kafka as rd

from pipeline.local.intouch import Rule, StandIn
from pipeline.provision import create_missing
from pipeline.settings import Settings
from pipeline.topology import wanted_topics
from pipeline.trust.tokens import mint

SECRET = "an obviously fake secret of more than 32 bytes"
SEAL_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # 0123456789… : obviously fake
MAKER, CHECKER, OPERATOR = 232134, 233253, 234001
TOLD = ("events", "dead-letters")  # what observers read
TERMS = ("remember_s", "retention_s", "segment_s")  # settings that the topics' configuration follows
QUIET = {"log_level": 2}  # librdkafka tells each refused connection while a broker is away
RIGHTS = {MAKER: ("CanMakeRequest",), CHECKER: ("CanCheckRequest",), OPERATOR: ("CanResolve",)}


def until(holds: Callable[[], Any], what: str, within_s: float = 30.0) -> Any:
    """What `holds` gives as soon as it is true; fails with a sentence when it is not in time."""
    deadline, pause = time.monotonic() + within_s, threading.Event()
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:.0f} s: {what}")
        pause.wait(0.02)
    return found


class Intouch:
    """The stand-in on a loop of its own, so that tests need none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.stand_in = StandIn()
        self.origin: str = self._run(self.stand_in.start())

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def behave(self, **rule: Any) -> None:
        self._loop.call_soon_threadsafe(self.stand_in.behave, Rule(**rule))

    @property
    def bodies(self) -> list[Any]:
        """The bodies of all calls so far, as Intouch read them."""
        return [json.loads(call.body) for call in list(self.stand_in.calls)]

    def go_away(self) -> None:
        """Its port refuses connections from now on."""
        self._run(self.stand_in.stop())

    def come_back(self) -> None:
        """At the same origin, with the same memory and rules."""
        port = int(self.origin.rpartition(":")[2])
        assert self._run(self.stand_in.start(port=port)) == self.origin

    def forgive(self) -> None:
        """It behaves again."""
        self._loop.call_soon_threadsafe(self.stand_in.rules.clear)

    def stop(self) -> None:
        self._run(self.stand_in.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


class WorkerUnderTest:
    """One `request-workflow worker`; its log is a file of JSON lines."""

    def __init__(self, environment: dict[str, str], log: Path, *arguments: str) -> None:
        self.log = log
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "worker", *arguments],
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log lines of this event so far."""
        found = []
        for line in self.log.read_text().splitlines():
            if line.startswith("{"):
                said = json.loads(line)
                if said.get("event") == event:
                    found.append(said)
        return found

    def ready(self) -> WorkerUnderTest:
        """Waits until every stage has its partitions and its memory."""
        until(lambda: self.lines("ready") or self.popen.poll() is not None, "the worker is ready", 60)
        assert self.popen.poll() is None, self.log.read_text()[-3000:]
        return self

    def get(self, path: str) -> tuple[int, str]:
        """(status, text) of the HTTP port."""
        port = until(lambda: self.lines("http"), "the port is told")[-1]["port"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(10)

    def end(self, within_s: float = 60) -> int:
        """SIGTERM; the exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(within_s)


class World:
    """One pipeline with its own topics."""

    def __init__(self, bootstrap: str, prefix: str, folder: Path, **settings: str) -> None:
        self.bootstrap, self.prefix, self.folder = bootstrap, prefix, folder
        self.intouch = Intouch()
        self.environment = {
            "RW_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "RW_TOPIC_PREFIX": prefix,
            "RW_TOPIC_PARTITIONS": "4",
            "RW_JWT_HS256_SECRET": SECRET,
            "RW_SEAL_KEYS": SEAL_KEY,
            "RW_INTOUCH_ALLOWED_HOSTS": self.intouch.origin,
            "RW_HTTP_PORT": "0",
            "RW_HTTP_HOST": "127.0.0.1",
            "RW_KAFKA_SESSION_TIMEOUT_S": "6",
            **settings,
        }
        self.workers: list[WorkerUnderTest] = []
        self.producer = rd.Producer(
            {"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 2, "message.max.bytes": 3_000_000, **QUIET}
        )
        self.seen: list[rd.Message] = []
        self._stop = threading.Event()
        self._observer = threading.Thread(target=self._observe, daemon=True)

    def create_topics(self) -> None:
        settings = Settings(
            _env_file=None,
            kafka_bootstrap_servers=(self.bootstrap,),
            topic_prefix=self.prefix,
            topic_partitions=int(self.environment["RW_TOPIC_PARTITIONS"]),
            **{name: int(held) for name in TERMS if (held := self.environment.get(f"RW_{name.upper()}"))},
        )
        asyncio.run(create_missing(settings, wanted_topics(settings)))
        self._observer.start()

    def worker(self, *arguments: str) -> WorkerUnderTest:
        log = self.folder / f"worker{len(self.workers)}.log"
        self.workers.append(WorkerUnderTest({**os.environ, **self.environment}, log, *arguments))
        return self.workers[-1]

    def close(self) -> None:
        self._stop.set()
        for worker in self.workers:
            if worker.popen.poll() is None:
                worker.kill()
        if self._observer.is_alive():
            self._observer.join(10)
        self.intouch.stop()

    # -- makers and checkers

    def token(self, user: int, org: int = 0, rights: tuple[str, ...] | None = None) -> bytes:
        permissions = RIGHTS[user] if rights is None else rights
        expires_s = int(time.time()) + 3600
        return mint(SECRET.encode(), user_id=user, org_id=org, permissions=permissions, expires_s=expires_s).encode()

    def publish(self, topic: str, value: bytes | None, headers: list[tuple[str, bytes | None]]) -> None:
        self.producer.produce(self.prefix + topic, value=value, headers=headers)
        self.producer.poll(0)

    def submit(self, submission: Any, *, api_request_id: str | None = None, key: str | None = None) -> None:
        headers: list[tuple[str, bytes | None]] = [("X-CAP-UI-AUTH-TOKEN", self.token(MAKER))]
        headers += [("X-CAP-REQUEST-ID", api_request_id.encode())] if api_request_id else []
        headers += [("Idempotency-Key", key.encode())] if key else []
        self.publish("requests.submitted", json.dumps(submission).encode(), headers)

    def decide(self, request_id: str, decision: str = "approved", message: str = "approving", **more: Any) -> None:
        body = {
            "requestId": request_id,
            "actionName": "AdminTask",
            "payload": {"AdminTask-Payload": {"actionDecision": decision, "actionMessage": message}},
        }
        headers = [("X-CAP-UI-AUTH-TOKEN", self.token(more.get("user", CHECKER), rights=("CanCheckRequest",)))]
        self.publish("decisions.submitted", json.dumps(body).encode(), headers)

    # -- observers

    def _observe(self) -> None:
        consumer = rd.Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.prefix}observer",  # wanted by the client, and not joined: an outage costs no place
                "enable.auto.commit": False,
                **QUIET,
            }
        )
        consumer.assign(
            [
                rd.TopicPartition(self.prefix + topic, partition, rd.OFFSET_BEGINNING)
                for topic in TOLD
                for partition in range(int(self.environment["RW_TOPIC_PARTITIONS"]))
            ]
        )
        while not self._stop.is_set():
            self.seen += [message for message in consumer.consume(500, 0.05) if not message.error()]
        consumer.close()

    def _told(self, topic: str) -> list[tuple[dict[str, str], Any]]:
        return [
            ({name: held.decode() for name, held in message.headers() or ()}, json.loads(message.value()))
            for message in list(self.seen)
            if message.topic() == self.prefix + topic
        ]

    def events(self, *, kind: str | None = "state", state: str | None = None) -> list[Any]:
        """All events so far, of this kind and in this state."""
        return [
            event
            for headers, event in self._told("events")
            if kind in (None, headers["rw-kind"]) and state in (None, event["data"]["currentRequestState"])
        ]

    def event(self, state: str, **data: Any) -> Any:
        """Waits for the event in this state whose data holds these values."""

        def found() -> list[Any]:
            return [e for e in self.events(state=state) if all(e["data"].get(k) == v for k, v in data.items())]

        return until(found, f"an event {state} with {data}")[0]

    def dead_letters(self) -> list[Any]:
        """All dead letters so far."""
        return [letter for _, letter in self._told("dead-letters")]
