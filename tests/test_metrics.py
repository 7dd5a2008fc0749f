"""The metrics: those of the contract, each with all its series from the start."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Effect
from pipeline.domain.reasons import DeadReason
from pipeline.metrics import Metrics

# Contract, section 12: name, labels, and how many series there are for two stages and one origin.
CONTRACT = {
    "rw_messages_total": ({"stage", "outcome"}, 2 * len(Noted)),
    "rw_message_seconds_count": ({"stage"}, 2),
    "rw_events_total": ({"request_type", "state"}, 6 * 7),
    "rw_pending": ({"request_type"}, 6),
    "rw_oldest_pending_seconds": ({"request_type"}, 6),
    "rw_decisions_total": ({"decision", "outcome"}, 5 * len(Noted)),
    "rw_intouch_calls_total": ({"request_type", "outcome"}, 6 * len(Effect)),
    "rw_intouch_call_seconds_count": ({"request_type"}, 6),
    "rw_in_doubt": ({"request_type"}, 6),
    "rw_held": ({"request_type"}, 6),
    "rw_breaker_open": ({"origin"}, 1),
    "rw_breaker_openings_total": ({"origin"}, 1),
    "rw_dead_letters_total": ({"stage", "reason"}, 2 * len(DeadReason)),
    "rw_oldest_unfinished_seconds": ({"stage"}, 2),
    "rw_lag_records": ({"stage"}, 2),
    "rw_lease_seconds": ({"stage"}, 2),
    "rw_recovery_seconds": ({"stage"}, 2),
    "rw_ready": ({"stage"}, 2),
}


class Said(NamedTuple):
    """What a stage may say of itself."""

    is_ready: bool = True
    partitions: int = 3
    oldest_unfinished_s: float = 1.5
    lease_s: float = 12.5
    recovery_s: float = 0.5
    lag_records: int = 7


def some_metrics() -> Metrics:
    """The metrics of a process with two stages and one origin."""
    return Metrics(("intake", "approval"), ("https://intouch.test",))


def samples(metrics: Metrics) -> dict[str, list[dict[str, str]]]:
    """Sample name to the labels of its series, as a scrape sees them."""
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


@pytest.mark.parametrize("name", CONTRACT)
def test_each_metric_has_all_its_series_at_once(name: str) -> None:
    """Labels and the number of series are those of the contract before anything has happened."""
    labels, count = CONTRACT[name]

    series = samples(some_metrics())[name]

    assert {frozenset(of) for of in series} == {frozenset(labels)}
    assert len(series) == count


def test_there_is_no_other_metric_of_ours() -> None:
    """What is scraped under our prefix is what the contract names."""
    names = {name for name in samples(some_metrics()) if name.startswith("rw_")}

    assert {name.replace("_bucket", "_count").replace("_sum", "_count") for name in names} == set(CONTRACT)


def test_two_processes_worth_of_metrics_live_side_by_side() -> None:
    """Each Metrics counts for itself."""
    one, other = some_metrics(), some_metrics()

    one.messages.labels("intake", "passed").inc()

    assert one.registry.get_sample_value("rw_messages_total", {"stage": "intake", "outcome": "passed"}) == 1
    assert other.registry.get_sample_value("rw_messages_total", {"stage": "intake", "outcome": "passed"}) == 0


def test_what_a_stage_says_becomes_its_gauges() -> None:
    """The facts of one stage set its five gauges and no other stage's."""
    metrics = some_metrics()

    metrics.see("intake", Said())

    names = ("oldest_unfinished_seconds", "lag_records", "lease_seconds", "recovery_seconds", "ready")
    assert [metrics.registry.get_sample_value(f"rw_{name}", {"stage": "intake"}) for name in names] == [
        1.5,
        7,
        12.5,
        0.5,
        1,
    ]
    assert [metrics.registry.get_sample_value(f"rw_{name}", {"stage": "approval"}) for name in names] == [0] * 5
