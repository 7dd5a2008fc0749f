"""What follows from the end of a call: the table of section 8 of the contract, and the arithmetic of tries around it.

A call that may have had its effect is repeated only where that has no second effect; else a person must find out. So
it matters what the earlier tries were: one of them that may have been applied makes every later silence a doubt.
Pure: no clock, no jitter (an outcome says how long to wait), no Kafka and no HTTP.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from pipeline.domain.outcomes import Ending, Outcome
from pipeline.domain.reasons import ErrorCode, Reason
from pipeline.domain.repeats import Manner
from pipeline.domain.requests import Strict


class Act(StrEnum):
    """What is done about an ending."""

    DONE = "approved"
    FAILED = "failed"
    COMPARE = "approved after a try of ours that may have been applied, else failed"
    AGAIN = "try again"
    HOLD = "held"
    DOUBT = "in doubt"


class Row(NamedTuple):
    """One ending: what follows for a repeatable call and for any other, and the reason of `failed`."""

    repeatable: Act
    other: Act
    reason: Reason | ErrorCode | None = None


ROWS: dict[Ending, Row] = {
    Ending.DONE: Row(Act.DONE, Act.DONE),
    Ending.REFUSED: Row(Act.FAILED, Act.FAILED, Reason.REFUSED),
    Ending.ALREADY_THERE: Row(Act.COMPARE, Act.COMPARE, Reason.REFUSED),
    Ending.NOT_NOW: Row(Act.AGAIN, Act.AGAIN, Reason.RETRIES_EXHAUSTED),
    Ending.REDIRECT: Row(Act.FAILED, Act.FAILED, Reason.REDIRECT),
    Ending.UNREACHED: Row(Act.HOLD, Act.HOLD, Reason.INTOUCH_UNAVAILABLE),
    Ending.UNCLEAR: Row(Act.AGAIN, Act.DOUBT),
    Ending.LOST: Row(Act.AGAIN, Act.DOUBT),
    Ending.HOST_NOT_ALLOWED: Row(Act.FAILED, Act.FAILED, Reason.HOST_NOT_ALLOWED),
    Ending.BAD_PATH: Row(Act.FAILED, Act.FAILED, ErrorCode.BAD_PATH),
    Ending.BAD_HEADER: Row(Act.FAILED, Act.FAILED, ErrorCode.BAD_HEADER),
    Ending.DIGEST_MISMATCH: Row(Act.FAILED, Act.FAILED, Reason.DIGEST_MISMATCH),
    Ending.APPROVAL_EXPIRED: Row(Act.FAILED, Act.FAILED, Reason.APPROVAL_EXPIRED),
    Ending.TOO_LATE: Row(Act.FAILED, Act.FAILED, Reason.RETRIES_EXHAUSTED),
}

_AMBIGUOUS = frozenset({Ending.UNCLEAR, Ending.LOST})
# Nothing was sent: such an end uses up no attempt.
NOT_SENT = frozenset(
    {
        Ending.UNREACHED,
        Ending.HOST_NOT_ALLOWED,
        Ending.BAD_PATH,
        Ending.BAD_HEADER,
        Ending.DIGEST_MISMATCH,
        Ending.APPROVAL_EXPIRED,
        Ending.TOO_LATE,
    }
)
# A refusal of the same call speaks for the tries before it, too; these endings say nothing about them.
_SPEAKS_FOR_ALL = frozenset({Ending.DONE, Ending.REFUSED, Ending.ALREADY_THERE})


# For the documentation: how people call each ending.
_WORDS: dict[Ending, str] = {
    Ending.DONE: "success",
    Ending.REFUSED: "a readable refusal: a business code, errors, a 4xx but 429",
    Ending.ALREADY_THERE: '"already there": the idempotency key was used before',
    Ending.NOT_NOW: "429, or a redemption code that says: not now",
    Ending.REDIRECT: "3xx",
    Ending.UNREACHED: "refused or unresolved before anything was sent",
    Ending.UNCLEAR: "5xx, timeout or reset after sending, an unreadable or oversized answer, or neither yes nor no",
    Ending.LOST: "the process ended between the intent and the outcome",
    Ending.TOO_LATE: "not begun once more: too long after the first attempt",
    Ending.HOST_NOT_ALLOWED: "not begun: the host is not on the allow-list (any more), or its address is never called",
    Ending.BAD_PATH: "not begun: not the call of its type",
    Ending.BAD_HEADER: "not begun: a header that cannot be sent",
    Ending.DIGEST_MISMATCH: "not begun: what would be sent is not what was approved",
    Ending.APPROVAL_EXPIRED: "not begun: the approval is too old for a first call",
}


def printed() -> str:
    """The table in Markdown, for the documentation."""
    lines = ["| how the call ended | repeatable | not repeatable | `rw-reason` of `failed` |", "|---|---|---|---|"]
    for ending, row in ROWS.items():
        reason = f"`{row.reason}`" if row.reason else ""
        lines.append(f"| {_WORDS[ending]} | {row.repeatable} | {row.other} | {reason} |")
    return "\n".join(lines)


class Terms(NamedTuple):
    """How often, for how long (milliseconds), and until when; contract, sections 8, 9 and 11."""

    max_attempts: int = 6
    retry_for_ms: int = 60_000
    hold_ms: int = 3_600_000
    good_for_ms: int = 86_400_000
    remember_ms: int = 604_800_000


class Tried(Strict):
    """What is known of the attempts on one request so far. `attempt` numbers all of them, `tries` counts those that
    were sent; `first_ms` is when the first of these began, moved on by the time for which the request was held.
    """

    attempt: int = 0
    tries: int = 0
    first_ms: int | None = None
    is_ambiguous: bool = False

    def later(self, by_ms: int) -> Tried:
        """The same after it was held for so long: that uses up no time to retry."""
        return self if self.first_ms is None else self.model_copy(update={"first_ms": self.first_ms + by_ms})

    def until_ms(self, terms: Terms) -> int | None:
        """Until when a further attempt may begin; None before the first one."""
        return None if self.first_ms is None else self.first_ms + terms.retry_for_ms

    def and_one(self, attempt: int, outcome: Outcome) -> Tried:
        """With one more attempt, that ended so."""
        is_sent = outcome.ending not in NOT_SENT
        return Tried(
            attempt=attempt,
            tries=self.tries + is_sent,
            first_ms=outcome.since_ms if self.first_ms is None and is_sent else self.first_ms,
            is_ambiguous=self.is_ambiguous or outcome.ending in _AMBIGUOUS,
        )


class Follows(NamedTuple):
    """What is done: `DONE`, `FAILED`, `AGAIN`, `HOLD` or `DOUBT`; with the event's `rw-reason`, if it has one."""

    act: Act
    reason: Reason | ErrorCode | None = None


