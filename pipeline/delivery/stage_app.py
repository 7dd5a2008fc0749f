"""One Faust app per stage, each with its own consumer group and changelogs, all sharing one producer.

Here the pump meets Kafka: this module fills in its surroundings, and turns off what Faust does that would lose
messages. No rule of the product, no settings from the environment.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import aiokafka
import faust
import faust.streams
from faust.events import Event

from pipeline.delivery.batch import Delivery
from pipeline.delivery.consumer import BatchTransport
from pipeline.delivery.failure import Refused, fatal
from pipeline.delivery.late_writes import LateWrites
from pipeline.delivery.lease import Lease
from pipeline.delivery.loading import BulkTables
from pipeline.delivery.memory import DurableTable, PumpTable
from pipeline.delivery.options import Options, faust_settings
from pipeline.delivery.producer import LeasedPoster, ProducerPool
from pipeline.delivery.progress import Progress
from pipeline.delivery.tolerant import be_tolerant
from pipeline.postings import Outlet, Stamp
from pipeline.runner import Pump
from pipeline.stages import Stage, Step
from pipeline.surroundings import Caller, Census, Delivered, Gate, Meters, OpenGate, Surroundings


@dataclass(frozen=True, slots=True)
class Parts:
    """What the composition root hands to every app of a process; see `surroundings` for each."""

    pool: ProducerPool
    stamp: Stamp
    meters: Meters
    caller: Caller | None = None
    gate: Gate = OpenGate()  # noqa: RUF009 - it has no state
    observe: Callable[[Step], Any] = lambda _: None
    survey: Callable[[Census], Any] = lambda _: None


class Facts(NamedTuple):
    """What the probes and the metrics ask of a stage. Seconds end in `_s`."""

    is_ready: bool  # partitions assigned, memory loaded, not rebalancing
    partitions: int
    oldest_unfinished_s: float  # for how long something that could go on has not
    lease_s: float  # for how long the partitions are certainly ours
    recovery_s: float  # what the last loading took
    lag_records: int


def check_versions(faust_version: str, aiokafka_version: str, *, is_compiled: bool) -> None:
    """Raises Refused unless these are the ones whose private behaviour was verified."""
    if faust_version != "0.15.3" or not aiokafka_version.startswith("0.14."):
        found = f"faust-streaming {faust_version}, aiokafka {aiokafka_version}"
        raise Refused(f"verified with faust-streaming 0.15.3 and aiokafka 0.14 only, found {found}: install the lock")
    if not is_compiled:
        # The pure Python iterator acknowledges events that it skips after a rebalance.
        raise Refused("faust-streaming lacks its compiled stream iterator: install the wheel, without NO_CYTHON")


def make_app(stage: Stage, options: Options, parts: Parts) -> StageApp:
    """The Faust app of one stage; needs the running loop. Raises Refused for libraries of another version."""
    is_compiled = faust.streams._CStreamIterator is not None
    check_versions(faust.__version__, aiokafka.__version__, is_compiled=is_compiled)
    be_tolerant()
    return StageApp(stage, options, parts)


class RawTopic(faust.Topic):
    """The value of a message is a Delivery: nothing is decoded here. Stock code decodes in the conductor, and what
    cannot be decoded is acknowledged ahead of messages in flight (conductor.py:184).
    """

    def _compile_decode(self) -> Any:
        app = self.app

        async def decode(message: Any, *, propagate: bool = False) -> Event:  # noqa: ARG001 - Faust's signature
            return Event(app, message.key, message.value, None, message)

        return decode


class ConsumerSource:
    """The app's consumer as the pump sees it; Faust makes the consumer later than the pump."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def finish(self, records: Sequence[Delivered]) -> None:
        self._app.consumer.finish(records)

    def give_back(self, records: Sequence[Delivered]) -> None:
        self._app.consumer.give_back(records)


class StageApp(faust.App):
    """A stage, its group, its memory and its pump."""

    def __init__(self, stage: Stage, options: Options, parts: Parts) -> None:
        group = f"{options.prefix}rw-{stage.name}"
        super().__init__(group, Topic=RawTopic, Table=DurableTable, TableManager=BulkTables, **faust_settings(options))
        self.stage, self.options, self.pool = stage, options, parts.pool
        self.progress = Progress()
        self.lease = Lease(group, options.session_s, self.progress)
        self.late_writes = LateWrites(self)
        self.poster = LeasedPoster(self.lease, parts.pool)
        self.recovery_s = 0.0
        self.memory = [self._durable_table(name) for name in stage.tables]
        self.pump = Pump(stage, self._surroundings(parts), options.limits)
        sources = [options.prefix + source for source in stage.sources]
        self.agent(self.topic(*sources, key_type=bytes, value_type=bytes), name=f"{stage.name}.pump")(self._feed)

    def facts(self) -> Facts:
        """As of now; waits for nothing."""
        partitions = len(self.progress.lanes)
        return Facts(
            is_ready=self.is_ready(),
            partitions=partitions,
            oldest_unfinished_s=self.pump.oldest_s(),
            lease_s=self.lease.left_s() if partitions else self.options.session_s,
            recovery_s=self.recovery_s,
            lag_records=self.consumer.lag(),
        )

    def is_ready(self) -> bool:
        """Member of the group, memory loaded, positioned, not rebalancing. A member may be given no partition."""
        if self.rebalancing or self.should_stop or not self.consumer.flow_active:
            return False
        if not self.tables.recovery.completed.is_set():
            return False
        return self.progress.generation == self.lease.generation or not self.consumer.assignment()

    def _surroundings(self, parts: Parts) -> Surroundings:
        return Surroundings(
            source=ConsumerSource(self),
            poster=self.poster,
            tables=[PumpTable(table) for table in self.memory],
            outlet=Outlet(self.options.prefix, self.options.partitions, parts.stamp),
            certain=self.lease.certain,
            clock=time.monotonic,
            time_ms=lambda: time.time_ns() // 1_000_000,
            fatal=fatal,
            meters=parts.meters,
            caller=parts.caller,
            gate=parts.gate,
            observe=parts.observe,
            survey=parts.survey,
            is_steady=self.is_ready,
        )

    def _durable_table(self, name: str) -> DurableTable:
        """The changelog is named here, not by Faust, whose names depend on its settings and classes."""
        changelog = self.topic(
            self.options.prefix + name,
            key_type=bytes,
            value_type=bytes,
            acks=False,
            internal=True,
            compacting=True,
            allow_empty=True,
            partitions=self.options.partitions,
        )
        return self.Table(name, partitions=self.options.partitions, changelog_topic=changelog)

    async def _feed(self, stream: Any) -> None:
        async for event in stream.noack().events():
            delivery: Delivery = event.value
            records = self.consumer.take(delivery)
            if delivery.generation == self.progress.generation:
                self.pump.feed(records)
            else:
                self.consumer.give_back(records)

    async def on_start(self) -> None:
        self.pump.start()
        await super().on_start()

    async def on_stop(self) -> None:
        self.late_writes.call_off()
        await super().on_stop()

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_producer, self)

    async def _on_agent_error(self, agent: Any, exc: BaseException) -> NoReturn:
        """Stock code acknowledges the event of an exception that leaves an agent, and restarts the agent: end first."""
        fatal(f"{self.conf.id}: exception in agent {agent!r}", exc)

    def _crash(self, reason: BaseException) -> None:
        """Some service below the app gave up. Without a faust.Worker nobody would notice."""
        if not self.should_stop:
            fatal(f"{self.conf.id}: a service crashed", reason)
        super()._crash(reason)
