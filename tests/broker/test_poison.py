"""Bad input among good, 30 in 100: it costs no partition and no good request.

What it costs in time is printed and not judged here, as a test's time is no measure: that does `make poison`.
"""

from __future__ import annotations

from collections.abc import Callable

from broker.judge import Lag
from broker.poison import measured
from broker.world import World, until


def test_poison(running: World, figure: Callable[[str], None]) -> None:
    """With 30 % bad input every good submission is announced, every bad one is buried or fails, and no partition is
    left behind.
    """
    rates = measured(running, rounds=2)
    lag = Lag(running)
    until(lambda: lag.look()[0] == 0, "nothing is left behind", 30)
    lag.close()
    figure(str(rates))

    assert running.workers[0].popen.poll() is None
