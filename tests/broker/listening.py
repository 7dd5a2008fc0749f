"""What was told so far, each event once, and what lies in a topic now: for tests that count repetitions and tombstones.

Read with librdkafka. Nothing here waits or judges.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from broker.judge import records
from broker.world import World


def times_told(world: World, *states: str) -> Counter[tuple[str, str, str]]:
    """How often each state event of these states (all, if none is named) lies in the topic, by (requestId, state,
    eventId); read from the topic's beginning.
    """
    found: Counter[tuple[str, str, str]] = Counter()
    for message in records(world, "events"):
        event, headers = json.loads(message.value()), dict(message.headers())
        data = event["data"]
        if headers["rw-kind"] == b"state" and (not states or data["currentRequestState"] in states):
            found[data["requestId"], data["currentRequestState"], event["eventId"]] += 1
    return found


def last_values(world: World, topic: str) -> dict[str, bytes | None]:
    """What a compacted topic holds for each key: the last value, None for a tombstone."""
    return {message.key().decode(): message.value() for message in records(world, topic)}


def reasons(world: World, **data: Any) -> list[str]:
    """Why the dead letters with these values died."""
    return [
        letter["reason"] for letter in world.dead_letters() if all(letter.get(k) == held for k, held in data.items())
    ]
