"""What must hold when all is quiet: a second, simpler model that knows nothing of stages, folds or tables.

It reads what was published, what was told, what was buried and what Intouch saw, and gives a sentence for each
violation (testing, "The simulator"). The same sentences judge a world of the simulator and a run on the real broker.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simulation.operators import Resolving
from simulation.workload import Wish, Word

ENDINGS = ("approved", "rejected", "failed")
RESOLVED = ("approved", "failed")  # what a resolution can bring about
# The documented path: what may be told first, and after what.
NEXT = {
    None: {"AdminTask", "failed"},
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

    @property
    def event(self) -> Any:
        return json.loads(self.value)


class Effect(NamedTuple):
    """One call that had its effect at Intouch."""

    request_id: str
    body: Any


@dataclass
class Evidence:
    """Everything there is to judge by, in the order of the log."""

    wishes: list[Wish]
    words: list[Word]
    told: list[Told]
    letters: list[Any]
    effects: list[Effect]
    attempts: list[Effect]
    automatic: frozenset[str] = frozenset()  # types that approve by themselves
    expires_ms: dict[str, int] = field(default_factory=dict)  # by type: how long a request may wait
    resolutions: list[Resolving] = field(default_factory=list)
    clear: Iterable[bytes] = ()  # all bytes in topics that must hold no secret
    canaries: tuple[str, ...] = ()


@dataclass
class Story:
    """What was told of one request, each event once, in order."""

    states: list[Any] = field(default_factory=list)
    endings: set[str] = field(default_factory=set)
    is_in_doubt: bool = False
    is_automatic: bool = False
    is_expired: bool = False

    @property
    def request_type(self) -> str:
        return str(self.states[0]["data"]["requestType"])


def audit(evidence: Evidence) -> list[str]:
    """A sentence for each violation; empty when everything held."""
    stories, found = _stories(evidence.told)
    found += _audit_wishes(evidence, stories)
    found += _audit_calls(evidence, stories)
    found += _audit_words(evidence, stories)
    found += _audit_resolutions(evidence)
    found += [f"a secret lies in clear in a topic: {leak[:60]!r}" for leak in _leaks(evidence)]
    return found


def _stories(told: list[Told]) -> tuple[dict[str, Story], list[str]]:
    """What was told by request, and what is wrong with the telling itself."""
    stories: dict[str, Story] = defaultdict(Story)
    seen: dict[str, bytes] = {}
    last_ms: dict[tuple[str, ...], int] = {}
    last_state: dict[tuple[str, str], str] = {}
    found = []
    for one in told:
        event = one.event
        data, event_id = event["data"], event["eventId"]
        request_id, state = data["requestId"], data["currentRequestState"]
        if event_id in seen:
            if seen[event_id] != one.value:
                found.append(f"{request_id}: the event {state} was told again with other bytes")
            continue
        seen[event_id] = one.value
        line = (request_id,) if one.kind == "state" else (request_id, event["apiRequestId"])
        if data["updateTime"] < last_ms.get(line, 0):
            found.append(f"{request_id}: time goes back at {state}")
        last_ms[line] = data["updateTime"]
        whole = (request_id, event["apiRequestId"])
        is_resolved = one.resolution is not None and state in RESOLVED  # the resolution's own apiRequestId begins here
        if state not in LINE.get(last_state.get(whole), set()) and not is_resolved:
            found.append(f"{request_id}: {state} overtook what comes after {last_state.get(whole)}")
        last_state[whole] = state
        if one.kind == "state":
            stories[request_id].is_automatic |= one.reason == "auto-approved"
            stories[request_id].is_expired |= one.reason == "expired"
            found += _told_state(stories[request_id], request_id, state, event)
    return stories, found


def _told_state(story: Story, request_id: str, state: str, event: Any) -> list[str]:
    before = story.states[-1]["data"]["currentRequestState"] if story.states else None
    story.states.append(event)
    story.is_in_doubt |= state == "IntouchAPITask"
    if state in ENDINGS:
        story.endings.add(f"{state}/{event['apiRequestId']}")
    if before in ENDINGS:
        return [f"{request_id}: {state} was told after its ending {before}"]
    return [] if state in NEXT[before] else [f"{request_id}: {state} was told after {before}"]


def _audit_wishes(evidence: Evidence, stories: dict[str, Story]) -> list[str]:
    """Every submission came to something, and to one thing."""
    found = []
    first = {event["apiRequestId"]: rid for rid, story in stories.items() for event in story.states[:1]}
    dead = {_place(letter) for letter in evidence.letters if letter["source"]["topic"] == "requests.submitted"}
    keyed: dict[tuple[int, str], list[Wish]] = defaultdict(list)
    for wish in evidence.wishes:
        if wish.key and wish.fate != "dead":
            keyed[wish.maker, wish.key].append(wish)
        elif (wish.api_request_id in first) == (wish.place in dead):
            found.append(f"submission {wish.place} ({wish.fate}) must be told or buried, and only one of them")
        elif (wish.fate == "dead") != (wish.place in dead):
            found.append(f"submission {wish.place} was to be {wish.fate}, buried: {wish.place in dead}")
    for wishes in keyed.values():
        told = [wish for wish in wishes if wish.api_request_id in first]
        if len(told) != 1:
            found.append(f"{len(told)} requests came of one key: {[wish.place for wish in wishes]}")
        for wish in wishes:
            is_silent = bool(told) and wish.mark == told[0].mark and wish.fate == "good"
            if wish not in told and not is_silent and wish.place not in dead:
                found.append(f"submission {wish.place} repeats a key with another body and was not buried")
            if wish.place in dead and (wish in told or is_silent):
                found.append(f"submission {wish.place} was buried although it is the first of its key or the same")
    return found


def _audit_calls(evidence: Evidence, stories: dict[str, Story]) -> list[str]:
    """No call without approval, none twice, none with another body, and endings that fit."""
    found, counts = [], defaultdict(int)
    bodies = {wish.api_request_id: wish.body for wish in evidence.wishes}
    allowed = {
        word.request_id for word in evidence.words if word.decision == "approved" and not _objection(word, stories)
    }
    for effect in evidence.attempts:
        story = stories.get(effect.request_id)
        is_automatic = story is not None and story.is_automatic and story.request_type in evidence.automatic
        if story is None or not story.states or not (effect.request_id in allowed or is_automatic):
            found.append(f"{effect.request_id} was called without a valid approval")
        elif bodies.get(story.states[0]["apiRequestId"]) != effect.body:
            found.append(f"{effect.request_id} was called with another body than was submitted")
    for effect in evidence.effects:
        counts[effect.request_id] += 1
    found += [f"{rid} had its effect {count} times" for rid, count in counts.items() if count > 1]
    for rid, story in stories.items():
        if any(ending.startswith("approved") for ending in story.endings) and not counts[rid]:
            found.append(f"{rid} was told approved and Intouch never did it")
    return found


def _audit_words(evidence: Evidence, stories: dict[str, Story]) -> list[str]:
    """The first valid decision wins, every other one is buried, and a refused one blocks nothing."""
    found = []
    dead = {_place(letter) for letter in evidence.letters if letter["source"]["topic"] == "decisions.submitted"}
    valid: dict[str, list[Word]] = defaultdict(list)
    for word in evidence.words:
        objection = _objection(word, stories)
        if objection is None:
            valid[word.request_id].append(word)
        elif word.place not in dead:
            found.append(f"decision {word.place} was to be buried ({objection}) and was not")
    for rid, story in stories.items():
        words = valid.get(rid, [])
        if len(story.endings) > 1:
            found.append(f"{rid} has {len(story.endings)} endings: {sorted(story.endings)}")
        if words and not story.endings and not story.is_in_doubt:
            found.append(f"{rid} was decided and never ended")
        found += _audit_end(rid, story, words, evidence)
        is_by_rule = story.is_automatic or story.is_expired
        winner = story.states[1]["apiRequestId"] if len(story.states) > 1 and not is_by_rule else None
        found += _audit_winner(rid, story, words, winner, dead)
        if is_by_rule:
            found += [
                f"{rid}: {word.place} came to nothing and was not buried" for word in words if word.place not in dead
            ]
    return found


def _objection(word: Word, stories: dict[str, Story]) -> str | None:
    """Why the decision may have no effect, however often it is told; None for one that counts if it is the first."""
    story = stories.get(word.request_id)
    first = story.states[0]["data"] if story and story.states else None
    if word.reason is not None or word.time_ms is None:
        return word.reason
    if first is None or first["currentRequestState"] != "AdminTask":
        return "nothing ever lay on the desk"
    return "made before AdminTask" if word.time_ms <= first["updateTime"] else None


def _audit_end(rid: str, story: Story, words: list[Word], evidence: Evidence) -> list[str]:
    """Who ended it: a checker, the type's rule, or time."""
    data = [event["data"] for event in story.states]
    if not story.endings or data[0]["currentRequestState"] != "AdminTask":
        return []
    if story.is_expired:
        waited_ms = data[-1]["updateTime"] - data[0]["updateTime"]
        is_early = waited_ms < evidence.expires_ms[story.request_type]
        return [f"{rid} expired after {waited_ms} ms, before its time"] if is_early else []
    if story.is_automatic:
        return [] if story.request_type in evidence.automatic else [f"{rid} was approved by a rule that is not there"]
    return [] if words else [f"{rid} ended without a valid decision"]


