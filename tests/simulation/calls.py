"""What Intouch saw, and whether it may have seen it: only what was approved, as it was submitted, once, in time."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from simulation.inputs import Sent, Wish
from simulation.ledger import Ledger
from simulation.letters import retries_in
from simulation.stories import Story, Telling

# What Intouch must have said for an ending with this reason.
FOR = {"refused": {"refused"}, "retries-exhausted": {"not-now"}, "already-there": {"already-there"}}


class Effect(NamedTuple):
    """One call that Intouch saw, or one that had its effect there."""

    request_id: str
    sent: Sent
    at_ms: int = 0


def audit_calls(evidence: Any, telling: Telling, ledger: Ledger) -> list[str]:
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
    done, sent, asked = _by_life(evidence.effects, telling), _by_life(evidence.attempts, telling), retries_in(evidence)
    for rid, lives in telling.lives.items():
        for story in lives:
            found += _audit_effects(rid, story, len(done[id(story)]), evidence)
            found += _audit_tries(rid, story, sent[id(story)], asked[rid], evidence)
            found += [f"{rid}: {said}" for said in _audit_need(rid, story, len(sent[id(story)]), asked[rid], evidence)]
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


def _audit_effects(rid: str, story: Story, count: int, evidence: Any) -> list[str]:
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


def _audit_tries(rid: str, story: Story, calls: list[Effect], asked: int, evidence: Any) -> list[str]:
    """Neither too often nor for too long, but for what a person asked for."""
    if evidence.max_attempts is None or evidence.tries_for_ms is None or not calls:
        return []
    most, took_ms = evidence.max_attempts + asked, calls[-1].at_ms - calls[0].at_ms
    found = [f"{rid} was called {len(calls)} times, {most} are allowed"] if len(calls) > most else []
    if took_ms > evidence.tries_for_ms and not asked and story.request_type not in evidence.deduped:
        found.append(f"{rid} was called again after {took_ms} ms, {evidence.tries_for_ms} are allowed")
    return found


def _audit_need(rid: str, story: Story, calls: int, asked: int, evidence: Any) -> Iterator[str]:
    """What Intouch said is what is told: nobody doubts or fails without a cause, and no doubt is told too often."""
    answers, doubts = evidence.answers.get(rid, set()), story.names.count("IntouchAPITask")
    if doubts > 1 + asked:
        yield f"told to be in doubt {doubts} times"
    if evidence.answers and story.is_placed and story.reason in FOR and not FOR[story.reason] & answers:
        yield f"{story.names[-1]} as {story.reason}, and Intouch said {sorted(answers)}"
    if not evidence.is_calm:
        return
    if story.is_in_doubt and "unclear" not in answers:
        yield f"told to be in doubt, and Intouch said {sorted(answers)}"
    # A day may go by on the calendar while it is held.
    is_held = story.reason in ("intouch-unavailable", "approval-expired") and evidence.was_away
    if story.is_placed and story.names[-1] == "failed" and not calls and not is_held:
        yield f"failed without a call, as {story.reason}"
