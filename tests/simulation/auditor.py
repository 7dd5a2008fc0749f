"""What must hold when all is quiet: a second, simpler model that knows nothing of stages, folds or tables.

It reads what was published, what approval heard, what was told, what was buried and what Intouch saw, and gives a
sentence for each violation (testing, "The simulator"). The same sentences judge a world of the simulator and a run on
the real broker.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from simulation.content import audit_content
from simulation.ledger import Heard, Ledger
from simulation.operators import Resolving
from simulation.stories import Story, Telling, Told, telling_of
from simulation.workload import Sent, Wish, Word

__all__ = ["Effect", "Evidence", "Heard", "Told", "audit"]


class Effect(NamedTuple):
    """One call that Intouch saw, or one that had its effect there."""

    request_id: str
    sent: Sent
    at_ms: int = 0


@dataclass
class Evidence:
    """Everything there is to judge by, in the order of the log."""

    wishes: list[Wish]
    words: list[Word]
    told: list[Told]
    letters: list[Any]
    effects: list[Effect]
    attempts: list[Effect]
    heard: list[Heard] = field(default_factory=list)  # everything in approval's inbox
    automatic: frozenset[str] = frozenset()  # types that approve by themselves
    expires_ms: dict[str, int] = field(default_factory=dict)  # by type: how long a request may wait, at least
    expired_ms: dict[str, int] = field(default_factory=dict)  # and at most
    remember_ms: int | None = None  # how long an ended request is remembered; None: for good
    changing: frozenset[str] = frozenset()  # for what a good submission may be refused, as settings change
    resolutions: list[Resolving] = field(default_factory=list)
    lied: frozenset[str] = frozenset()  # requests that Intouch refused although it did what they ask for
    max_attempts: int | None = None  # calls of one request, before a person asks for another one
    tries_for_ms: int | None = None  # from the first of these calls to the last, at most
    deduped: frozenset[str] = frozenset()  # types of which Intouch itself knows a call again, whenever it comes
    clear: Iterable[bytes] = ()  # all bytes in topics and logs that must hold no secret
    canaries: tuple[str, ...] = ()


def audit(evidence: Evidence) -> list[str]:
    """A sentence for each violation; empty when everything held."""
    telling = telling_of(evidence.told, evidence.remember_ms)
    ledger = Ledger(evidence, telling)
    return [
        *telling.found,
        *ledger.audit(),
        *_audit_calls(evidence, telling, ledger),
        *_audit_ends(evidence, telling, ledger),
        *_audit_resolutions(evidence),
        *audit_content(evidence, telling),
        *(f"a secret lies in clear: {leak[:60]!r}" for leak in _leaks(evidence)),
    ]


# -- calls


def _audit_calls(evidence: Evidence, telling: Telling, ledger: Ledger) -> list[str]:
    """No call without approval, none twice, none too often, none that differs, and endings that fit."""
    found: list[str] = []
    wishes = {wish.api_request_id: wish for wish in evidence.wishes}
    for effect in evidence.attempts:
        story = telling.life_at(effect.request_id, effect.at_ms)
        is_automatic = story is not None and story.is_automatic and story.request_type in evidence.automatic
        is_allowed = story is not None and any(word.decision == "approved" for word in ledger.valid_of(story))
        if story is None or not (is_allowed or is_automatic):
            found.append(f"{effect.request_id} was called without a valid approval")
        else:
            found += _audit_sent(effect, wishes.get(story.first_id))
    done, sent = _by_life(evidence.effects, telling), _by_life(evidence.attempts, telling)
    for rid, lives in telling.lives.items():
        for story in lives:
            found += _audit_effects(rid, story, len(done[id(story)]), evidence)
            found += _audit_tries(rid, story, sent[id(story)], evidence)
    return found


def _audit_sent(effect: Effect, wish: Wish | None) -> list[str]:
    """Method, host, path, query and body: key order and kinds of values, too."""
    wanted = wish.sent if wish else ()
    wrong = [part for part, sent, asked in zip(Sent._fields, effect.sent, wanted, strict=False) if _differ(sent, asked)]
    if wish and not wrong:
        return []
    return [f"{effect.request_id} was called with another {' and '.join(wrong) or 'call'} than was submitted"]


def _differ(one: Any, other: Any) -> bool:
    return json.dumps(one) != json.dumps(other)


def _by_life(effects: list[Effect], telling: Telling) -> dict[int, list[Effect]]:
    """Calls by the life of their request in which they were made."""
    found: dict[int, list[Effect]] = defaultdict(list)
    for effect in effects:
        found[id(telling.life_at(effect.request_id, effect.at_ms))].append(effect)
    return found


def _audit_effects(rid: str, story: Story, count: int, evidence: Evidence) -> list[str]:
    found = [f"{rid} had its effect {count} times"] if count > 1 else []
    ended = {ending.partition("/")[0] for ending in story.endings}
    said = {one.decision for one in evidence.resolutions if one.request_id == rid and one.reason is None}
    if "approved" in ended and not count and "succeeded" not in said:
        found.append(f"{rid} was told approved and Intouch never did it")
    if "failed" in ended and count and rid not in evidence.lied and "failed" not in said:
        found.append(f"{rid} was told failed and Intouch did it")
    if "rejected" in ended and count:
        found.append(f"{rid} was told rejected and Intouch did it")
    return found


def _audit_tries(rid: str, story: Story, calls: list[Effect], evidence: Evidence) -> list[str]:
    """Neither too often nor for too long, but for what a person asked for."""
    if evidence.max_attempts is None or evidence.tries_for_ms is None or not calls:
        return []
    asked = sum(one.request_id == rid and one.decision == "retry" for one in evidence.resolutions)
    most, took_ms = evidence.max_attempts + asked, calls[-1].at_ms - calls[0].at_ms
    found = [f"{rid} was called {len(calls)} times, {most} are allowed"] if len(calls) > most else []
    if took_ms > evidence.tries_for_ms and not asked and story.request_type not in evidence.deduped:
        found.append(f"{rid} was called again after {took_ms} ms, {evidence.tries_for_ms} are allowed")
    return found


# -- endings


def _audit_ends(evidence: Evidence, telling: Telling, ledger: Ledger) -> list[str]:
    """Who ended it: a checker, the type's rule, time, or a refusal before the desk; and everybody who tried is told."""
    found = []
    for rid, lives in telling.lives.items():
        for story in lives:
            words = ledger.valid_of(story)
            found += story.failures(rid)
            if words and not story.endings and not story.is_in_doubt:
                found.append(f"{rid} was decided and never ended")
            found += _audit_end(rid, story, words, evidence)
            found += _audit_winner(rid, story, words, ledger.dead_words, evidence)
            found += _audit_doubts(rid, story, evidence)
    return found


