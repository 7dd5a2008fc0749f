"""`topics` on a real broker: creates what is missing, tells what differs, changes nothing that is there."""

from __future__ import annotations

import pytest

from pipeline.topology import read_topics


@pytest.fixture
def variables(broker, prefix) -> dict[str, str]:
    """Where the topics shall be."""
    return {"RW_KAFKA_BOOTSTRAP_SERVERS": broker, "RW_TOPIC_PREFIX": prefix, "RW_TOPIC_PARTITIONS": "2"}


def test_what_is_created_passes_the_check(run, variables, prefix):
    """`create` says each topic that it made, and `check` is content afterwards."""
    created = run("topics", "create", **variables)

    assert created.code == 0
    assert all(f"created {prefix}{topic.name}\n" in created.out for topic in read_topics())
    assert run("topics", "check", **variables).code == 0


def test_missing_topics_are_listed(run, variables, prefix):
    """`check` ends with 1, with a row for each topic that is missing."""
    ran = run("topics", "check", **variables)

    assert ran.code == 1
    assert ran.out.count("missing") == len(read_topics())
    assert prefix in ran.out
    assert "topics create" in ran.err


def test_other_counts_are_told_and_left_alone(run, variables):
    """With other wanted counts `create` ends with 1 and says so, and the topics stay as they were."""
    run("topics", "create", **variables)

    ran = run("topics", "create", **(variables | {"RW_TOPIC_PARTITIONS": "3"}))

    assert ran.code == 1
    assert ran.out.count("partitions") == len(read_topics())
    assert run("topics", "check", **variables).code == 0


def test_list_asks_no_broker(run):
    """`list` shows all topics with their prefix, also where no broker is."""
    ran = run("topics", "list", RW_TOPIC_PREFIX="mine.", RW_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")

    assert ran.code == 0
    assert all(f"mine.{topic.name}" in ran.out for topic in read_topics())


def test_unreachable_broker_is_named(run):
    """Where nobody listens the command ends with 1 and names the variable and the address."""
    ran = run("topics", "check", RW_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")

    assert ran.code == 1
    assert "RW_KAFKA_BOOTSTRAP_SERVERS: 127.0.0.1:1" in ran.err
