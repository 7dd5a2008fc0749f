"""What the changelogs hold when a run is over, request by request, against what was told of it last.

An entry that is half done at the end (decided and not all of it told, an intent without a result, a result not told)
shows in no topic that people read. Folded as a loader does it: of a key's records the highest position counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from broker.judge import records
from broker.world import World

from pipeline.domain.marks import Kind, read_mark
from pipeline.domain.messages import DESK, INTENTS, RESULTS
from pipeline.postings import position_of


class Kept(NamedTuple):
    """What is remembered of one request: on the desk, of its call's beginning, of its end."""

    desk: Kind | None = None
    begun: Kind | None = None
    came_to: Kind | None = None

    def __str__(self) -> str:
        return ", ".join(kind.name if kind else "nothing" for kind in self)


OVER = Kept(Kind.SETTLED)
CALLED = Kept(Kind.SETTLED, None, Kind.FINISHED)
# What may be remembered, by the state that was told last. Nobody waits: every request gets a decision that counts.
FITS = {
    "approved": {CALLED},
    "failed": {CALLED, OVER},
    "rejected": {OVER},
    "IntouchAPITask": {Kept(Kind.HANDED, Kind.INTENT, Kind.IN_DOUBT)},
}


def remembered(world: World) -> dict[str, Kept]:
    """By requestId; what is forgotten is left out."""
    names = (DESK, INTENTS, RESULTS)
    held: dict[tuple[int, str], tuple[int, Kind | None]] = {}
    for message in records(world, *names):
        place = names.index(message.topic().removeprefix(world.prefix)), message.key().decode()
        at = position_of(tuple(message.headers() or ()))
        if place not in held or held[place][0] <= at:
            value = message.value()
            held[place] = at, None if value is None else read_mark(value).kind
    kept: dict[str, list[Kind | None]] = {}
    for (table, request_id), (_, kind) in held.items():
        kept.setdefault(request_id, [None, None, None])[table] = kind
    return {request_id: Kept(*kinds) for request_id, kinds in kept.items() if any(kinds)}


def waits_for_another_try(world: World) -> bool:
    """Whether execution remembers something that time alone will take up again: no topic shows that as a lag."""
    return any({kept.begun, kept.came_to} & {Kind.TRYING, Kind.HELD} for kept in remembered(world).values())


def audit_memory(last_states: Mapping[str, str], kept: Mapping[str, Kept]) -> list[str]:
    """A sentence for each request of which something is remembered that does not fit what was told of it last."""
    return [
        f"{request_id} was told {state} last, and what is remembered is: {held}"
        for request_id in sorted(last_states.keys() | kept.keys())
        if (held := kept.get(request_id, Kept())) not in FITS.get(state := last_states.get(request_id, "nothing"), ())
    ]
