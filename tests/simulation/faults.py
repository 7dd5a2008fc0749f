"""What may go wrong in a world, and what did."""

from __future__ import annotations

from dataclasses import dataclass

from simulation.seat import FROZEN_WRITES_S, SESSION_S

SOON_S, LATE_S = 2.5 * SESSION_S, 8 * SESSION_S  # what is held back lands before the first look, or before the second
COMPACTION_LAG_S = 2 * FROZEN_WRITES_S  # `min.compaction.lag.ms`; what comes late is found before it is all there is


@dataclass(slots=True)
class Faults:
    """What may go wrong, as chances per effect (0 to 1), and planned crashes: at which effects."""

    crash: float = 0.0
    cut_off: float = 0.0
    hold_back: float = 0.0
    slow: float = 0.0
    slow_events: float = 0.0  # how much longer the events topic alone takes, at most, in seconds
    freeze: float = 0.0  # the process stands still for a while
    held_s: float = SOON_S  # for so long is a record held back, at most
    held_topic: str | None = None  # only records of this one
    fail: float = 0.0  # per record: the broker's answer is an error, whether the record is in the log or not
    twice: float = 0.0  # per record: it is in the log twice
    again: float = 0.0  # per fetch: it begins before the end of the last one
    crash_at: tuple[int, ...] = ()


@dataclass(slots=True)
class Counts:
    """What a world did."""

    effects: int = 0
    crashes: int = 0  # those that a fault brought about, not the restarts
    planned: int = 0  # of these: at an effect that was named before
    late: int = 0  # of these: while what was old was forgotten
    rebalances: int = 0
    cut_offs: int = 0
    held_back: int = 0
    rewritten: int = 0
    frozen: int = 0
    failed: int = 0
    doubled: int = 0
    rewound: int = 0
    compacted: int = 0
    changed: int = 0