def _audit_winner(rid: str, story: Story, words: list[Word], winner: str | None, dead: set[Any]) -> list[str]:
    if winner is None:
        return []
    found = []
    won = [word for word in words if word.api_request_id == winner]
    if not won:
        found.append(f"{rid} ended by a decision that nobody made")
    if len([word for word in won if word.place not in dead]) > 1:
        found.append(f"{rid}: two records of one decision both count")
    for word in words:
        if word.api_request_id != winner and word.place not in dead:
            found.append(f"{rid}: the decision {word.place} lost and was not buried")
        if word.api_request_id == winner:
            ended = story.states[-1]["data"]["currentRequestState"]
            if (word.decision == "rejected") != (ended == "rejected"):
                found.append(f"{rid} was {word.decision} and ended {ended}")
    return found


def _audit_resolutions(evidence: Evidence) -> list[str]:
    """Each one counts or is buried, none does both, and what it brought about is what was said."""
    found = []
    dead = {_place(letter) for letter in evidence.letters if letter["source"]["topic"] == "decisions.submitted"}
    told = {one.resolution: one.event["data"]["currentRequestState"] for one in evidence.told if one.resolution}
    fits = {"succeeded": {"approved"}, "failed": {"failed"}, "retry": {"approved", "failed", "IntouchAPITask"}}
    for said in evidence.resolutions:
        state = told.pop(f"because {said.api_request_id}", None)
        if (state is None) != (said.place in dead):
            found.append(f"resolution {said.place} of {said.request_id} came to {state}, buried: {said.place in dead}")
        elif said.reason is not None and state is not None:
            found.append(f"resolution {said.place} was to be buried ({said.reason}) and counted")
        elif state is not None and state not in fits[said.decision]:
            found.append(f"{said.request_id} was resolved as {said.decision} and came to {state}")
    return found + [f"{state} was told for a resolution that nobody made" for state in told.values()]


def _place(letter: Any) -> tuple[int, int]:
    return letter["source"]["partition"], letter["source"]["offset"]


def _leaks(evidence: Evidence) -> list[str]:
    return [
        value.decode("utf-8", "replace")
        for value in evidence.clear
        if any(canary.encode() in value for canary in evidence.canaries)
    ]
