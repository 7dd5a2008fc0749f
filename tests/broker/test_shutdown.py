"""SIGTERM under load, as a cluster sends it on every deployment: the worker ends in time, and nothing is done again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broker.flows import Flow
from broker.listening import times_told
from broker.world import World, until

CALL_S = 3  # the total time of a call


@pytest.fixture
def world(broker: str, prefix: str, tmp_path: Path) -> Iterator[World]:
    """Calls may take 3 s, and a good second of it they do."""
    made = World(broker, prefix, tmp_path, RW_INTOUCH_TIMEOUT_S=str(CALL_S))
    made.intouch.behave(delay_ms=1200)
    try:
        made.create_topics()
        yield made
    finally:
        made.close()


def test_sigterm_under_load(world: World, figure: Callable[[str], None]) -> None:
    """It exits 0 within 10 s plus a call's time with calls running; afterwards everything ends, no call is made again,
    nobody is in doubt, and no event is told a second time.
    """
    worker = world.worker().ready()
    flow = Flow(world, 400)
    until(lambda: flow.decide() and len(world.intouch.stand_in.calls) > 100, "calls are running", 60)

    began = time.monotonic()
    code = worker.end(within_s=CALL_S + 10)
    took_s = time.monotonic() - began
    called = len(world.intouch.stand_in.calls)
    world.worker().ready()
    until(flow.all_ended, "400 requests ended", 90)
    repeated = [told for told, times in times_told(world).items() if times > 1]
    figure(f"SIGTERM with calls of 1.2 s running: exit after {took_s:.1f} s; {len(repeated)} events told again")

    assert code == 0
    assert called < 400, "it was told to end in the middle"
    assert all(ends == {"approved"} for ends in flow.endings().values())
    assert set(flow.calls().values()) == {1}
    assert repeated == []


def test_sigterm_of_one_of_two(world: World) -> None:
    """The one that stays takes over what the other gave back, and repeats no call either."""
    leaving, _ = world.worker().ready(), world.worker().ready()
    flow = Flow(world, 300)
    until(lambda: flow.decide() and len(world.intouch.stand_in.calls) > 80, "calls are running", 60)

    code = leaving.end(within_s=CALL_S + 10)
    until(flow.all_ended, "300 requests ended", 90)

    assert code == 0
    assert all(ends == {"approved"} for ends in flow.endings().values())
    assert set(flow.calls().values()) == {1}
