"""Dead letters and resolutions: whom each is about, and that what has no effect is buried, whole and for its reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from simulation.stories import Telling


def dead_by_place(letters: Iterable[Any], topic: str) -> dict[tuple[int, int], set[str]]:
    """For what the records of a public topic were buried, by partition and offset."""
    dead: dict[tuple[int, int], set[str]] = defaultdict(set)
    for letter in letters:
        source = letter["source"]
        if source["topic"] == topic:
            dead[source["partition"], source["offset"]].add(letter["reason"])
    return dead


def audit_letters(evidence: Any) -> Iterator[str]:
    """Each holds its original, and says of which org and request it is, as far as that can be known."""
    wishes = {wish.place: wish for wish in evidence.wishes}
    words = {said.place: said for said in (*evidence.words, *evidence.resolutions)}
    named = {
        one.origin[0]: one.request_id for one in evidence.heard if one.origin and one.kind in ("pending", "refused")
    }
    for letter in evidence.letters:
        source, known = letter["source"], (letter.get("requestId"), letter.get("orgId"))
        place = source["partition"], source["offset"]
        name = f"the dead letter of {source['topic']} {place}, {letter['reason']},"
        if not letter.get("sealed"):
            yield f"{name} does not hold its original"
        if source["topic"] == "requests.submitted" and place in wishes:
            wish = wishes[place]
            # Nothing of what could not be read is told, not even what its headers say.
            is_read = wish.fate != "dead" or letter["reason"] == "unknown-type"
            wanted = (named.get(place), wish.org if is_read else None)
        elif source["topic"] == "decisions.submitted" and place in words:
            org = words[place].org
            wanted = (words[place].request_id, known[1] if org is None else org)
        else:
            yield f"{name} is about nothing that anybody published"
            continue
        if known != wanted:
            yield f"{name} is about {known}, not {wanted}"


# -- resolutions


def counted_in(evidence: Any) -> list[Any]:
    """The resolutions that were not buried."""
    dead = dead_by_place(evidence.letters, "decisions.submitted")
    return [one for one in evidence.resolutions if one.place not in dead]


def retries_in(evidence: Any) -> Counter[str]:
    """How many more tries people asked for and got, by request."""
    return Counter(one.request_id for one in counted_in(evidence) if one.decision == "retry")


def audit_doubts(evidence: Any, telling: Telling) -> Iterator[str]:
    """Each doubt is resolved once at most, by somebody who could know of it."""
    counted: dict[str, list[int]] = defaultdict(list)
    for one in counted_in(evidence):
        counted[one.request_id].append(one.time_ms)
    for rid, said_ms in counted.items():
        states = [event["data"] for story in telling.lives.get(rid, ()) for event in story.states]
        told_ms = sorted(data["updateTime"] for data in states if data["currentRequestState"] == "IntouchAPITask")
        if len(said_ms) > len(told_ms):
            yield f"{rid} was in doubt {len(told_ms)} times and resolved {len(said_ms)} times"
        if any(said < told for said, told in zip(sorted(said_ms), told_ms, strict=False)):
            yield f"{rid} was resolved before it was in doubt"


def audit_resolutions(evidence: Any) -> list[str]:
    """Each one counts or is buried, none does both, and what it brought about is what was said."""
    found, dead = [], dead_by_place(evidence.letters, "decisions.submitted")
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
        found += [
            f"resolution {said.place} was to be buried as {said.reason} and was as {reason}"
            for reason in dead.get(said.place, set()) - _may_be(said.reason)
        ]
    return found + [f"{state} was told for a resolution that nobody made" for state in told.values()]


def _may_be(reason: str | None) -> set[str]:
    """What a resolution that cannot count is buried for: it may come too late for its own reason."""
    if reason == "no-right":
        return {reason}
    return {"not-in-doubt"} | ({reason} if reason else set())
