"""The connection to the broker, on the application's own event loop.

Faust's driver runs its consumer in a thread with a loop of its own and hops between the two for every call; with
several apps in one process the threads fight for the interpreter, and latency at middling load is several times that
of the plain client. `LoopLink` offers what Faust's consumer expects of its thread, without the thread. Its heartbeats
also prove that the loop lives that does the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from mode import Service

from pipeline.delivery.failure import fatal
from pipeline.delivery.options import OVERHEAD_BYTES, RECORD_BYTES

log = structlog.get_logger()

METADATA_MS = 5_000
LOOK_S = 1.0  # between two looks for an error that stops the group's part of the client


def consumer_settings(app: Any) -> dict[str, Any]:
    """Settings of the AIOKafkaConsumer."""
    conf, options = app.conf, app.options
    # tables follow the partitions of their source only with Faust's own assignor
    assignor = app.assignor if app.tables.changelog_topics else RoundRobinPartitionAssignor
    return {
        **options.client(),
        "client_id": conf.id,
        "group_id": conf.id,
        "partition_assignment_strategy": [assignor],
        "enable_auto_commit": False,
        "auto_offset_reset": conf.consumer_auto_offset_reset,
        "isolation_level": "read_uncommitted",
        "max_poll_records": conf.broker_max_poll_records,
        "max_poll_interval_ms": int(conf.broker_max_poll_interval * 1000),
        "max_partition_fetch_bytes": RECORD_BYTES + OVERHEAD_BYTES,
        "fetch_max_bytes": 16 << 20,
        "fetch_max_wait_ms": 500,
        "session_timeout_ms": int(options.session_s * 1000),
        "rebalance_timeout_ms": int(options.rebalance_s * 1000),
        "heartbeat_interval_ms": int(options.heartbeat_s * 1000),
        "request_timeout_ms": int(conf.broker_request_timeout * 1000),
        # A broker that has just come back may not know its topics yet. A leader that assigns by that gives nothing to
        # anybody, and finds out with its next look at the metadata: with the client's own 5 minutes, 5 minutes later.
        "metadata_max_age_ms": METADATA_MS,
    }


async def commit_bounded(app: Any, kafka: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> bool:
    """Stock code crashes the app on any error, and the client retries without end. Here: bounded, and False for
    whatever a later commit can repair.
    """
    assigned = kafka.assignment()
    wanted = {tp: OffsetAndMetadata(offset, "") for tp, offset in offsets.items() if tp in assigned}
    if not wanted:
        return False
    try:
        await asyncio.wait_for(kafka.commit(wanted), app.options.commit_s)
    except (CommitFailedError, IllegalStateError) as problem:  # somebody else owns the partitions by now
        log.warning("commit refused", group=app.conf.id, error=repr(problem))
        return False
    except TimeoutError:
        log.warning("commit unanswered, will try again", group=app.conf.id, after_s=app.options.commit_s)
        return False
    except KafkaError as problem:
        if not problem.retriable:
            raise
        log.warning("commit failed, will try again", group=app.conf.id, error=repr(problem))
        return False
    return True


async def seek_to_committed(kafka: AIOKafkaConsumer, skip: set[str]) -> dict[TopicPartition, int]:
    """The client does not move partitions whose committed offset is absent or 0, so what was fetched and thrown away
    before would be skipped. Those are put back to their beginning explicitly. Returns where each partition stands.

    So are those whose committed offset is not in the log. Behind its end: the topic was made anew, or its end was lost
    with a broker's power; whatever is there now may be new, so all of it is read. Before its beginning: retention was
    quicker than we.
    """
    if not kafka.assignment():
        return {}
    committed = {tp: offset for tp, offset in (await kafka.seek_to_committed()).items() if tp.topic not in skip}
    begins, ends = await kafka.beginning_offsets(list(committed)), await kafka.end_offsets(list(committed))
    positions = {}
    for tp, offset in committed.items():
        positions[tp] = begins[tp]
        if offset and begins[tp] <= offset <= ends[tp]:
            positions[tp] = offset
        elif offset:
            log.warning(
                "the committed offset is not in the log, reading all that is there",
                topic=tp.topic, partition=tp.partition, committed=offset, begin=begins[tp], end=ends[tp],
            )  # fmt: skip
        kafka.seek(tp, positions[tp])
    return positions


def position_now(kafka: AIOKafkaConsumer, tp: TopicPartition) -> int | None:
    """Where the next fetch begins, without waiting; None while that is not known."""
    subscription = kafka._subscription.subscription
    assignment = None if subscription is None else subscription.assignment
    if assignment is None or tp not in assignment.tps:
        return None
    state = assignment.state_value(tp)
    return state.position if state.has_valid_position else None


class Listener(ConsumerRebalanceListener):
    """Tells Faust's consumer what the group decided, in the same loop.

    The client swallows what a listener raises, and the consumer would stand still for ever: end instead.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._consumer.app.on_rebalance_start()
        await self._or_end(self._consumer.on_partitions_revoked(driver.ensure_TPset(revoked)))

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        app, generation = self._consumer.app, self._consumer.lease.generation
        app.consumer_generation_id = generation
        await self._or_end(self._consumer.on_partitions_assigned(driver.ensure_TPset(assigned), generation))

    async def _or_end(self, change: Awaitable[None]) -> None:
        try:
            await change
        except Exception as exception:  # noqa: BLE001 - whatever it is, it ends the process
            fatal(f"{self._consumer.app.conf.id}: a change of partitions failed", exception)


