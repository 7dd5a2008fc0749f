"""Topics on a real broker: created as wanted, compared key by key, never altered; and what a failing one is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from pipeline.connection import ConnectionProblem, client_options, knock
from pipeline.local.broker import LocalBroker
from pipeline.local.ports import free_port
from pipeline.provision import Difference, ProvisionError, compare, create_missing
from pipeline.settings import Settings
from pipeline.topology import Wanted, wanted_topics


def settings_for(broker: str, prefix: str = "", **given: object) -> Settings:
    """Settings for this broker, with few partitions."""
    return Settings.model_validate(
        {"kafka_bootstrap_servers": (broker,), "topic_prefix": prefix, "topic_partitions": 2} | given
    )


async def make_by_hand(settings: Settings, name: str, partitions: int, config: Mapping[str, str]) -> None:
    """Create one topic as somebody else would have."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=dict(config))])
    finally:
        await admin.close()


async def test_created_topics_do_not_differ(broker, prefix) -> None:
    """What `create_missing` makes is what `compare` wants, for all ten topics."""
    settings = settings_for(broker, prefix)
    wanted = wanted_topics(settings)

    created = await create_missing(settings, wanted)

    assert sorted(created) == sorted(wanted)
    assert await compare(settings, wanted) == []


async def test_creating_again_creates_nothing(broker, prefix) -> None:
    """A second run finds all topics there."""
    settings = settings_for(broker, prefix)
    await create_missing(settings, wanted_topics(settings))

    assert await create_missing(settings, wanted_topics(settings)) == []


async def test_two_creators_at_once_both_succeed(broker, prefix) -> None:
    """A topic that appears between looking and creating is no failure, and one of the two has made it."""
    settings = settings_for(broker, prefix)
    wanted = wanted_topics(settings)

    ours, theirs = await asyncio.gather(create_missing(settings, wanted), create_missing(settings, wanted))

    assert sorted([*ours, *theirs]) == sorted(wanted)
    assert await compare(settings, wanted) == []


async def test_missing_topics_are_told_by_name(broker, prefix) -> None:
    """On an empty broker every topic is a difference, and looking creates none."""
    settings = settings_for(broker, prefix)
    wanted = wanted_topics(settings)

    differences = await compare(settings, wanted)

    assert differences == [Difference(name, "topic", "there", "missing") for name in sorted(wanted)]
    assert await compare(settings, wanted) == differences


async def test_each_difference_is_told_and_none_is_mended(broker, prefix) -> None:
    """Partitions and configuration of somebody else's topic are compared, and left as they are by `create_missing`."""
    settings = settings_for(broker, prefix)
    name = f"{prefix}events"
    wanted = {name: wanted_topics(settings)[name]}
    await make_by_hand(settings, name, 3, {**wanted[name].config, "message.timestamp.type": "CreateTime"})

    assert await create_missing(settings, wanted) == []

    assert await compare(settings, wanted) == [
        Difference(name, "message.timestamp.type", "LogAppendTime", "CreateTime"),
        Difference(name, "partitions", "2", "3"),
    ]


async def test_replication_is_compared(broker, prefix) -> None:
    """A topic with fewer replicas than wanted differs."""
    settings = settings_for(broker, prefix)
    name = f"{prefix}events"
    await create_missing(settings, {name: wanted_topics(settings)[name]})

    differences = await compare(settings, {name: Wanted(2, 3, {})})

    assert differences == [Difference(name, "replication", "3", "1")]


async def test_more_replicas_than_brokers_is_refused_in_a_sentence(broker, prefix) -> None:
    """What the broker does not want to create is told with the topic's name and the broker's reason."""
    settings = settings_for(broker, prefix, topic_replication=3)

    with pytest.raises(ProvisionError, match=rf"refused to create {prefix}.*eplica"):
        await create_missing(settings, wanted_topics(settings))


async def test_an_absent_broker_is_told_in_one_sentence() -> None:
    """Nobody listening: one sentence with the address and the variable, at once."""
    settings = settings_for(f"127.0.0.1:{free_port()}")

    with pytest.raises(ProvisionError) as caught:
        await compare(settings, wanted_topics(settings))

    assert settings.kafka_bootstrap_servers[0] in str(caught.value)
    assert "RW_KAFKA_BOOTSTRAP_SERVERS" in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_one_broker_that_answers_is_enough(broker) -> None:
    """A knock goes on to the next server of the list."""
    await knock(settings_for(broker, kafka_bootstrap_servers=(f"127.0.0.1:{free_port()}", broker)))


@pytest.fixture(scope="module")
def guarded(broker):  # noqa: ARG001 - skips where no broker can be had
    """A broker of its own with a second listener that wants a login."""
    with LocalBroker(login=("alice", "not-a-real-password")) as local:
        yield local


def logged_in(guarded, password: str) -> Settings:
    """Settings that log in with this password."""
    return settings_for(
        guarded.sasl_bootstrap,
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="alice",
        kafka_sasl_password=password,
    )


async def test_the_right_password_opens(guarded) -> None:
    """With SASL PLAIN the topics can be created and compared."""
    settings = logged_in(guarded, "not-a-real-password")
    wanted = wanted_topics(settings)

    await create_missing(settings, wanted)

    assert await compare(settings, wanted) == []


async def test_a_wrong_password_is_told_without_it(guarded) -> None:
    """One sentence says who was refused and which variables to look at, and does not hold the password."""
    settings = logged_in(guarded, "canary-password")

    with pytest.raises(ProvisionError, match="refused the login of alice: see RW_KAFKA_SASL_USERNAME") as caught:
        await compare(settings, wanted_topics(settings))

    assert "canary" not in str(caught.value)


async def test_a_login_where_none_is_offered_is_told(guarded) -> None:
    """SASL against a plain listener fails with a sentence that names the broker."""
    settings = logged_in(guarded, "canary-password").model_copy(
        update={"kafka_bootstrap_servers": (guarded.bootstrap,)}
    )

    with pytest.raises(ConnectionProblem) as caught:
        await knock(settings)

    assert guarded.bootstrap in str(caught.value)
    assert "canary" not in str(caught.value)


async def test_tls_where_none_is_offered_is_told(broker) -> None:
    """TLS against a plain listener ends in one sentence within the bound of a knock."""
    with pytest.raises(ConnectionProblem) as caught:
        await knock(settings_for(broker, kafka_security_protocol="SSL"))

    assert broker in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "RW_KAFKA_SECURITY_PROTOCOL, which is SSL" in str(caught.value)


async def test_a_login_where_none_is_wanted_is_told(broker) -> None:
    """A login at a listener without logins names the setting that asks for one."""
    settings = settings_for(
        broker,
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism="PLAIN",
        kafka_sasl_username="alice",
        kafka_sasl_password="not-a-real-one",
    )

    with pytest.raises(ConnectionProblem, match="wants no login, see RW_KAFKA_SECURITY_PROTOCOL"):
        await knock(settings)


@pytest.mark.parametrize(
    ("difference", "told"),
    [
        (Difference("events", "topic", "there", "missing"), "events: it is missing"),
        (Difference("events", "partitions", "2", "3"), "events: partitions is 3, wanted is 2"),
    ],
)
def test_a_difference_reads_as_a_sentence(difference, told) -> None:
    """What is missing is said to be missing, what differs is told with what is wanted."""
    assert str(difference) == told
