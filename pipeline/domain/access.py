"""Who may make, who may check, who may resolve. Predicates only; whoever asks decides what a no means.

Default deny: no claim, no right; a token with entities and a request without them do not meet (contract, section 6).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pipeline.domain.claims import Claims

CAN_MAKE = "CanMakeRequest"
CAN_CHECK = "CanCheckRequest"
CAN_RESOLVE = "CanResolve"

ENTITY_KEYS = ("tillId", "storeId", "zoneId", "conceptId")


def may(claims: Claims, right: str) -> bool:
    """The token carries this right."""
    return right in claims.permissions


def entities_of(entity_info: Any) -> frozenset[str]:
    """The ids in a submission's entityInfo as text; empty for one that is missing or malformed."""
    if not isinstance(entity_info, dict):
        return frozenset()
    found = (entity_info.get(key) for key in ENTITY_KEYS)
    return frozenset(str(one) for one in found if isinstance(one, str | int) and not isinstance(one, bool))


def in_scope(entities: Collection[str] | None, entity_info: Any) -> bool:
    """A token without entities is not limited; one with entities needs one of the request's among them."""
    return entities is None or not entities_of(entity_info).isdisjoint(entities)


def are_different(maker_id: int, decider_id: int) -> bool:
    """Four eyes. Both ids are ints by now, so that no spelling makes one person two."""
    return maker_id != decider_id