IN_DOUBT = Follows(Act.DOUBT, Reason.IN_DOUBT)


def what_follows(outcome: Outcome, tried: Tried, manner: Manner, terms: Terms, approved_ms: int) -> Follows:
    """From this end of the latest attempt, which `tried` counts already, of a request approved at `approved_ms`."""
    row = ROWS[outcome.ending]
    act = row.repeatable if manner.is_repeatable else row.other
    if act is Act.DONE:
        return Follows(Act.DONE)
    if act is Act.COMPARE and tried.is_ambiguous:
        return Follows(Act.DONE, Reason.ALREADY_THERE) if manner.is_single else IN_DOUBT
    if act is Act.AGAIN and not _is_exhausted(outcome, tried, terms):
        if not outcome.is_away:
            return Follows(Act.AGAIN)
        act = Act.HOLD  # a 503 to a call that may be repeated: this one waits with the others, and spends no time
    if act is Act.HOLD and outcome.at_ms < approved_ms + terms.hold_ms:
        return Follows(Act.HOLD)
    if act is Act.DOUBT or (tried.is_ambiguous and outcome.ending not in _SPEAKS_FOR_ALL):
        return IN_DOUBT
    return Follows(Act.FAILED, row.reason)


def what_follows_a_retry(outcome: Outcome, tried: Tried, manner: Manner, terms: Terms, approved_ms: int) -> Follows:
    """The same for the one attempt that a person asked for: what would be tried again or held is in doubt again."""
    follows = what_follows(outcome, tried, manner, terms, approved_ms)
    return IN_DOUBT if follows.act in (Act.AGAIN, Act.HOLD) else follows


def _is_exhausted(outcome: Outcome, tried: Tried, terms: Terms) -> bool:
    """No further attempt is allowed, by number or because it would begin too late."""
    until_ms = tried.until_ms(terms)
    is_late = until_ms is not None and outcome.at_ms + outcome.wait_ms > until_ms and not outcome.is_away
    return is_late or tried.tries >= terms.max_attempts
