"""Intouch is away under load, and comes back: what was approved waits, and nothing is sent twice or given up.

`SECONDS` is how long it is away; `make outage SECONDS=120` runs the same for longer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from broker.flows import ONCE, Flow
from broker.world import World, until

SECONDS = float(os.environ.get("OUTAGE_S", "12"))
REQUESTS = 300


def wait(seconds: float) -> None:
    """For as long as the outage lasts: its length is what is tried."""
    threading.Event().wait(seconds)


def held(world: World) -> float:
    """How many requests wait, as the worker's metrics tell it."""
    lines = world.workers[-1].get("/metrics")[1].splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("rw_held{"))


def test_refused_connections(running: World, figure: Callable[[str], None]) -> None:
    """While nobody listens nothing is called and nothing fails; afterwards all are approved, by one call each."""
    running.intouch.go_away()
    flow = Flow(running, REQUESTS)
    until(lambda: flow.decide() == REQUESTS, "all are decided", 60)
    until(lambda: held(running) > REQUESTS * 0.9, "they are held", 30)
    wait(SECONDS)
    assert not any(flow.endings().values())
    assert not running.intouch.stand_in.calls

    running.intouch.come_back()
    until(flow.all_ended, "the backlog drains", 60)

    assert all(ends == {"approved"} for ends in flow.endings().values())
    assert set(flow.calls().values()) == {1}
    assert running.dead_letters() == []
    figure(f"Intouch refused connections for {SECONDS:.0f} s: {REQUESTS} of {REQUESTS} approved afterwards")


def test_unavailable(running: World, figure: Callable[[str], None]) -> None:
    """While it says 503, in doubt are at most those that reached it and may not be made again; the rest waits."""
    running.intouch.behave(status=503)
    flow = Flow(running, REQUESTS)
    until(lambda: flow.decide() == REQUESTS, "all are decided", 60)
    until(lambda: held(running) > REQUESTS * 0.5, "they are held", 30)
    wait(SECONDS)
    reached = {mark for mark, count in flow.calls(*ONCE).items() if count}

    running.intouch.forgive()
    until(flow.all_ended, "the backlog drains", 90)

    endings = flow.endings()
    parked = sum(ends == {"IntouchAPITask"} for ends in endings.values())
    told = f"{parked} of {REQUESTS} in doubt, {len(reached)} unrepeatable calls reached it"
    figure(f"Intouch said 503 for {SECONDS:.0f} s: {told}")

    assert parked <= len(reached)
    assert sum(ends == {"approved"} for ends in endings.values()) == REQUESTS - parked
    assert max(flow.effects().values()) == 1
    assert running.dead_letters() == []
