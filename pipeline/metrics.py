"""Every metric, declared once, with every series there from the start (contract, section 12).

Labels are closed lists, so that an alert can rely on a series and nobody's id can become one. Nothing is measured here:
whoever knows a figure sets it. A registry of its own, because the libraries' default one is shared by a whole process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Effect
from pipeline.domain.reasons import DeadReason
from pipeline.domain.request_types import RequestType
from pipeline.domain.states import State

DECISIONS = ("approved", "rejected", "succeeded", "failed", "retry")
Labels = dict[str, tuple[str, ...]]
QUICK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # Kafka and a fold
CALL_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)  # the gateway gives up after 20 s


class StageFacts(Protocol):
    """What a running stage says of itself. Seconds end in `_s`."""

    @property
    def is_ready(self) -> bool:
        """Member of its group, memory loaded, not rebalancing."""
        ...

    @property
    def partitions(self) -> int:
        """How many it owns."""
        ...

    @property
    def oldest_unfinished_s(self) -> float:
        """For how long something that could go on has not."""
        ...

    @property
    def lease_s(self) -> float:
        """For how long its partitions are certainly its own; a whole session where it has none."""
        ...

    @property
    def recovery_s(self) -> float:
        """What the last loading of its memory took."""
        ...

    @property
    def lag_records(self) -> int:
        """What lies in its partitions and was not read."""
        ...


def can_work(facts: StageFacts) -> bool:
    """Ready in the eyes of the world: its own house is in order, and it may write. Kafka may be away all the same,
    and then the lease is over; a stage without a partition needs none, and says that it has the whole of it.
    """
    return facts.is_ready and facts.lease_s > 0


class Metrics:
    """The metrics of one process. `stages` are those it runs, `origins` the hosts that may be called."""

    def __init__(self, stages: Iterable[str], origins: Iterable[str] = ()) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        # A second series for each one, which nobody asks for; the library gives this function no types.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        stage: Labels = {"stage": tuple(stages)}
        types: Labels = {"request_type": tuple(RequestType)}
        outcome: Labels = {"outcome": tuple(Noted)}
        decision: Labels = {"decision": DECISIONS}
        self.messages = self._counter("rw_messages", "Messages by what became of them", stage | outcome)
        self.message_seconds = self._histogram(
            "rw_message_seconds",
            "From the delivery of a message until all that follows from it is durable",
            QUICK_S,
            stage,
        )
        self.events = self._counter("rw_events", "Events told", types | {"state": tuple(State)})
        self.pending = self._gauge("rw_pending", "Requests on the desk", types)
        self.oldest_pending_seconds = self._gauge(
            "rw_oldest_pending_seconds", "For how long the oldest request on the desk has waited", types
        )
        self.decisions = self._counter("rw_decisions", "Decisions by what became of them", decision | outcome)
        self.intouch_calls = self._counter(
            "rw_intouch_calls", "Calls to Intouch by what they did", types | {"outcome": tuple(Effect)}
        )
        self.intouch_call_seconds = self._histogram("rw_intouch_call_seconds", "Length of a call", CALL_S, types)
        self.in_doubt = self._gauge("rw_in_doubt", "Requests whose call nobody knows the effect of", types)
        self.held = self._gauge("rw_held", "Requests that wait for an origin that is away", types)
        self.breaker_open = self._gauge("rw_breaker_open", "1 while an origin is away", {"origin": tuple(origins)})
        self.breaker_openings = self._counter(
            "rw_breaker_openings", "How often an origin was found to be away", {"origin": tuple(origins)}
        )
        self.dead_letters = self._counter(
            "rw_dead_letters", "Records that no stage could use", stage | {"reason": tuple(DeadReason)}
        )
        self.oldest_unfinished_seconds = self._gauge(
            "rw_oldest_unfinished_seconds", "For how long something that could go on has not", stage
        )
        self.lag_records = self._gauge("rw_lag_records", "Records that were not read yet", stage)
        self.lease_seconds = self._gauge("rw_lease_seconds", "For how long the partitions are certainly ours", stage)
        self.recovery_seconds = self._gauge("rw_recovery_seconds", "What the last loading of memory took", stage)
        self.ready = self._gauge("rw_ready", "1 while a stage can work", stage)

    def see(self, stage: str, facts: StageFacts) -> None:
        """Set the gauges of one stage to what it says of itself."""
        self.oldest_unfinished_seconds.labels(stage).set(facts.oldest_unfinished_s)
        self.lag_records.labels(stage).set(facts.lag_records)
        self.lease_seconds.labels(stage).set(facts.lease_s)
        self.recovery_seconds.labels(stage).set(facts.recovery_s)
        self.ready.labels(stage).set(can_work(facts))

    def _counter(self, name: str, meaning: str, labels: Labels) -> Counter:
        return _filled(Counter(name, meaning, tuple(labels), registry=self.registry), labels)

    def _gauge(self, name: str, meaning: str, labels: Labels) -> Gauge:
        return _filled(Gauge(name, meaning, tuple(labels), registry=self.registry), labels)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], labels: Labels) -> Histogram:
        return _filled(Histogram(name, meaning, tuple(labels), registry=self.registry, buckets=buckets), labels)


M = TypeVar("M", Counter, Gauge, Histogram)


def _filled(metric: M, labels: Labels) -> M:
    """The metric with all its series, at zero."""
    for values in itertools.product(*labels.values()):
        metric.labels(*values)
    return metric
