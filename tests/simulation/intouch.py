"""An Intouch that is slow, refuses, and lies: it may do what it says it did not, and say nothing about what it did.

Its effects are the world's, not a process's: what has left a process takes effect whether that process lives or not.
"""

from __future__ import annotations

import asyncio
import json
import random

from simulation import auditor
from simulation.log import Log

from pipeline.domain.outcomes import Effect, Outcome
from pipeline.domain.requests import Call

# (what it says, why, whether it did it)
ENDS = (
    (Effect.DONE, "", True),
    (Effect.REFUSED, "refused", False),
    (Effect.UNKNOWN, "in-doubt", True),
    (Effect.UNKNOWN, "in-doubt", False),
)
MIXED = (66, 14, 10, 10)
ONLY = {"done": (1, 0, 0, 0), "refused": (0, 1, 0, 0), "unknown": (0, 0, 1, 1)}


class LyingIntouch:
    """Called as the client is; what it did is in `attempts` (all) and `effects` (those that counted)."""

    def __init__(self, rng: random.Random, log: Log, weights: tuple[int, ...] = MIXED) -> None:
        self.rng, self.log, self.weights = rng, log, weights
        self.attempts: list[auditor.Effect] = []
        self.effects: list[auditor.Effect] = []

    async def __call__(self, call: Call) -> Outcome:
        """One call; how it ends is drawn."""
        seen = auditor.Effect(call.request_id, json.loads(call.body))
        self.attempts.append(seen)
        effect, reason, is_applied = self.rng.choices(ENDS, self.weights)[0]
        if is_applied:
            asyncio.get_running_loop().call_later(self.rng.uniform(0, 0.5), self.effects.append, seen)
        await asyncio.sleep(self.rng.choice((0.01, 0.1, 0.6, 3.0)))
        status = {Effect.DONE: 201, Effect.REFUSED: 400}.get(effect)
        return Outcome(effect=effect, reason=reason, at_ms=self.log.now_ms(), http_status=status)
