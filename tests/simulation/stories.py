"""What observers were told, request by request: each event once, in order, and whether it could be told then.

A requestId may live twice: a maker may use an idempotency key again when the first request is forgotten. Then what is
told begins anew, as another story. Nothing here knows what the pipeline was asked for.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

LAG_MS = 60_000  # from the publication of a submission to approval, at most
ENDINGS = ("approved", "rejected", "failed")
FIRST = ("AdminTask", "failed")
RESOLVED = ("approved", "failed")  # what a resolution can bring about
# The documented path: what may be told first, and after what.
NEXT = {
    None: set(FIRST),
    "AdminTask": {"approved", "rejected", "failed", "IntouchAPITask"},
    "IntouchAPITask": {"approved", "failed", "IntouchAPITask"},
}
# Progress and state together, per request and api request id: no stage may tell before the one before it has told.
LINE = {
    None: {"ValidateMakerAccess", "IntouchAPITask", "rejected"},
    "ValidateMakerAccess": {"ValidatePayload", "failed"},
    "ValidatePayload": {"AdminTask", "failed"},
    "AdminTask": {"IntouchAPITask", "rejected"},
    "IntouchAPITask": {"IntouchAPITask", "approved", "failed"},
}


class Told(NamedTuple):
    """One event as it lies in the topic."""

    kind: str
    reason: str | None
    value: bytes
    resolution: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def event(self) -> Any:
        return json.loads(self.value)


def told_in(headers: Iterable[tuple[str, bytes | None]], value: bytes) -> Told:
    """An event of these bytes."""
    texts = {name: (held or b"").decode() for name, held in headers}
    reason, why = texts.get("rw-reason"), texts.get("rw-resolution")
    return Told(texts["rw-kind"], reason, value, why, tuple(sorted(texts.items())))


@dataclass
class Story:
    """The documented states of one life of one request."""

    states: list[Any] = field(default_factory=list)
    endings: set[str] = field(default_factory=set)
    is_in_doubt: bool = False
    is_automatic: bool = False
    is_expired: bool = False
    reason: str | None = None  # of what was told last

    @property
    def names(self) -> list[str]:
        return [event["data"]["currentRequestState"] for event in self.states]

    @property
    def first_id(self) -> str:
        """The api request id of the submission that it began with."""
        return str(self.states[0]["apiRequestId"])

    @property
    def request_type(self) -> str:
        return str(self.states[0]["data"]["requestType"])

    @property
    def began_ms(self) -> int:
        return int(self.states[0]["data"]["updateTime"])

    @property
    def ended_ms(self) -> int | None:
        """When it ended; None while it has not."""
        return int(self.states[-1]["data"]["updateTime"]) if self.endings else None

    @property
    def is_placed(self) -> bool:
        """It lay on the desk."""
        return self.names[0] == "AdminTask"

    @property
    def was_handed_over(self) -> bool:
        """Execution has told something of it."""
        return self.is_placed and len(self.states) > 1 and self.names[1] != "rejected"

    @property
    def winner(self) -> str | None:
        """The api request id of the decision that counted, where a person decided."""
        is_by_rule = self.is_automatic or self.is_expired
        return str(self.states[1]["apiRequestId"]) if len(self.states) > 1 and not is_by_rule else None

    def failures(self, request_id: str) -> list[str]:
        """What is wrong with how it ended, whatever was asked for."""
        return (
            [f"{request_id} has {len(self.endings)} endings: {sorted(self.endings)}"] if len(self.endings) > 1 else []
        )


@dataclass
class Telling:
    """Everything that was told: the lives of each request in their order, the steps on the way, and what is wrong."""

    lives: dict[str, list[Story]] = field(default_factory=lambda: defaultdict(list))
    progress: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # by api request id
    events: list[Told] = field(default_factory=list)  # each once
    found: list[str] = field(default_factory=list)

    def life_at(self, request_id: str, time_ms: int) -> Story | None:
        """The life of this request that had begun by then; the first one where none had."""
        lives = self.lives.get(request_id, [])
        begun = [story for story in lives if story.began_ms <= time_ms]
        return begun[-1] if begun else next(iter(lives), None)


def telling_of(told: list[Told], remember_ms: int | None) -> Telling:
    """`remember_ms` is how long after its ending a request may not live again; None: it never may."""
    telling = Telling()
    seen: dict[str, Told] = {}
    last_ms: dict[tuple[str, ...], int] = {}
    last_state: dict[tuple[str, str], str] = {}
    for one in told:
        event = one.event
        data, event_id = event["data"], event["eventId"]
        request_id, state = data["requestId"], data["currentRequestState"]
        if event_id in seen:
            if seen[event_id] != one:
                telling.found.append(f"{request_id}: the event {state} was told again with other bytes or headers")
            continue
        seen[event_id] = one
        telling.events.append(one)
        line = (request_id,) if one.kind == "state" else (request_id, event["apiRequestId"])
        if data["updateTime"] < last_ms.get(line, 0):
            telling.found.append(f"{request_id}: time goes back at {state}")
        last_ms[line] = data["updateTime"]
        whole = (request_id, event["apiRequestId"])
        is_resolved = one.resolution is not None and state in RESOLVED  # the resolution's own apiRequestId begins here
        if state not in LINE.get(last_state.get(whole), set()) and not is_resolved:
            telling.found.append(f"{request_id}: {state} overtook what comes after {last_state.get(whole)}")
        last_state[whole] = state
        if one.kind == "state":
            telling.found += _told_state(telling.lives[request_id], one, remember_ms)
        else:
            telling.progress[event["apiRequestId"]].add(state)
    return telling


def _told_state(lives: list[Story], one: Told, remember_ms: int | None) -> list[str]:
    event = one.event
    data = event["data"]
    request_id, state = data["requestId"], data["currentRequestState"]
    if not lives or _lives_again(lives[-1], state, data["updateTime"], remember_ms):
        lives.append(Story())
    story = lives[-1]
    before = story.names[-1] if story.states else None
    story.states.append(event)
    story.reason = one.reason
    story.is_automatic |= one.reason == "auto-approved"
    story.is_expired |= one.reason == "expired"
    story.is_in_doubt |= state == "IntouchAPITask"
    if state in ENDINGS:
        story.endings.add(f"{state}/{event['apiRequestId']}")
    if before in ENDINGS:
        return [f"{request_id}: {state} was told after its ending {before}"]
    return [] if state in NEXT[before] else [f"{request_id}: {state} was told after {before}"]


def _lives_again(story: Story, state: str, at_ms: int, remember_ms: int | None) -> bool:
    """The times are those of publication: what is published just before the term is over may be heard after it."""
    if state not in FIRST or story.ended_ms is None or remember_ms is None:
        return False
    return at_ms >= story.ended_ms + remember_ms - LAG_MS
