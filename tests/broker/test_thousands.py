"""A thousand requests of all types through one worker; then a thousand more with a kill -9 in the middle.

Every one ends, none has its effect twice, none becomes a dead letter. Judged from the topics and from what the stand-in
for Intouch saw, never from the worker's own word.
"""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable

from broker.flows import ONCE, Flow, submissions
from broker.world import World, until


def test_a_thousand_and_a_kill(running: World) -> None:
    """All end; after kill -9 and a restart all end again, and no request had its effect twice."""
    first = Flow(running, 1000)
    until(first.all_ended, "1,000 requests ended", 120)

    assert all(ends == {"approved"} for ends in first.endings().values())
    assert set(first.calls().values()) == {1}
    assert running.dead_letters() == []

    second = Flow(running, 1000)
    until(lambda: second.decide() > 0 and len(running.intouch.stand_in.calls) > 1300, "the middle is reached", 60)
    running.workers[0].kill()
    running.worker().ready()
    until(second.all_ended, "the other 1,000 ended", 120)

    endings = second.endings()
    assert all(len(ends) == 1 for ends in endings.values())
    assert max(second.calls(*ONCE).values()) == 1
    assert max(second.effects().values()) == 1
    assert running.dead_letters() == []
    parked = sum(ends == {"IntouchAPITask"} for ends in endings.values())
    assert parked <= 64, "in doubt is at most what was being called when the process was killed"


def test_idle_latency(running: World, figure: Callable[[str], None]) -> None:
    """From a decision to its call on an idle pipeline; the figure is printed, and judged in `make bench`, not here."""
    taken = []
    for _, wish in submissions(running.intouch.origin, 20):
        api_request_id = uuid.uuid4().hex
        running.submit(wish, api_request_id=api_request_id)
        running.producer.flush(10)
        found = until(
            lambda wanted=api_request_id: [e for e in running.events(state="AdminTask") if e["apiRequestId"] == wanted],
            "AdminTask",
        )
        before = len(running.intouch.stand_in.calls)
        began = time.time() * 1000
        running.decide(found[0]["data"]["requestId"])
        running.producer.flush(10)
        until(lambda count=before: len(running.intouch.stand_in.calls) > count, "the call")
        taken.append(running.intouch.stand_in.calls[-1].at_ms - began)
    figure(f"decision to call, idle: p50 {statistics.median(taken):.0f} ms, worst {max(taken):.0f} ms")

    assert len(taken) == 20
