"""What the end of a call means: a closed list with reasons (contract, sections 3 and 8). Written as tables.

How an answer's body reads is in `answers`; here the HTTP status, that reading and what went wrong on the way become
an `Ending`. What follows from one, after which earlier tries, is decided in `tries`. Nothing about attempts, clocks or
HTTP libraries may enter.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from pipeline.domain.answers import Shows, shown_by


class Effect(StrEnum):
    """What a call did, as far as we know; also the label `outcome` of `rw_intouch_calls_total`."""

    DONE = "done"  # Intouch did it and said so
    REFUSED = "refused"  # no, for good: nothing was applied
    TRY_AGAIN = "try-again"  # nothing was applied, and another try is worth it
    WAIT = "wait"  # nothing was sent: the origin is away
    UNKNOWN = "unknown"  # nobody knows whether it had an effect


class Failure(StrEnum):
    """Why a call has no whole answer. Whatever may have left bytes behind counts as sent."""

    HOST_NOT_ALLOWED = "host-not-allowed"  # not begun: the allow-list was asked once more
    FORBIDDEN_ADDRESS = "forbidden-address"  # not begun: the host has no address that may be connected to
    BAD_PATH = "bad-path"  # not begun: another path or method than the type's own
    BAD_HEADER = "bad-header"  # not begun: a header that cannot be sent
    UNREACHED = "unreached"  # refused, unresolved or not connected in time: nothing was sent
    TIMED_OUT = "timed-out"  # the total time ran out after sending had begun
    DROPPED = "dropped"  # the connection broke after sending had begun
    GARBLED = "garbled"  # what came back was no HTTP, or broke its own encoding
    OVERSIZED = "oversized"  # the answer's body exceeds its cap


class Ending(StrEnum):
    """How a call ended, or why it was not begun: the rows of the table in section 8 of the contract."""

    DONE = "done"
    REFUSED = "refused"
    ALREADY_THERE = "already-there"  # the idempotency key was used before
    NOT_NOW = "not-now"  # known not to be applied, and worth another try
    REDIRECT = "redirect"
    UNREACHED = "unreached"
    UNCLEAR = "unclear"  # may have been applied
    LOST = "lost"  # the process ended between the intent and the outcome: may have been applied
    HOST_NOT_ALLOWED = "host-not-allowed"
    BAD_PATH = "bad-path"
    BAD_HEADER = "bad-header"
    DIGEST_MISMATCH = "digest-mismatch"  # not begun: what would be sent is not what was approved
    APPROVAL_EXPIRED = "approval-expired"  # not begun: too long after the decision
    TOO_LATE = "too-late"  # not begun once more: too long after the first attempt


_EFFECTS: dict[Ending, Effect] = {
    Ending.DONE: Effect.DONE,
    Ending.REFUSED: Effect.REFUSED,
    Ending.ALREADY_THERE: Effect.REFUSED,
    Ending.NOT_NOW: Effect.TRY_AGAIN,
    Ending.REDIRECT: Effect.REFUSED,
    Ending.UNREACHED: Effect.WAIT,
    Ending.UNCLEAR: Effect.UNKNOWN,
    Ending.LOST: Effect.UNKNOWN,
    Ending.HOST_NOT_ALLOWED: Effect.REFUSED,
    Ending.BAD_PATH: Effect.REFUSED,
    Ending.BAD_HEADER: Effect.REFUSED,
    Ending.DIGEST_MISMATCH: Effect.REFUSED,
    Ending.APPROVAL_EXPIRED: Effect.REFUSED,
    Ending.TOO_LATE: Effect.REFUSED,
}


class Outcome(BaseModel):
    """What came back from one call, or why there was none.

    `began_ms` and `at_ms` are the worker's clock (epoch ms) when it began and when it had ended. `wait_ms` is how long
    to wait before another try, if there is to be one; `asked_ms` is what Intouch itself asked for (Retry-After).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ending: Ending
    at_ms: int
    began_ms: int | None = None
    http_status: int | None = None
    wait_ms: int = 0
    asked_ms: int | None = None

    @property
    def effect(self) -> Effect:
        """What it did, whatever is done next."""
        return _EFFECTS[self.ending]

    @property
    def since_ms(self) -> int:
        """When it began, or when it turned out that it must not."""
        return self.at_ms if self.began_ms is None else self.began_ms

    @property
    def is_away(self) -> bool:
        """The origin cannot be reached or says 503: the next request had better wait."""
        is_unavailable = self.http_status == _UNAVAILABLE and self.ending is Ending.UNCLEAR
        return is_unavailable or self.ending is Ending.UNREACHED


