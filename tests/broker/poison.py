"""Bad input among good, 30 in 100: what it costs the good. `make poison` measures and judges it; a test never does.

What must hold in every batch (each good submission announced, each bad one buried or failed) is judged in both.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from broker.flows import ROWS, a_submission
from broker.test_bad_input import dead_submissions, failing_submissions
from broker.world import World, until

from pipeline.domain.deadletters import record_size
from pipeline.local.broker import LocalBroker

GOOD = 1000
BAD = 429  # 30 % of all
SMALL = 10_000  # bytes; what is large costs by its size, good or bad
SHARE_MIN = 0.7  # required: of the good submissions per second that there are without bad ones
ROUNDS = 4  # of the command; one is 1000 good ones alone, and 1000 with bad ones among them
PLACED, FAILED = (b'"currentRequestState":"%s"' % state for state in (b"AdminTask", b"failed"))


class Rates(NamedTuple):
    """Good submissions that reach the desk per second, without bad input and with it."""

    clean: float
    mixed: float

    @property
    def share(self) -> float:
        return self.mixed / self.clean

    def __str__(self) -> str:
        return (
            f"poison: {self.clean:.0f} good submissions/s reach the desk without bad input, {self.mixed:.0f} with 30 % "
            f"bad among them ({self.share:.0%})"
        )


def a_batch(world: World, bad: int) -> tuple[list[Any], int, int]:
    """(submissions with their headers, how many are to be buried, how many to fail), well mixed."""
    headers = [("X-CAP-UI-AUTH-TOKEN", world.token(232134))]
    kinds = itertools.cycle(ROWS)
    good = [
        (json.dumps(a_submission(next(kinds), world.intouch.origin, uuid.uuid4().hex)).encode(), headers)
        for _ in range(GOOD)
    ]
    small = [row for row in dead_submissions(world) if record_size(None, row[1], row[2]) < SMALL]
    dead = list(itertools.islice(itertools.cycle(small), bad - bad // 2))
    failing = list(itertools.islice(itertools.cycle(failing_submissions(world)), bad // 2))
    batch = good + [(value, told) for _, value, told in [*dead, *failing]]
    random.Random(1).shuffle(batch)
    return batch, len(dead), len(failing)


def passed(world: World, bad: int) -> float:
    """Publishes a batch and waits until all of it has come to what it must; good submissions placed per second, by the
    broker's clock.
    """
    batch, dead, failing = a_batch(world, bad)
    already, began_ms = len(world.seen), time.time() * 1000
    for value, headers in batch:
        world.publish("requests.submitted", value, headers)
    world.producer.flush(30)

    def came() -> tuple[list[int], int, int]:
        """When good ones were placed, how many were buried, how many failed."""
        new = world.seen[already:]
        events = [message for message in new if message.topic().endswith("events")]
        placed = [message.timestamp()[1] for message in events if PLACED in message.value()]
        return placed, len(new) - len(events), sum(FAILED in message.value() for message in events)

    def is_all() -> bool:
        placed, buried, failed = came()
        return len(placed) >= GOOD and buried >= dead and failed >= failing

    until(is_all, "all of the batch", 120)
    placed, buried, failed = came()
    assert (len(placed), buried, failed) == (GOOD, dead, failing)
    return GOOD / ((max(placed) - began_ms) / 1000)


def measured(world: World, rounds: int) -> Rates:
    """The means of so many rounds, each without bad input and with it; one batch before them warms up."""
    passed(world, 0)
    clean, mixed = [], []
    for _ in range(rounds):
        clean.append(passed(world, 0))
        mixed.append(passed(world, BAD))
    return Rates(statistics.mean(clean), statistics.mean(mixed))


def main() -> int:
    """The command; 1 when bad input costs the good more than it may."""
    parser = argparse.ArgumentParser(prog="python -m broker.poison", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    with LocalBroker() as broker, tempfile.TemporaryDirectory(prefix="request-workflow-poison-") as folder:
        world = World(broker.bootstrap, "poison.", Path(folder))
        try:
            world.create_topics()
            world.worker().ready()
            rates = measured(world, rounds)
        finally:
            world.close()
    sys.stdout.write(f"{rates}\n")
    if rates.share < SHARE_MIN:
        sys.stdout.write(f"Too little: at least {SHARE_MIN:.0%} are required. Was the machine quiet?\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
