"""Takes what the demo made off a Kafka that was there before it: its topics, and the consumer groups of its worker.

After the worker has ended: a group with a member cannot be deleted. Where something fails, it is said what is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import DeleteGroupsRequest
from rich.console import Console

from pipeline.connection import client_options
from pipeline.settings import STAGES, Settings

REMOVE_S_MAX = 30.0  # a group whose worker was killed has a member for one session longer
RETRY_S = 0.5
GONE = (0, 69)  # deleted; there was none
NOT_EMPTY = 68


async def remove_traces(settings: Settings, topics: Iterable[str], console: Console) -> None:
    """Remove these topics and the groups of all stages; never raises for what Kafka says."""
    groups = [f"{settings.topic_prefix}rw-{stage}" for stage in STAGES]
    try:
        async with asyncio.timeout(REMOVE_S_MAX):
            admin = AIOKafkaAdminClient(**client_options(settings))
            await admin.start()
            try:
                await admin.delete_topics(list(topics))
                for group in groups:
                    await _delete_group(admin, group)
            finally:
                await admin.close()
    except (KafkaError, TimeoutError) as problem:
        told = f"Topics or groups {settings.topic_prefix}* could not be removed: {problem!r}."
        console.print(told, soft_wrap=True)


async def _delete_group(admin: AIOKafkaAdminClient, group: str) -> None:
    """Until it is gone; the caller's time is the bound. aiokafka knows the request, and has no method for it."""
    while (code := await _try_to_delete(admin, group)) not in GONE:
        if not for_code(code).retriable and code != NOT_EMPTY:
            raise for_code(code)(group)
        await asyncio.sleep(RETRY_S)


async def _try_to_delete(admin: AIOKafkaAdminClient, group: str) -> int:
    try:
        node = await admin.find_coordinator(group)
        answer = await admin._send_request(DeleteGroupsRequest([group]), node)  # noqa: SLF001 - it has no public one
    except KafkaError as problem:
        if problem.retriable:
            return int(problem.errno)
        raise
    [(_, code)] = answer.results
    return int(code)
