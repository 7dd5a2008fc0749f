"""Runs commands of the console script inside the test's process, with an environment and topics of the test's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaProducer
from builders import REQUEST_ID, a_pending
from wiring import an_approval, folded

from pipeline.__main__ import main
from pipeline.client.kafka import Record, reading
from pipeline.postings import partition_of, position_header
from pipeline.provision import create_missing
from pipeline.settings import Settings
from pipeline.topology import wanted_topics

PARTITIONS = 2
SECRET = "obviously-fake-secret-of-more-than-32-bytes"


class Ran(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def secret() -> str:
    """An HS256 secret that protects nothing."""
    return SECRET


@pytest.fixture
def run(monkeypatch, tmp_path, capfd) -> Run:
    """`run("settings", "--check", RW_STAGES="intake")`: no other RW_ variables and no `.env` file get in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in [name for name in os.environ if name.startswith("RW_")]:
        monkeypatch.delenv(name)

    def run_command(*arguments: str, **variables: str) -> Ran:
        with monkeypatch.context() as environment:
            for name, value in variables.items():
                environment.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main(list(arguments))
        out, err = capfd.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return run_command


@dataclass
class Topics:
    """The topics of one test, and the variables by which a command finds them."""

    settings: Settings
    variables: dict[str, str]

    def publish(self, topic: str, key: bytes, value: bytes | None, headers: Any = ()) -> None:
        """As the pipeline would: in the key's own partition."""

        async def send() -> None:
            async with AIOKafkaProducer(bootstrap_servers=list(self.settings.kafka_bootstrap_servers)) as producer:
                place = partition_of(key, PARTITIONS)
                await producer.send_and_wait(
                    self.settings.topic_prefix + topic, value, key=key, partition=place, headers=list(headers)
                )

        asyncio.run(send())

    def records(self, topic: str) -> list[Record]:
        """Everything that lies there."""

        async def read() -> list[Record]:
            async with reading(self.settings, topic) as reader:
                return [record async for record in reader.to_end()]

        return asyncio.run(read())

    def place(self, *, position: int = 8) -> bytes:
        """Put a request on the desk and tell AdminTask, as approval does; the desk's entry."""
        step = folded(an_approval(), a_pending())
        [write] = step.memory
        self.publish("approval.desk", REQUEST_ID.encode(), write.value, position_header(position))
        self.tell(step)
        assert write.value is not None
        return write.value

    def tell(self, step: Any) -> None:
        """Publish the events of this step."""
        for event in step.events:
            self.publish("events", event.key, event.value(), event.headers())


@pytest.fixture
def topics(broker, prefix, secret) -> Topics:
    """Fresh topics."""
    variables = {
        "RW_KAFKA_BOOTSTRAP_SERVERS": broker,
        "RW_TOPIC_PREFIX": prefix,
        "RW_TOPIC_PARTITIONS": str(PARTITIONS),
        "RW_JWT_HS256_SECRET": secret,
    }
    settings = Settings(kafka_bootstrap_servers=(broker,), topic_prefix=prefix, topic_partitions=PARTITIONS)
    asyncio.run(create_missing(settings, wanted_topics(settings)))
    return Topics(settings, variables)
