"""An Intouch that is slow, refuses, and lies: it may do what it says it did not, and say nothing about what it did.

It dedupes what the documents say it dedupes, answers 429 and 503, never answers, and is away for a while now and then.
Its effects are the world's, not a process's: what has left a process takes effect whether that process lives or not.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from simulation.calls import Effect
from simulation.inputs import Sent
from simulation.log import Log

from pipeline.domain.outcomes import Ending, Outcome
from pipeline.domain.repeats import manner_of
from pipeline.domain.request_types import RequestType
from pipeline.domain.requests import Call

CALL_S = 8.0  # the whole of a call, longer than a session


class Answer(NamedTuple):
    """What it says, and whether it did it."""

    ending: Ending
    status: int | None
    is_applied: bool = False


DONE = Answer(Ending.DONE, 201, is_applied=True)
REFUSED = Answer(Ending.REFUSED, 400)
LIE = Answer(Ending.REFUSED, 400, is_applied=True)
SILENT_DONE = Answer(Ending.UNCLEAR, None, is_applied=True)
SILENT = Answer(Ending.UNCLEAR, None)
NOT_NOW = Answer(Ending.NOT_NOW, 429)
UNAVAILABLE = Answer(Ending.UNCLEAR, 503)
UNREACHED = Answer(Ending.UNREACHED, None)
Weights = Sequence[tuple[Answer, int]]
MIXED: Weights = (
    (DONE, 57), (REFUSED, 12), (LIE, 1), (SILENT_DONE, 9), (SILENT, 9), (NOT_NOW, 5), (UNAVAILABLE, 3), (UNREACHED, 4)
)  # fmt: skip
DEDUPED = (RequestType.POINTS_REDEMPTION, RequestType.EARN_BADGE, RequestType.ISSUE_BADGE)


class LyingIntouch:
    """Called as the client is; what it did is in `attempts` (all) and `effects` (those that counted).

    What is in `script` is answered first, in this order.
    """

    def __init__(self, rng: random.Random, log: Log, weights: Weights = MIXED, script: Sequence[Answer] = ()) -> None:
        self.rng, self.log, self.script = rng, log, list(script)
        self.answers, self.weights = zip(*weights, strict=True)
        self.attempts: list[Effect] = []
        self.effects: list[Effect] = []
        self.lied: set[str] = set()  # requests that it refused although it did what they ask for
        self.answered: dict[str, set[str]] = defaultdict(set)  # how calls ended, by request
        self.was_away = False
        self.away_s = (0.0, 0.0)  # from, until
        self._taken: set[tuple[str, ...]] = set()  # what it has accepted, also where the effect comes a little later

    async def __call__(self, call: Call) -> Outcome:
        """One call; how it ends is drawn."""
        began_ms, answer = self.log.now_ms(), self._answer(call)
        self.answered[call.request_id].add(answer.ending.value)
        self.was_away |= answer in (UNREACHED, UNAVAILABLE)
        if answer.ending is not Ending.UNREACHED:
            self._take(call, answer)
        never_answers = answer.status is None and answer.ending is Ending.UNCLEAR and self.rng.random() < 0.3
        await asyncio.sleep(CALL_S if never_answers else self.rng.choice((0.01, 0.1, 0.6, 3.0)))
        return Outcome(
            ending=answer.ending,
            at_ms=self.log.now_ms(),
            began_ms=began_ms,
            http_status=answer.status,
            wait_ms=self.rng.choice((0, 200, 3000)),
        )

    def did(self, request_id: str) -> bool:
        """What somebody finds who looks it up there."""
        return any(request_id in binding for binding in self._taken)

    def _answer(self, call: Call) -> Answer:
        began_s, ended_s = self.away_s
        if self.script:
            return self.script.pop(0)
        if began_s <= asyncio.get_running_loop().time() < ended_s:
            return self.rng.choice((UNAVAILABLE, UNREACHED))
        answer: Answer = self.rng.choices(self.answers, self.weights)[0]
        is_known = call.request_type in DEDUPED and manner_of(RequestType(call.request_type), call.body).is_repeatable
        if answer.is_applied and is_known and call.binding in self._taken:
            return Answer(Ending.ALREADY_THERE if answer.status else answer.ending, answer.status)
        return answer

    def _take(self, call: Call, answer: Answer) -> None:
        sent = Sent(call.method, call.host, call.path, json.loads(call.query or "{}"), json.loads(call.body))
        seen = Effect(call.request_id, sent, self.log.now_ms())
        self.attempts.append(seen)
        has_taken = call.binding in self._taken
        is_same = has_taken and call.request_type == RequestType.CUSTOMER_STATUS_CHANGE
        if answer.ending is Ending.REFUSED and (answer.is_applied or has_taken):
            self.lied.add(call.request_id)
        if answer.is_applied and not is_same:  # a status that is set again is set
            self._taken.add(call.binding)
            asyncio.get_running_loop().call_later(self.rng.uniform(0, 0.5), self.effects.append, seen)