class _Status(StrEnum):
    """HTTP status codes by what they promise."""

    SUCCESS = "2xx"
    REDIRECT = "3xx"
    REFUSAL = "4xx but 429"
    TOO_MANY = "429"
    OTHER = "5xx, and what is no status of an answer"


_TOO_MANY_REQUESTS = 429
_UNAVAILABLE = 503
_STATUS_BY_HUNDRED = {2: _Status.SUCCESS, 3: _Status.REDIRECT, 4: _Status.REFUSAL}

_BY_FAILURE: dict[Failure, Ending] = {
    Failure.HOST_NOT_ALLOWED: Ending.HOST_NOT_ALLOWED,
    Failure.FORBIDDEN_ADDRESS: Ending.HOST_NOT_ALLOWED,
    Failure.BAD_PATH: Ending.BAD_PATH,
    Failure.BAD_HEADER: Ending.BAD_HEADER,
    Failure.UNREACHED: Ending.UNREACHED,
    Failure.TIMED_OUT: Ending.UNCLEAR,
    Failure.DROPPED: Ending.UNCLEAR,
    Failure.GARBLED: Ending.UNCLEAR,
    Failure.OVERSIZED: Ending.UNCLEAR,
}

# A business code in a readable body wins over the status; these three say the same under every status.
_BY_CODE: dict[Shows, Ending] = {
    Shows.REFUSAL: Ending.REFUSED,
    Shows.ALREADY_THERE: Ending.ALREADY_THERE,
    Shows.NOT_NOW: Ending.NOT_NOW,
}
# The others, per status. A 3xx, a 4xx and a 429 mean what section 8 says, whatever else the body holds: where success
# is the absence of errors, an empty object under a 400 shows it, too. A 5xx promises nothing, and nobody believes it.
_BY_STATUS: dict[_Status, dict[Shows, Ending]] = {
    _Status.SUCCESS: {
        Shows.SUCCESS: Ending.DONE,
        Shows.COMPLAINT: Ending.REFUSED,
        Shows.NOTHING: Ending.UNCLEAR,
    },
    _Status.REDIRECT: {
        Shows.SUCCESS: Ending.REDIRECT,
        Shows.COMPLAINT: Ending.REDIRECT,
        Shows.NOTHING: Ending.REDIRECT,
    },
    _Status.REFUSAL: {
        Shows.SUCCESS: Ending.REFUSED,
        Shows.COMPLAINT: Ending.REFUSED,
        Shows.NOTHING: Ending.REFUSED,
    },
    _Status.TOO_MANY: {
        Shows.SUCCESS: Ending.NOT_NOW,
        Shows.COMPLAINT: Ending.NOT_NOW,
        Shows.NOTHING: Ending.NOT_NOW,
    },
    _Status.OTHER: {
        Shows.SUCCESS: Ending.UNCLEAR,
        Shows.COMPLAINT: Ending.UNCLEAR,
        Shows.NOTHING: Ending.UNCLEAR,
    },
}


def ending_of(request_type: str, status: int | None, body: bytes | None, failure: Failure | None) -> Ending:
    """How the call ended. `failure` decides where there is one; else the status and body of the whole answer do."""
    if failure is not None:
        return _BY_FAILURE[failure]
    shows = shown_by(request_type, body or b"")
    return _BY_CODE.get(shows) or _BY_STATUS[_status_class(status)][shows]


def _status_class(status: int | None) -> _Status:
    if status == _TOO_MANY_REQUESTS:
        return _Status.TOO_MANY
    return _STATUS_BY_HUNDRED.get((status or 0) // 100, _Status.OTHER)
