"""What a stage did with one message, in one word: the closed list behind the log line and `rw_messages_total`."""

from __future__ import annotations

from enum import StrEnum


class Noted(StrEnum):
    """The label `outcome`."""

    PASSED = "passed"  # handed on to the next stage
    REFUSED = "refused"  # wrong, and there is somebody to tell: ends in `failed`
    DEAD = "dead"  # became a dead letter
    PLACED = "placed"  # lies on the desk now
    DECIDED = "decided"  # a verdict counted
    EXPIRED = "expired"  # nobody decided in time
    CALLING = "calling"  # a call is to be made
    AGAIN = "again"  # the call is made once more, later
    HELD = "held"  # the origin is away; the call waits
    ENDED = "ended"  # the call's ending is told
    IN_DOUBT = "in-doubt"  # nobody knows how the call ended; a person is needed
    FORGOTTEN = "forgotten"  # its term of memory is over
    REPEATED = "repeated"  # was seen before: told again, or nothing to do
