"""What the log says of a broker that is away: once each, and nothing about a rebalance."""

from __future__ import annotations

from typing import NamedTuple

import structlog

from pipeline.delivery.absence import Absence


class Said(NamedTuple):
    """What a stage may say of itself."""

    lease_s: float
    is_ready: bool = True


def told(*looks: dict[str, Said]) -> list[str]:
    """The events that are logged for these looks, one second apart."""
    now = iter(range(100))
    absence = Absence(20, lambda: float(next(now)))
    with structlog.testing.capture_logs() as lines:
        for stages in looks:
            absence.see(stages)
    return [line["event"] for line in lines]


def test_an_outage_is_three_lines() -> None:
    """Heartbeats without an answer, the end of the lease, the first answer: a line each, however often one looks."""
    looks = [{"intake": Said(float(seconds))} for seconds in (19, 12, 9, 5, 0, 0, 0, 19, 19)]

    assert told(*looks) == ["kafka away", "lease over", "kafka back"]


def test_a_short_outage_costs_no_lease() -> None:
    """Where the broker is back in time, nothing is said of the lease."""
    assert told({"intake": Said(9)}, {"intake": Said(19)}) == ["kafka away", "kafka back"]


def test_a_rebalance_is_no_outage() -> None:
    """A stage that is not ready says nothing about Kafka, and does not bring it back either."""
    assert told({"intake": Said(0, is_ready=False)}) == []
    assert told({"intake": Said(9)}, {"intake": Said(0, is_ready=False)}) == ["kafka away"]
