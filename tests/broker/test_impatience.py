"""More than one Ctrl-C: the second one is told how long a drain may take, the third one ends it."""

from __future__ import annotations

import signal

from broker.flows import Flow
from broker.world import World, until


def test_the_third_interrupt_does_not_wait(world: World) -> None:
    """With a call running, the second Ctrl-C is answered with a line and the third with exit 75."""
    world.intouch.behave(hang=True)
    worker = world.worker().ready()
    flow = Flow(world, 1)
    until(lambda: flow.decide() and len(world.intouch.stand_in.calls) > 0, "a call is running", 60)

    worker.popen.send_signal(signal.SIGINT)
    until(lambda: worker.lines("draining"), "it drains")
    worker.popen.send_signal(signal.SIGINT)
    [told] = until(lambda: worker.lines("still draining"), "it says so")
    worker.popen.send_signal(signal.SIGTERM)
    until(lambda: len(worker.lines("still draining")) > 1, "a supervisor that repeats itself is told the same")
    worker.popen.send_signal(signal.SIGINT)

    assert worker.popen.wait(20) == 75
    assert 0 < told["at_most_s"] <= 45
