"""Says once when Kafka is away, once when that has cost us the lease, and once when it is back. It only speaks.

What it sees are the facts of the stages; what is done about a lease that is over is the lease's own business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

log = structlog.get_logger()


class Leased(Protocol):
    """Of a stage's facts what is looked at here."""

    @property
    def is_ready(self) -> bool: ...

    @property
    def lease_s(self) -> float: ...


class Absence:
    """`session_s` is a whole lease. Heartbeats go out six times in it: with half of it gone three had no answer."""

    def __init__(self, session_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._session_s, self._clock = session_s, clock
        self._since_s: float | None = None
        self._is_over = False

    def see(self, stages: Mapping[str, Leased]) -> None:
        """Look again; a stage in a rebalance says nothing about Kafka."""
        left_s = {name: facts.lease_s for name, facts in stages.items() if facts.is_ready}
        short = sorted(name for name, seconds in left_s.items() if seconds < self._session_s / 2)
        over = sorted(name for name, seconds in left_s.items() if seconds <= 0)
        if short and self._since_s is None:
            self._since_s = self._clock()
            log.warning("kafka away", stages=short, lease_s=round(min(left_s[name] for name in short), 1))
        if over and not self._is_over:
            self._is_over = True
            log.warning("lease over", stages=over, detail="nothing is written and nobody is called until Kafka answers")
        if self._since_s is not None and left_s and not short:
            log.info("kafka back", seconds=round(self._clock() - self._since_s, 1))
            self._since_s, self._is_over = None, False
