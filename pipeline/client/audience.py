"""Whether anybody reads what was just published: without a worker no event comes, and one would wait for it in vain."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from pipeline.connection import client_options
from pipeline.settings import Settings

ASK_S_MAX = 5.0
RETRY_S = 0.2
_WITHOUT_MEMBERS = ("Empty", "Dead")


async def is_unread(settings: Settings) -> bool:
    """True when intake's group is known to have no member. False also where this login may not know."""
    admin = AIOKafkaAdminClient(**client_options(settings), request_timeout_ms=int(ASK_S_MAX * 1000))
    try:
        async with asyncio.timeout(ASK_S_MAX):
            await admin.start()
            code, state = await _described(admin, f"{settings.topic_prefix}rw-intake")
    except (KafkaError, TimeoutError):
        return False
    finally:
        await admin.close()
    return code == 0 and state in _WITHOUT_MEMBERS


async def _described(admin: AIOKafkaAdminClient, group: str) -> tuple[int, str]:
    """Error code and state. A broker that never had a group needs a moment; the caller's time is the bound."""
    while True:
        try:
            [answer] = await admin.describe_consumer_groups([group])
        except KafkaError as problem:
            if not problem.retriable:
                raise
        else:
            [(code, _group, state, *_)] = answer.groups
            return code, state
        await asyncio.sleep(RETRY_S)
