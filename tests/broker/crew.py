"""Workers under a small supervisor, as a cluster would keep them: whatever one exits with, another takes its seat.

Faults against workers are done here, because only who starts them again knows which exits were its own doing. When
they happen is the schedule's business (`faults`).
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field

from broker.world import WorkerUnderTest, World

PAUSE_S = 0.5  # before a seat is filled again
KILL_AFTER_S = 60.0  # a worker that was told to leave and does not


@dataclass(slots=True, eq=False)
class Seat:
    """Where one worker runs; None while nobody does, until `empty_until` (seconds of the monotonic clock)."""

    worker: WorkerUnderTest | None = None
    empty_until: float = 0.0
    wakes_at: float | None = None  # suspended until then

    @property
    def can_be_hit(self) -> bool:
        return self.worker is not None and self.wakes_at is None


@dataclass
class Crew:
    """Any number of workers of one world. `look` must be called often: it wakes, notes exits and fills seats."""

    world: World
    rng: random.Random
    seats: list[Seat] = field(default_factory=list)
    leaving: list[tuple[WorkerUnderTest, float]] = field(default_factory=list)
    exits: Counter[int] = field(default_factory=Counter)
    left: Counter[int] = field(default_factory=Counter)  # exit codes of those that were told to leave
    kills_ms: list[int] = field(default_factory=list)  # epoch milliseconds
    suspensions: int = 0
    joins: int = 0

    def join(self) -> None:
        """One more seat, with a worker."""
        self.seats.append(Seat(self.world.worker()))
        self.joins += 1

    def leave(self) -> None:
        """SIGTERM for one worker, whose seat goes with it; the last one stays."""
        candidates = [seat for seat in self.seats if seat.can_be_hit]
        if len(self.seats) > 1 and candidates:
            seat = self.rng.choice(candidates)
            self.seats.remove(seat)
            self._dismiss(seat)

    def kill(self, count: int = 1) -> None:
        """SIGKILL for so many workers at a time."""
        for _ in range(count):
            candidates = [seat for seat in self.seats if seat.can_be_hit]
            if candidates:
                seat = self.rng.choice(candidates)
                assert seat.worker is not None
                at_ms = time.time_ns() // 1_000_000
                seat.worker.kill()
                if seat.worker.popen.returncode == -signal.SIGKILL:  # and had not ended by itself just before
                    self.kills_ms.append(at_ms)
                self._note(seat)

    def suspend(self, for_s: float) -> None:
        """SIGSTOP for one worker; `look` sends SIGCONT when the time is over."""
        candidates = [seat for seat in self.seats if seat.can_be_hit]
        if candidates:
            seat = self.rng.choice(candidates)
            assert seat.worker is not None
            seat.worker.popen.send_signal(signal.SIGSTOP)
            seat.wakes_at = time.monotonic() + for_s
            self.suspensions += 1

    def look(self) -> None:
        """Wakes whoever has slept enough, notes who has ended, and fills seats."""
        now = time.monotonic()
        for seat in self.seats:
            if seat.worker is not None and seat.wakes_at is not None and now >= seat.wakes_at:
                seat.worker.popen.send_signal(signal.SIGCONT)
                seat.wakes_at = None
            if seat.worker is not None and seat.worker.popen.poll() is not None:
                self._note(seat)
            if seat.worker is None and now >= seat.empty_until:
                seat.worker = self.world.worker()
        for worker, since in list(self.leaving):
            self._look_after(worker, since, now)

    @property
    def is_whole(self) -> bool:
        """Nobody sleeps, nobody is leaving, no seat is empty."""
        return not self.leaving and all(seat.can_be_hit for seat in self.seats)

    def end(self) -> None:
        """SIGTERM for all, and their exit codes."""
        for seat in self.seats:
            if seat.can_be_hit:
                self._dismiss(seat)
        self.seats = []
        for worker, _ in self.leaving:
            self.left[worker.popen.wait(KILL_AFTER_S)] += 1
        self.leaving = []

    def _dismiss(self, seat: Seat) -> None:
        assert seat.worker is not None
        seat.worker.popen.send_signal(signal.SIGTERM)
        self.leaving.append((seat.worker, time.monotonic()))

    def _note(self, seat: Seat) -> None:
        assert seat.worker is not None
        self.exits[seat.worker.popen.returncode] += 1
        seat.worker, seat.wakes_at = None, None
        seat.empty_until = time.monotonic() + PAUSE_S

    def _look_after(self, worker: WorkerUnderTest, since: float, now: float) -> None:
        if worker.popen.poll() is not None:
            self.left[worker.popen.returncode] += 1
            self.leaving.remove((worker, since))
        elif now - since > KILL_AFTER_S:
            worker.kill()
