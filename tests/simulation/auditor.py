"""What must hold when all is quiet: a second, simpler model that knows nothing of stages, folds or tables.

It reads what was published, what approval heard, what was told, what was buried and what Intouch saw, and gives a
sentence for each violation (testing, "The simulator"). The same sentences judge a world of the simulator and a run on
the real broker.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from simulation.calls import Effect, audit_calls
from simulation.content import audit_content
from simulation.inputs import Wish, Word
from simulation.ledger import Heard, Ledger
from simulation.letters import audit_doubts, audit_letters, audit_resolutions
from simulation.operators import Resolving
from simulation.stories import Story, Telling, Told, telling_of

__all__ = ["Effect", "Evidence", "Heard", "Told", "audit"]


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
    answers: dict[str, set[str]] = field(default_factory=dict)  # how calls ended for Intouch, by request, where known
    was_away: bool = False  # it could not be reached, or said so, at some time
    is_calm: bool = False  # no process ever ended while it was calling
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
        *audit_calls(evidence, telling, ledger),
        *_audit_ends(evidence, telling, ledger),
        *audit_letters(evidence),
        *audit_resolutions(evidence),
        *audit_doubts(evidence, telling),
        *audit_content(evidence, telling),
        *(f"a secret lies in clear: {leak[:60]!r}" for leak in _leaks(evidence)),
    ]


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


# -- secrets


def _leaks(evidence: Evidence) -> list[str]:
    whole = b"\n".join(evidence.clear)
    return [
        whole[max(0, at - 20) : at + 40].decode("utf-8", "replace")
        for canary in evidence.canaries
        if (at := whole.find(canary.encode())) >= 0
    ]
