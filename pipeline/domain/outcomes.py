"""What the end of a call means: a closed list with reasons (contract, sections 3 and 8). Written as tables.

How an answer's body reads is in `answers`; here the HTTP status, that reading and what went wrong on the way become an
`Ending`, and an ending becomes an effect with a reason. Whoever decides about another try asks for the ending. Nothing
about attempts, clocks or HTTP libraries may enter.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from pipeline.domain.answers import Shows, shown_by
from pipeline.domain.reasons import ErrorCode, Reason


class Effect(StrEnum):
    """What a call did, as far as we know."""

    DONE = "done"  # Intouch did it and said so
    REFUSED = "refused"  # Intouch said no, readably: nothing was applied
    UNKNOWN = "unknown"  # nobody knows whether it had an effect


class Outcome(BaseModel):
    """What came back from one call. `at_ms` is the worker's clock (epoch ms) when the call had ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    effect: Effect
    reason: str
    at_ms: int
    http_status: int | None = None


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
    """How a call ended: the rows of the table in section 8 of the contract."""

    DONE = "done"
    REFUSED = "refused"
    ALREADY_THERE = "already-there"  # the idempotency key was used before
    NOT_NOW = "not-now"  # known not to be applied, and worth another try
    REDIRECT = "redirect"
    UNREACHED = "unreached"
    HOST_NOT_ALLOWED = "host-not-allowed"
    BAD_PATH = "bad-path"
    BAD_HEADER = "bad-header"
    UNCLEAR = "unclear"  # may have been applied


class _Status(StrEnum):
    """HTTP status codes by what they promise."""

    SUCCESS = "2xx"
    REDIRECT = "3xx"
    REFUSAL = "4xx but 429"
    TOO_MANY = "429"
    OTHER = "5xx, and what is no status of an answer"


_TOO_MANY_REQUESTS = 429
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

# One attempt and no more: what is worth another try has used up its tries, and what could not be reached is not held.
_MEANING: dict[Ending, tuple[Effect, str]] = {
    Ending.DONE: (Effect.DONE, ""),
    Ending.REFUSED: (Effect.REFUSED, Reason.REFUSED),
    Ending.ALREADY_THERE: (Effect.REFUSED, Reason.REFUSED),  # on a first attempt it was somebody else's
    Ending.NOT_NOW: (Effect.REFUSED, Reason.RETRIES_EXHAUSTED),
    Ending.REDIRECT: (Effect.REFUSED, Reason.REDIRECT),
    Ending.UNREACHED: (Effect.REFUSED, Reason.INTOUCH_UNAVAILABLE),
    Ending.HOST_NOT_ALLOWED: (Effect.REFUSED, Reason.HOST_NOT_ALLOWED),
    Ending.BAD_PATH: (Effect.REFUSED, ErrorCode.BAD_PATH),
    Ending.BAD_HEADER: (Effect.REFUSED, ErrorCode.BAD_HEADER),
    Ending.UNCLEAR: (Effect.UNKNOWN, Reason.IN_DOUBT),
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


def classify(request_type: str, status: int | None, body: bytes | None, failure: Failure | None) -> tuple[Effect, str]:
    """(effect, `rw-reason`) of a call that is made once; the reason is "" for success. Contract, section 8."""
    effect, reason = _MEANING[ending_of(request_type, status, body, failure)]
    return effect, str(reason)
