"""From one attempt to what is remembered of it: small makers around `calls`, so that execution reads as a story."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.domain.calls import Doubt, End, Result, Trying, Word
from pipeline.domain.messages import Approved
from pipeline.domain.outcomes import Effect, Outcome
from pipeline.domain.reasons import Reason
from pipeline.domain.tries import Act, Follows, Tried

Tryable = Trying | Result | None  # what came of the attempts so far, while another one may follow


class Latest(NamedTuple):
    """The attempt that has ended, the resolution that it followed, and what is known and was told of those before."""

    attempt: int
    word: Word | None
    came_to: Tryable
    before: Tried

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Those that were told so far."""
        return self.came_to.doubts if isinstance(self.came_to, Result) else ()

    @property
    def not_before_ms(self) -> int:
        """Times never go back: not before the doubt that was told last."""
        return self.doubts[-1].at_ms if self.doubts else 0


def tried_in(came_to: Tryable, now_ms: int) -> Tried:
    """The attempts so far, before one that begins now; the time for which the request was held does not count."""
    if came_to is None:
        return Tried()
    if isinstance(came_to, Trying) and came_to.held_ms is not None:
        return came_to.tried.later(now_ms - came_to.held_ms)
    return came_to.tried


def trying_after(
    approved: Approved, tried: Tried, outcome: Outcome, *, since: int, held_until_ms: int | None = None
) -> Trying:
    """Another attempt may follow: after the wait; or, with `held_until_ms`, when the origin is back, whatever it asked
    for: it is looked at then at the latest.
    """
    due_ms = outcome.at_ms + outcome.wait_ms
    return Trying(
        since=since,
        request_type=approved.pending.request.request_type,
        host=approved.pending.plan.host,
        approved_ms=approved.decided.at_ms,
        tried=tried,
        due_ms=due_ms if held_until_ms is None else min(due_ms, held_until_ms),
        held_ms=None if held_until_ms is None else outcome.since_ms,
        ending=outcome.ending,
        http_status=outcome.http_status,
    )


def result_after(
    approved: Approved, latest: Latest, tried: Tried, outcome: Outcome, follows: Follows, *, since: tuple[int, int]
) -> Result:
    """One more doubt, or the end; `since` is offset and broker time of the message that it comes of."""
    doubts, end = latest.doubts, None
    if follows.act is Act.DOUBT:
        doubts += (
            Doubt(
                attempt=latest.attempt,
                since=since[0],
                since_ms=since[1],
                at_ms=outcome.at_ms,
                ending=outcome.ending,
                http_status=outcome.http_status,
                word=latest.word,
            ),
        )
    else:
        end = End(
            attempt=latest.attempt,
            at_ms=outcome.at_ms,
            effect=Effect.DONE if follows.act is Act.DONE else Effect.REFUSED,
            reason=follows.reason or (None if latest.word is None else Reason.RESOLVED),
            http_status=outcome.http_status,
            word=latest.word,
        )
    return Result(
        request_type=approved.pending.request.request_type,
        approval=approved.decided.origin,
        tried=tried,
        doubts=doubts,
        end=end,
    )
