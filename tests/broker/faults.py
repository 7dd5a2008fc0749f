"""Which fault comes when: a fixed cycle, so that a run of known length has known counts, at times that are drawn.

The faults themselves are signals to processes (`crew`) and the end of a real broker, which comes back on its data.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from enum import StrEnum

from broker.crew import Crew

from pipeline.local.broker import LocalBroker


class Fault(StrEnum):
    """What can happen to a cluster."""

    KILL = "kill -9 of a worker"
    KILL_TWO = "kill -9 of two workers"
    SUSPEND = "SIGSTOP beyond the session, SIGCONT"
    BROKER_KILL = "kill -9 of the broker"
    BROKER_HALT = "SIGTERM for the broker"
    JOIN = "a worker joins"
    LEAVE = "a worker leaves"


# The first seven make the small run of the tests; every cycle holds seven kills.
CYCLE = (
    Fault.KILL,
    Fault.SUSPEND,
    Fault.KILL_TWO,
    Fault.BROKER_KILL,
    Fault.KILL,
    Fault.JOIN,
    Fault.KILL,
    Fault.LEAVE,
    Fault.KILL_TWO,
    Fault.BROKER_HALT,
    Fault.KILL,
    Fault.KILL,
)


def timetable(rng: random.Random, within_s: float, every_s: float) -> list[tuple[float, Fault]]:
    """(seconds from the beginning, the fault), in order; a fault every `every_s`, give or take a third."""
    count = int(within_s / every_s)
    return [((at + rng.uniform(0.33, 1.0)) * every_s, CYCLE[at % len(CYCLE)]) for at in range(count)]


class Outages:
    """Ends the broker and starts it again, in a thread, because both take seconds. One outage at a time."""

    def __init__(self, broker: LocalBroker) -> None:
        self._broker = broker
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self.count = 0

    @property
    def is_over(self) -> bool:
        """The broker is there; raises what kept it from coming back."""
        if self._failure is not None:
            raise self._failure
        return self._thread is None or not self._thread.is_alive()

    def begin(self, end: Callable[[], None]) -> None:
        """Ends it in this way (`kill` or `halt` of the broker), unless it is away already."""
        if self.is_over:
            self.count += 1
            self._thread = threading.Thread(target=self._restart, args=(end,), daemon=True)
            self._thread.start()

    def _restart(self, end: Callable[[], None]) -> None:
        try:
            end()
            self._broker.start()
        except BaseException as failure:  # noqa: BLE001 - raised in the thread that asks
            self._failure = failure


class Misfortune:
    """Carries out a timetable. `look` must be called often."""

    def __init__(self, crew: Crew, broker: LocalBroker, table: list[tuple[float, Fault]], suspension_s: float) -> None:
        self.crew, self.outages = crew, Outages(broker)
        self._table, self._began_at = table, time.monotonic()
        self._acts: dict[Fault, Callable[[], None]] = {
            Fault.KILL: crew.kill,
            Fault.KILL_TWO: lambda: crew.kill(2),
            Fault.SUSPEND: lambda: crew.suspend(suspension_s),
            Fault.BROKER_KILL: lambda: self.outages.begin(broker.kill),
            Fault.BROKER_HALT: lambda: self.outages.begin(broker.halt),
            Fault.JOIN: crew.join,
            Fault.LEAVE: crew.leave,
        }

    @property
    def is_over(self) -> bool:
        """Nothing more will happen, and everybody who is to come back is back."""
        return not self._table and self.outages.is_over and self.crew.is_whole

    def look(self) -> None:
        """Does what is due, if anything."""
        if self._table and time.monotonic() - self._began_at >= self._table[0][0]:
            _, fault = self._table.pop(0)
            self._acts[fault]()
