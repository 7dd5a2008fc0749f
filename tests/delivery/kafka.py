"""A real Kafka as the tests use it: topics, records in and out, committed offsets, and worker processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition
from delivery.trial import EVENTS, INBOX, TABLE, TOPICS

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 4
INBOX_CONFIG = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": "3000000"}
COMPACT = {"cleanup.policy": "compact"}


class Kafka:
    """One test's topics and group on the broker of the run."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap, self.prefix = bootstrap, prefix
        self.group = f"{prefix}rw-trial"

    async def __aenter__(self) -> Self:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        wanted = [NewTopic(self.prefix + name, PARTITIONS, 1, topic_configs=INBOX_CONFIG) for name in TOPICS]
        wanted.append(NewTopic(self.prefix + TABLE, PARTITIONS, 1, topic_configs=COMPACT))
        await admin.create_topics(wanted)
        await admin.close()
        # idempotent, or a retry right after the topics were made reorders what the tests count on
        self.producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, linger_ms=5, max_request_size=3_000_000, enable_idempotence=True
        )
        await self.producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.producer.stop()

    async def put(self, values: Iterable[bytes], *, keys: int = 40, partition: int | None = None) -> int:
        """Into the inbox, spread over so many keys; returns how many."""
        answers = [
            await self.producer.send(self.prefix + INBOX, value, b"key%d" % (at % keys), partition)
            for at, value in enumerate(values)
        ]
        await asyncio.gather(*answers)
        return len(answers)

    async def all_of(self, topic: str, *, until: Callable[[list[Any]], bool], within_s: float = 40) -> list[Any]:
        """The topic's records from its beginning, as soon as they satisfy the condition, or after the deadline."""
        consumer = AIOKafkaConsumer(
            self.prefix + topic, bootstrap_servers=self.bootstrap, auto_offset_reset="earliest", group_id=None
        )
        await consumer.start()
        found: list[Any] = []
        deadline = time.monotonic() + within_s
        while not until(found) and time.monotonic() < deadline:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found += records
        await consumer.stop()
        return found

    async def events(self, count: int, within_s: float = 40) -> list[bytes]:
        """What was told, once so many different things were."""
        records = await self.all_of(EVENTS, until=lambda seen: len({r.value for r in seen}) >= count, within_s=within_s)
        return [record.value for record in records]

    async def committed(self, group: str | None = None) -> dict[int, int]:
        """Offsets of the inbox that the group has committed, by partition; absent ones left out."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=group or self.group)
        await consumer.start()
        tps = [TopicPartition(self.prefix + INBOX, at) for at in range(PARTITIONS)]
        found = {tp.partition: await consumer.committed(tp) for tp in tps}
        await consumer.stop()
        return {partition: offset for partition, offset in found.items() if offset is not None}

    async def remembered(self) -> dict[bytes, bytes | None]:
        """The changelog, folded as a loader would."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest", group_id=None)
        await consumer.start()
        tps = [TopicPartition(self.prefix + TABLE, at) for at in range(PARTITIONS)]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        held: dict[bytes, tuple[int, bytes | None]] = {}
        for tp in tps:
            while await consumer.position(tp) < ends[tp]:
                for record in (await consumer.getmany(tp, timeout_ms=100)).get(tp, []):
                    at = int(dict(record.headers)["rw-position"])
                    if held.get(record.key, (-1, b""))[0] <= at:
                        held[record.key] = (at, record.value)
        await consumer.stop()
        return {key: value for key, (_, value) in held.items()}


class Worker:
    """A worker process; killed, if it still lives, when the test ends."""

    def __init__(self, kafka: Kafka, log: Path, module: str = "delivery.trial_worker", **told: Any) -> None:
        argument = {"bootstrap": kafka.bootstrap, "prefix": kafka.prefix, **told}
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}"}
        self.log = log
        with log.open("ab") as output:
            command = [sys.executable, "-m", module, json.dumps(argument)]
            self.running = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running.poll() is None:
            self.running.kill()
        self.running.wait(10)

    def signal(self, number: signal.Signals) -> None:
        self.running.send_signal(number)

    async def said(self, text: str, within_s: float = 30) -> bool:
        """Whether this stands in its log before the deadline; False also when it has ended without."""
        return await eventually(lambda: text in self.log.read_text() or self.running.poll() is not None, within_s) and (
            text in self.log.read_text()
        )

    async def ended(self, within_s: float = 30) -> int | None:
        """Its exit code; None if it lives on."""
        await eventually(lambda: self.running.poll() is not None, within_s)
        return self.running.poll()


async def eventually(what: Callable[[], bool], within_s: float) -> bool:
    """Waits for a condition of another process, looking often; says whether it came."""
    deadline = time.monotonic() + within_s
    while not what():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True
