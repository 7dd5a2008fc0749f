"""Creates the topics that are missing and says how those that exist differ from what is wanted.

Used by the command `topics` and by the worker's check at start, never by a stage. It deletes nothing, alters nothing
and adds no partitions: keys would change their partition while requests wait. What is wanted comes from `topology`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from pipeline.connection import ConnectionProblem, client_options, knock
from pipeline.settings import Settings
from pipeline.topology import Wanted

REQUEST_S_MAX = 20.0
VISIBLE_S_MAX = 15.0  # a broker learns of a new topic a moment after the controller has made it
VISIBLE_POLL_S = 0.1
NO_ERROR, UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, ALREADY_EXISTS = 0, 3, 5, 36


class ProvisionError(Exception):
    """The broker cannot be asked, or refused; the message is one sentence."""


class Difference(NamedTuple):
    """One thing that is not as wanted. `what` is `topic`, `partitions`, `replication` or a configuration key."""

    topic: str
    what: str
    wanted: str
    found: str

    @property
    def is_missing(self) -> bool:
        """The topic itself is not there."""
        return self.what == "topic"

    def __str__(self) -> str:
        return (
            f"{self.topic}: it is missing"
            if self.is_missing
            else f"{self.topic}: {self.what} is {self.found}, wanted is {self.wanted}"
        )


async def create_missing(settings: Settings, wanted: Mapping[str, Wanted]) -> list[str]:
    """Create those of the wanted topics that do not exist; their names, once the broker shows them.

    Topics that exist are left as they are. Raises ProvisionError.
    """
    async with _admin(settings) as admin:
        missing = [name for name, found in (await _describe(admin, wanted)).items() if found is None]
        if not missing:
            return []
        created = await _create(admin, {name: wanted[name] for name in missing})
        await _wait_visible(admin, missing)
        return created


async def compare(settings: Settings, wanted: Mapping[str, Wanted]) -> list[Difference]:
    """All differences between the broker's topics and the wanted ones; empty: all is well. Raises ProvisionError."""
    async with _admin(settings) as admin:
        described = await _describe(admin, wanted)
        there = {name: found for name, found in described.items() if found is not None}
        differences = [Difference(name, "topic", "there", "missing") for name in described if name not in there]
        for name, partitions in there.items():
            differences += _count_differences(name, wanted[name], partitions)
        configs = await _configs(admin, {name: wanted[name] for name in there})
        for name, config in configs.items():
            differences += _config_differences(name, wanted[name].config, config)
        return sorted(differences)


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client; whatever goes wrong while it is used leaves as a ProvisionError."""
    try:
        await knock(settings)
        admin = AIOKafkaAdminClient(request_timeout_ms=int(REQUEST_S_MAX * 1000), **client_options(settings))
        try:
            async with asyncio.timeout(3 * REQUEST_S_MAX):
                await admin.start()
                yield admin
        finally:
            await admin.close()
    except ConnectionProblem as problem:
        raise ProvisionError(str(problem)) from None
    except TimeoutError:
        raise ProvisionError(
            f"Kafka did not answer within {3 * REQUEST_S_MAX:.0f} s while topics were looked at."
        ) from None
    except KafkaError as problem:
        raise ProvisionError(f"Kafka refused: {_told(problem)}.") from problem


async def _describe(admin: AIOKafkaAdminClient, names: Mapping[str, Any]) -> dict[str, list[dict[str, Any]] | None]:
    """Name to its partitions as the broker describes them; None for a topic that does not exist."""
    found: dict[str, list[dict[str, Any]] | None] = {}
    # Naming the topics keeps the answer small; the broker answers with a code for each and creates none.
    for topic in await admin.describe_topics(sorted(names)):
        code, name = topic["error_code"], topic["topic"]
        if code not in (NO_ERROR, UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE):
            raise ProvisionError(f"Kafka refused to describe {name}: {_told(for_code(code)())}.")
        found[name] = None if code == UNKNOWN_TOPIC else topic["partitions"]
    return found


async def _create(admin: AIOKafkaAdminClient, wanted: Mapping[str, Wanted]) -> list[str]:
    """Those that were made; somebody else may have made one a moment ago that the broker does not show yet."""
    answer = await admin.create_topics(
        [
            NewTopic(name, topic.partitions, topic.replication, topic_configs=dict(topic.config))
            for name, topic in wanted.items()
        ]
    )
    for name, code, message in answer.topic_errors:  # the client does not raise for these
        if code not in (NO_ERROR, ALREADY_EXISTS):
            raise ProvisionError(f"Kafka refused to create {name}: {message or _told(for_code(code)())}")
    return [name for name, code, _ in answer.topic_errors if code == NO_ERROR]


async def _wait_visible(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    for _ in range(int(VISIBLE_S_MAX / VISIBLE_POLL_S)):
        if all((await _describe(admin, dict.fromkeys(names))).values()):
            return
        await asyncio.sleep(VISIBLE_POLL_S)
    raise ProvisionError(f"Kafka created topics but did not show them within {VISIBLE_S_MAX:.0f} s: try again.")


async def _configs(admin: AIOKafkaAdminClient, wanted: Mapping[str, Wanted]) -> dict[str, dict[str, str]]:
    """Name to the effective values of the keys that are wanted."""
    if not wanted:
        return {}
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(topic.config)) for name, topic in wanted.items()
    ]
    configs = {}
    for answer in await admin.describe_configs(resources):
        for code, message, _kind, name, entries in answer.resources:
            if code != NO_ERROR:
                raise ProvisionError(f"Kafka refused to tell the configuration of {name}: {message or code}.")
            configs[name] = {entry[0]: str(entry[1]) for entry in entries}
    return configs


def _count_differences(name: str, wanted: Wanted, partitions: list[dict[str, Any]]) -> list[Difference]:
    replicas = sorted({len(partition["replicas"]) for partition in partitions})
    differences = []
    if len(partitions) != wanted.partitions:
        differences.append(Difference(name, "partitions", str(wanted.partitions), str(len(partitions))))
    if replicas != [wanted.replication]:
        found = " and ".join(map(str, replicas)) or "none"
        differences.append(Difference(name, "replication", str(wanted.replication), found))
    return differences


def _config_differences(name: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(name, key, value, found.get(key, "not told"))
        for key, value in wanted.items()
        if found.get(key) != value
    ]


def _told(problem: KafkaError) -> str:
    return str(getattr(problem, "description", "") or problem).replace("\n", " ").rstrip(".")