class LoopLink(Service):
    """What Faust's ThreadDelegateConsumer calls its thread."""

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        self._consumer, self._app = consumer, consumer.app
        self._kafka: AIOKafkaConsumer | None = None
        super().__init__(**kwargs)

    async def on_start(self) -> None:
        self._kafka = AIOKafkaConsumer(**consumer_settings(self._app))
        await self._kafka.start()
        self._consumer.lease.watch(self._kafka._coordinator)
        self.add_future(self._watch(self._kafka))

    async def on_stop(self) -> None:
        if self._kafka is not None:
            await self._kafka.stop()

    async def _watch(self, kafka: AIOKafkaConsumer) -> None:
        """What the group refuses for good (a right taken away, another assignor), the client tells whoever asks next
        for records, and stands still until then. Nobody asks while there are no partitions: look for it.
        """
        while not self.should_stop:
            await self.sleep(LOOK_S)
            try:
                kafka._coordinator.check_errors()
            except Exception as exception:  # noqa: BLE001 - whatever it is, the consumer is parked
                if isinstance(exception, KafkaError) and exception.retriable:  # having been asked, it goes on
                    log.warning("group error, trying again", group=self._app.conf.id, error=repr(exception))
                else:
                    fatal(f"{self._app.conf.id}: the consumer group does not go on with us", exception)

    @property
    def kafka(self) -> AIOKafkaConsumer:
        if self._kafka is None:
            raise driver.ConsumerNotStarted("consumer not yet started")
        return self._kafka

    async def subscribe(self, topics: Iterable[str]) -> None:
        self.kafka.subscribe(topics=set(topics), listener=Listener(self._consumer))

    async def getmany(self, active: set[Any] | None, timeout: float) -> Mapping[Any, list[Any]]:  # noqa: ASYNC109 - Faust's
        if not self._consumer.flow_active:
            return {}
        kafka = self.kafka
        if kafka._closed or kafka._fetcher._closed:
            raise ConsumerStoppedError
        with kafka._fetcher._subscriptions.fetch_context():
            return await kafka._fetcher.fetched_records(active, timeout=timeout, max_records=kafka._max_poll_records)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> bool:
        return await commit_bounded(self._app, self.kafka, offsets)

    async def seek_to_committed(self) -> dict[TopicPartition, int]:
        return await seek_to_committed(self.kafka, set(self._app.tables.changelog_topics))

    def position_now(self, tp: TopicPartition) -> int | None:
        return position_now(self.kafka, tp)

    async def seek_wait(self, positions: Mapping[Any, int]) -> None:
        for tp, offset in positions.items():
            self.seek(tp, offset)

    def seek(self, tp: Any, offset: int) -> None:
        self.kafka.seek(tp, offset)

    def assignment(self) -> set[Any]:
        return set(driver.ensure_TPset(self.kafka.assignment()))

    def topic_partitions(self, topic: str) -> int | None:
        return None if self._kafka is None else self._kafka._coordinator._metadata_snapshot.get(topic)

    def highwater(self, tp: Any) -> int | None:
        """One behind the last record there is, as of the last fetch; None before it, and for what is not ours."""
        return self.kafka.highwater(tp) if tp in self.kafka.assignment() else None

    async def position(self, tp: Any) -> int:
        return int(await self.kafka.position(tp))

    def close(self) -> None:
        """Called when a rebalance meets a stopping app; on_stop closes the consumer properly."""
