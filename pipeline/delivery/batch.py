"""What one fetch brought, on its way from the consumer through ONE Faust message to the pump, and back."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka.structs import TopicPartition

from pipeline.stages import Arrival
from pipeline.surroundings import Delivered

LOG_APPEND_TIME = 1  # the timestamp type that says the broker's clock gave it


@dataclass(slots=True, eq=False)
class Delivery:
    """Everything one fetch brought: the value of one Faust message."""

    generation: int  # of the consumer group, when it was delivered
    records: list[Delivered] = field(default_factory=list)  # until somebody takes them
    open: int = 0  # records that are neither finished nor given back
    message: Any = None  # the Faust message; kept here because Faust tracks it by a weak reference


class Receipt(NamedTuple):
    """What a record is taken back by."""

    tp: TopicPartition
    delivery: Delivery


def arrival(record: Any, topic: str) -> Arrival:
    """A record of the client's as a stage sees it; `topic` is its name without the prefix."""
    is_broker_time = record.timestamp_type == LOG_APPEND_TIME
    return Arrival(
        topic,
        record.partition,
        record.offset,
        record.key,
        record.timestamp,
        record.value,
        tuple(record.headers),
        is_broker_time,
        time.time_ns() // 1_000_000,
    )
