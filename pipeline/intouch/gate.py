"""Who may call an origin now: a breaker per origin, and limits of concurrency and rate.

While an origin cannot be reached or says 503, its door is shut: requests wait without an attempt. After a pause, one
call at a time is let through to find out. After a 503 that is one that may be repeated, and rather one that was not
tried yet, so that no request spends all its attempts on it; any other only when none of these came for a while, because
a 503 leaves it in doubt. The first call that gets through opens the door again. Nothing here waits or calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pipeline.domain.outcomes import Effect, Outcome
from pipeline.domain.requests import Call
from pipeline.intouch.backoff import LONGEST_S

PAUSE_S = 1.0  # how long a door stays shut at first; doubled each time it is found shut again
PAUSE_S_MAX = LONGEST_S
ASKED_S_MAX = 300.0  # a Retry-After keeps the door shut for so long at most; the request itself waits for all of it
# After a pause that a call with an unknown effect began: how long these leave the others the start.
TRIED_WAITS_S = 5.0  # a call that may be repeated, and was tried before
ONCE_WAITS_S = 10.0  # a call that may not be repeated; doubled each time that one is in doubt for having found out
ONCE_WAITS_S_MAX = 320.0


@dataclass(slots=True)
class Door:
    """One origin. Times are seconds of the gate's clock; `shut_until_s` is None while the door is open."""

    inside: dict[str, float] = field(default_factory=dict)  # requestId of each call that runs: when it began
    shut_until_s: float | None = None
    shut_at_s: float = 0.0
    pause_s: float = PAUSE_S
    once_waits_s: float = ONCE_WAITS_S
    is_in_doubt: bool = False  # shut by a call that was sent: a 503, or a trial that nothing readable came back from
    trial: str | None = None  # the one call that finds out
    next_s: float = 0.0  # when the rate allows the next call


class Gate:
    """`per_origin` calls at a time and `rate` begun per second and origin (0: as many as there are).

    `tell` hears of each door, by origin, that it is shut now (True) or open again.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        origins: Iterable[str] = (),
        per_origin: int = 64,
        rate: float = 0.0,
        tell: Callable[[str, bool], None] = lambda _origin, _is_shut: None,
    ) -> None:
        self._clock, self._per_origin, self._rate, self._tell = clock, per_origin, rate, tell
        self._doors = {origin: Door() for origin in origins}

    def is_away(self, host: str, *, is_repeatable: bool, attempt: int = 1) -> bool:
        """A call to this origin had better not begin now."""
        door = self._doors.get(host)
        if door is None or door.shut_until_s is None:
            return False
        waits_s = (TRIED_WAITS_S if attempt > 1 else 0.0) if is_repeatable else door.once_waits_s
        return door.trial is not None or self._clock() < door.shut_until_s + door.is_in_doubt * waits_s

    def holds(self, call: Call) -> bool:
        """The same about this call."""
        return self.is_away(call.host, is_repeatable=call.is_repeatable, attempt=call.attempt)

    def enter(self, call: Call) -> float:
        """0.0: the call may begin, and is inside until it leaves. Else the seconds after which to ask again; infinite
        where only another call's end can make room.
        """
        door, now_s = self._doors.setdefault(call.host, Door()), self._clock()
        if len(door.inside) >= self._per_origin:
            return math.inf
        if now_s < door.next_s:
            return door.next_s - now_s
        if self._rate:
            door.next_s = max(now_s, door.next_s) + 1 / self._rate
        door.inside[call.request_id] = now_s
        if door.shut_until_s is not None and door.trial is None:
            door.trial = call.request_id
        return 0.0

    def leave(self, call: Call, outcome: Outcome) -> None:
        """The call has ended so."""
        door = self._doors[call.host]
        began_s = door.inside.pop(call.request_id)
        is_trial = door.trial == call.request_id
        if is_trial:
            door.trial = None
        if outcome.is_away or (is_trial and outcome.effect is Effect.UNKNOWN):
            if is_trial and not call.is_repeatable and outcome.effect is Effect.UNKNOWN:
                door.once_waits_s = min(door.once_waits_s * 2, ONCE_WAITS_S_MAX)
            self._shut(call.host, door, outcome, is_again=is_trial)
        elif door.shut_until_s is not None and began_s >= door.shut_at_s and _was_answered(outcome):
            door.shut_until_s, door.pause_s, door.once_waits_s = None, PAUSE_S, ONCE_WAITS_S
            self._tell(call.host, False)

    def _shut(self, host: str, door: Door, outcome: Outcome, *, is_again: bool) -> None:
        now_s = self._clock()
        if door.shut_until_s is None:
            self._tell(host, True)
            door.shut_at_s = now_s
        elif is_again:
            door.pause_s = min(door.pause_s * 2, PAUSE_S_MAX)
            door.shut_at_s = now_s
        door.is_in_doubt = outcome.effect is Effect.UNKNOWN
        pause_s = max(door.pause_s, min((outcome.asked_ms or 0) / 1000, ASKED_S_MAX))
        door.shut_until_s = max(door.shut_until_s or 0.0, now_s + pause_s)


def _was_answered(outcome: Outcome) -> bool:
    """Intouch said something that one can believe."""
    return outcome.http_status is not None and outcome.effect is not Effect.UNKNOWN