def _audit_end(rid: str, story: Story, words: list[Word], evidence: Evidence) -> list[str]:
    if not story.endings or not story.is_placed:
        return []
    if story.is_expired:
        waited_ms = (story.ended_ms or 0) - story.began_ms
        is_early = waited_ms < evidence.expires_ms[story.request_type]
        return [f"{rid} expired after {waited_ms} ms, before its time"] if is_early else []
    if story.is_automatic:
        return [] if story.request_type in evidence.automatic else [f"{rid} was approved by a rule that is not there"]
    return [] if words else [f"{rid} ended without a valid decision"]


def _audit_doubts(rid: str, story: Story, evidence: Evidence) -> list[str]:
    """One in-doubt event, and one more for each try that a person asked for."""
    asked = sum(one.request_id == rid and one.decision == "retry" for one in evidence.resolutions)
    doubts = story.names.count("IntouchAPITask")
    return [f"{rid} was told to be in doubt {doubts} times"] if doubts > 1 + asked else []


def _came_too_late(story: Story, word: Word, evidence: Evidence) -> bool:
    latest_ms = evidence.expired_ms.get(story.request_type)
    return latest_ms is not None and word.time_ms is not None and word.time_ms >= story.began_ms + latest_ms


def _audit_winner(
    rid: str, story: Story, words: list[Word], dead: dict[Any, set[str]], evidence: Evidence
) -> list[str]:
    if story.is_automatic or story.is_expired or not story.is_placed:
        return [f"{rid}: {word.place} came to nothing and was not buried" for word in words if word.place not in dead]
    if story.winner is None:
        return []
    found = []
    won = [word for word in words if word.api_request_id == story.winner]
    if not won:
        found.append(f"{rid} ended by a decision that nobody made")
    if len([word for word in won if word.place not in dead]) > 1:
        found.append(f"{rid}: two records of one decision both count")
    if won and all("not-waiting" in dead.get(word.place, ()) for word in won):
        found.append(f"{rid}: the decision that won was buried, too")
    for word in words:
        if word.api_request_id != story.winner and word.place not in dead:
            found.append(f"{rid}: the decision {word.place} lost and was not buried")
        if word.api_request_id == story.winner and _came_too_late(story, word, evidence):
            found.append(f"{rid}: the decision {word.place} counted although the request had expired")
        if word.api_request_id == story.winner and (word.decision == "rejected") != (story.names[-1] == "rejected"):
            found.append(f"{rid} was {word.decision} and ended {story.names[-1]}")
    return found


# -- resolutions


def _audit_resolutions(evidence: Evidence) -> list[str]:
    """Each one counts or is buried, none does both, and what it brought about is what was said."""
    found = []
    dead: dict[tuple[int, int], set[str]] = defaultdict(set)
    for letter in evidence.letters:
        if letter["source"]["topic"] == "decisions.submitted":
            dead[letter["source"]["partition"], letter["source"]["offset"]].add(letter["reason"])
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


# -- secrets


def _leaks(evidence: Evidence) -> list[str]:
    whole = b"\n".join(evidence.clear)
    return [
        whole[max(0, at - 20) : at + 40].decode("utf-8", "replace")
        for canary in evidence.canaries
        if (at := whole.find(canary.encode())) >= 0
    ]
