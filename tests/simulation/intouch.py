"""An Intouch that is slow, refuses, and lies: it may do what it says it did not, and say nothing about what it did.

It dedupes what the documents say it dedupes, answers 429 and 503, and is away for a while now and then. Its effects are
the world's, not a process's: what has left a process takes effect whether that process lives or not.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import NamedTuple

from simulation import auditor
from simulation.log import Log

from pipeline.domain.outcomes import Ending, Outcome
from pipeline.domain.repeats import manner_of
from pipeline.domain.request_types import RequestType
from pipeline.domain.requests import Call


class Answer(NamedTuple):
    """What it says, and whether it did it."""

    ending: Ending
    status: int | None
    is_applied: bool = False


ANSWERS = (
    Answer(Ending.DONE, 201, is_applied=True),
    Answer(Ending.REFUSED, 400),
    Answer(Ending.UNCLEAR, None, is_applied=True),
    Answer(Ending.UNCLEAR, None),
    Answer(Ending.NOT_NOW, 429),
    Answer(Ending.UNCLEAR, 503),
    Answer(Ending.UNREACHED, None),
)
MIXED = (58, 12, 9, 9, 5, 3, 4)
ONLY = {
    "done": (1, 0, 0, 0, 0, 0, 0),
    "refused": (0, 1, 0, 0, 0, 0, 0),
    "unknown": (0, 0, 1, 1, 0, 0, 0),
    "not now": (0, 0, 0, 0, 1, 0, 0),
    "away": (0, 0, 0, 0, 0, 1, 3),
}
DEDUPED = (RequestType.POINTS_REDEMPTION, RequestType.EARN_BADGE, RequestType.ISSUE_BADGE)


class LyingIntouch:
    """Called as the client is; what it did is in `attempts` (all) and `effects` (those that counted)."""

    def __init__(self, rng: random.Random, log: Log, weights: tuple[int, ...] = MIXED) -> None:
        self.rng, self.log, self.weights = rng, log, weights
        self.attempts: list[auditor.Effect] = []
        self.effects: list[auditor.Effect] = []
        self.away_s = (0.0, 0.0)  # from, until
        self._taken: set[str] = set()  # what it has accepted, also where the effect comes a little later

    async def __call__(self, call: Call) -> Outcome:
        """One call; how it ends is drawn."""
        began_ms, answer = self.log.now_ms(), self._answer(call)
        if answer.ending is not Ending.UNREACHED:
            self._take(call, answer)
        await asyncio.sleep(self.rng.choice((0.01, 0.1, 0.6, 3.0)))
        return Outcome(
            ending=answer.ending,
            at_ms=self.log.now_ms(),
            began_ms=began_ms,
            http_status=answer.status,
            wait_ms=self.rng.choice((0, 200, 3000)),
        )

    def did(self, request_id: str) -> bool:
        """What somebody finds who looks it up there."""
        return request_id in self._taken

    def _answer(self, call: Call) -> Answer:
        began_s, ended_s = self.away_s
        if began_s <= asyncio.get_running_loop().time() < ended_s:
            return self.rng.choice(ANSWERS[-2:])
        answer = self.rng.choices(ANSWERS, self.weights)[0]
        is_known = call.request_type in DEDUPED and manner_of(RequestType(call.request_type), call.body).is_repeatable
        if answer.is_applied and is_known and call.request_id in self._taken:
            return Answer(Ending.ALREADY_THERE if answer.status else answer.ending, answer.status)
        return answer

    def _take(self, call: Call, answer: Answer) -> None:
        seen = auditor.Effect(call.request_id, json.loads(call.body))
        self.attempts.append(seen)
        is_same = call.request_id in self._taken and call.request_type == RequestType.CUSTOMER_STATUS_CHANGE
        if answer.is_applied and not is_same:  # a status that is set again is set
            self._taken.add(call.request_id)
            asyncio.get_running_loop().call_later(self.rng.uniform(0, 0.5), self.effects.append, seen)
