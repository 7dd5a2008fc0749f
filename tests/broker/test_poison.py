"""Bad input among good, 30 in 100: what it costs, and that it costs no partition and no good request.

The figures are printed and not judged here: a test's time is no measure. What must hold is judged.
"""

from __future__ import annotations

import itertools
import json
import random
import statistics
import time
import uuid
from collections.abc import Callable
from typing import Any

from broker.flows import ROWS, a_submission
from broker.judge import Lag
from broker.test_bad_input import dead_submissions, failing_submissions
from broker.world import World, until

from pipeline.domain.deadletters import record_size

GOOD = 1000
BAD = 429  # 30 % of all
SMALL = 10_000  # bytes; what is large costs by its size, good or bad
PLACED, FAILED = (b'"currentRequestState":"%s"' % state for state in (b"AdminTask", b"failed"))


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


def test_poison(running: World, figure: Callable[[str], None]) -> None:
    """With 30 % bad input every good submission is announced, every bad one is buried or fails, and no partition is
    left behind.
    """
    passed(running, 0)  # the first batch warms up
    clean, mixed = [], []
    for _ in range(2):
        clean.append(passed(running, 0))
        mixed.append(passed(running, BAD))
    lag = Lag(running)
    until(lambda: lag.look()[0] == 0, "nothing is left behind", 30)
    lag.close()
    share = statistics.mean(mixed) / statistics.mean(clean)
    figure(
        f"poison: {statistics.mean(clean):.0f} good submissions/s reach the desk without bad input, "
        f"{statistics.mean(mixed):.0f} with 30 % bad among them ({share:.0%})"
    )

    assert running.workers[0].popen.poll() is None
