"""A worker that is frozen in the middle of its calls for longer than its session, with the whole pipeline around it.

Another one takes over, makes the calls again that may be made again, and declares the others in doubt. When the frozen
one wakes, it must not tell what its calls brought, write over what its successor remembers, or begin a call that it had
planned.
"""

from __future__ import annotations

import signal

from broker.flows import ONCE, Flow
from broker.listening import reasons, times_told
from broker.world import World, until

REQUESTS = 150


def test_frozen_in_the_middle_of_calls(world: World) -> None:
    """It ends with 70 when it wakes; no request had its effect twice or ended twice, and who loads what is remembered
    afterwards knows every ending: a further decision on each request is too late.
    """
    world.intouch.behave(delay_ms=1500)
    frozen = world.worker().ready()  # alone until it is frozen, so that the calls that run are certainly its own
    flow = Flow(world, REQUESTS)
    until(lambda: flow.decide() and len(world.intouch.stand_in.calls) > 40, "calls are running", 60)

    frozen.popen.send_signal(signal.SIGSTOP)
    world.worker().ready()
    until(flow.all_ended, "the other one brings everything to an end", 90)
    before = set(times_told(world))
    frozen.popen.send_signal(signal.SIGCONT)

    assert frozen.popen.wait(30) == 70
    world.workers[1].kill()
    world.worker().ready()
    for request_id in flow.decided:
        world.decide(request_id, "rejected")
    until(lambda: reasons(world).count("not-waiting") >= REQUESTS, "every further decision is buried", 60)
    endings = flow.endings()
    assert all(len(ends) == 1 for ends in endings.values())
    assert {"IntouchAPITask"} in endings.values(), "it was frozen in the middle of calls"
    assert max(flow.calls(*ONCE).values()) == 1
    assert max(flow.effects().values()) == 1
    assert set(times_told(world)) == before
