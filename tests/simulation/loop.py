"""An event loop with virtual time: nothing waits for real, and the same seed runs the same way every time.

The loop's own order is kept (first in, first out); chance enters only through the delays that the world draws. When
nothing is ready, the clock jumps to the next timer. A world that has nothing left to wait for has stalled, which is a
finding, not a reason to hang.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

TURN_S = 1e-9


class Stalled(Exception):
    """Nothing is ready and nothing will be: everybody waits for somebody."""


class _NoSelector(selectors.BaseSelector):
    """Knows no files; `select` moves the clock instead of waiting."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stalled
        self.now_s += max(TURN_S, timeout)  # a turn takes time, or a wait for the rest of a nanosecond never ends
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    def get_map(self) -> dict[Any, selectors.SelectorKey]:
        return {}


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is virtual, seconds from 0."""

    def __init__(self) -> None:
        self._virtual = _NoSelector()
        super().__init__(self._virtual)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._virtual.now_s


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs this to its end in virtual time; whatever it left behind is cancelled."""
    loop = VirtualLoop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(work)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        asyncio.set_event_loop(None)
        loop.close()
