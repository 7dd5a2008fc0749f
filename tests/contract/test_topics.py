"""The topic files: all there, well formed, and saying what the contract says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.domain import messages
from pipeline.settings import STAGES, Settings
from pipeline.topology import TopologyError, read_topics, topics_folder, wanted_topics

PUBLIC = {"requests.submitted", "decisions.submitted"}
INPUT = PUBLIC | {"requests.received", "approval.inbox", "execution.inbox"}
CHANGELOGS = {"approval.desk", "execution.intents", "execution.results"}
ALL = INPUT | {"events", "dead-letters"} | CHANGELOGS


def some_settings(**given: object) -> Settings:
    """Settings that no environment takes part in."""
    return Settings.model_validate(given)


@pytest.mark.parametrize("name", sorted(ALL))
def test_configuration_is_that_of_the_contract(name: str) -> None:
    """Each topic has the contract's time, size, compression and retention (sections 4 and 9)."""
    settings = some_settings(retention_s=1000, segment_s=100, remember_s=5000)

    config = wanted_topics(settings)[name].config

    assert config["max.message.bytes"] == "3000000"
    assert config.get("message.timestamp.type") == (None if name in CHANGELOGS else "LogAppendTime")
    assert config.get("compression.type") == ("uncompressed" if name in PUBLIC else None)
    assert config["cleanup.policy"] == ("compact" if name in CHANGELOGS else "delete")
    kept = {"events": "604800000", "dead-letters": "5000000"} | dict.fromkeys(INPUT, "1000000")
    assert config.get("retention.ms") == kept.get(name)
    assert config["segment.ms"] == ("3600000" if name in CHANGELOGS else "100000")
    assert int(config.get("min.compaction.lag.ms", "0")) >= (3_600_000 if name in CHANGELOGS else 0)


def test_there_is_a_file_for_each_topic_and_no_other() -> None:
    """The files are the ten topics of the design."""
    assert {topic.name for topic in read_topics()} == ALL


def test_code_and_files_name_the_same_topics() -> None:
    """Every topic that the messages name has a file."""
    named = {*messages.PUBLIC_TOPICS, *messages.INTERNAL_TOPICS, messages.EVENTS, messages.DEAD_LETTERS}

    assert named == ALL - CHANGELOGS


@pytest.mark.parametrize("topic", read_topics(), ids=lambda topic: topic.name)
def test_writers_and_readers_are_stages_or_roles(topic) -> None:
    """Who writes and reads is one of the four stages or a role of the glossary; only intake reads what is public."""
    known = {*STAGES, "makers", "checkers", "operators", "observers"}

    assert topic.written_by
    assert topic.read_by
    assert {*topic.written_by, *topic.read_by} <= known
    assert topic.name not in PUBLIC or topic.read_by == ["intake"]


def test_names_and_counts_come_from_the_settings() -> None:
    """The prefix is put before each name as it is; counts are the same for all topics."""
    wanted = wanted_topics(some_settings(topic_prefix="a-", topic_partitions=3, topic_replication=2))

    assert set(wanted) == {f"a-{name}" for name in ALL}
    assert {(topic.partitions, topic.replication) for topic in wanted.values()} == {(3, 2)}
    assert all("min.insync.replicas" not in topic.config for topic in wanted.values())


def test_three_replicas_ask_for_two_in_step() -> None:
    """With three or more replicas an acknowledged write is on two of them, and no stale one takes over."""
    for topic in wanted_topics(some_settings(topic_replication=3)).values():
        assert topic.config["min.insync.replicas"] == "2"
        assert topic.config["unclean.leader.election.enable"] == "false"


def test_the_readme_names_every_topic() -> None:
    """The table for people leaves no topic out."""
    text = (topics_folder() / "README.md").read_text()

    assert {name for name in ALL if f"`{name}`" not in text} == set()


GOOD = (topics_folder() / "events.toml").read_text()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("events", GOOD.replace("key =", "keys ="), "key"),
        ("events", GOOD.replace('"604800000"', "604800000"), "config.retention.ms"),
        ("events", GOOD.replace('"604800000"', '"$forever"'), "'$forever' is none of $retention_ms"),
        ("other", GOOD, "a file is named after its topic"),
        ("events", "name = ", "cannot be read"),
    ],
)
def test_a_wrong_file_is_told_by_its_name(tmp_path: Path, name: str, text: str, told: str) -> None:
    """A wrong topic file raises one sentence with the file and what is wrong in it."""
    (tmp_path / f"{name}.toml").write_text(text)

    with pytest.raises(TopologyError, match=rf"{name}\.toml") as caught:
        wanted_topics(some_settings(), tmp_path)

    assert told in str(caught.value)


def test_a_folder_without_files_is_told(tmp_path: Path) -> None:
    """An installation without topic files does not pass for one without topics."""
    with pytest.raises(TopologyError, match="no topic files"):
        read_topics(tmp_path)
