"""Runs any subset of stages in this process: start, watch, drain. Knows no stage and no Faust command line.

Faust's own worker has no deadline on shutdown, ends a crash in a clean-up that still commits, and reconfigures
logging. Here: start all, end as soon as anything is wrong, drain within a fixed time; exit codes in `failure`.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn

import structlog

from pipeline.delivery.absence import Absence
from pipeline.delivery.failure import Exit, Refused, end, fatal
from pipeline.delivery.options import Options
from pipeline.delivery.stage_app import Facts, StageApp

log = structlog.get_logger()

TICK_S = 0.25  # how often the loop's lateness is measured
TICKS = 40  # how many of the last measurements count
ABORT_S_MAX = 5.0  # how long a start that is called off may take to end
IMPATIENT = 3  # the Ctrl-C that is not asked twice


class Lateness:
    """By how much the event loop is late: whatever blocks it delays every heartbeat, call and probe."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque([0.0], maxlen=TICKS)

    def worst_s(self) -> float:
        """Over the last ten seconds."""
        return max(self._seen)

    async def measure(self) -> None:
        while True:
            due = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            self._seen.append(time.monotonic() - due)


class Worker:
    """The stages of one process. `run` returns when they are drained, or ends the process."""

    def __init__(self, apps: Sequence[StageApp], options: Options) -> None:
        self.apps, self.options = apps, options
        self.lateness = Lateness()
        self._stop = asyncio.Event()
        self._asked = 0  # how often we were told to stop
        self._drained_by_s: float | None = None

    def facts(self) -> dict[str, Facts]:
        """By stage."""
        return {app.stage.name: app.facts() for app in self.apps}

    def stop(self) -> None:
        """Drain and return from `run`; what SIGTERM and SIGINT do."""
        self._stop.set()

    def _told_to_stop(self, number: signal.Signals) -> None:
        """The first signal drains. Another one says how long that may take, and the third Ctrl-C does not wait."""
        self._asked += 1
        self.stop()
        if self._asked == 1:
            return
        if number is signal.SIGINT and self._asked >= IMPATIENT:
            log.critical("not drained: told to end at once, what is in work comes again")
            end(Exit.NOT_DRAINED)
        by_s = self._drained_by_s
        left_s = self.options.drain_s if by_s is None else max(0.0, by_s - time.monotonic())
        log.warning("still draining", at_most_s=round(left_s, 1), detail="a third Ctrl-C ends it at once, with 75")

    def hear_signals(self) -> None:
        """SIGTERM and SIGINT drain from now on; needs the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop, number)

    async def run(self) -> None:
        """Until it is told to stop. The connection should have been checked before."""
        self.hear_signals()
        measuring = asyncio.ensure_future(self.lateness.measure())
        stopped = asyncio.ensure_future(self._stop.wait())
        await self._start(stopped)
        gc.freeze()  # the code and the tables stay; no collection need look at them
        await self._watch(stopped)
        await self._drain()
        measuring.cancel()

    async def _start(self, stopped: asyncio.Future[Any]) -> None:
        began = time.monotonic()
        starting: asyncio.Future[Any] = asyncio.gather(*(app.start() for app in self.apps), self._ready())
        await asyncio.wait({starting, stopped}, timeout=self.options.start_s, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            if (exception := starting.exception()) is not None:
                fatal("a stage did not start", exception)
            log.info("ready", stages=[app.stage.name for app in self.apps], seconds=round(time.monotonic() - began, 1))
        elif stopped.done():
            await _call_off(starting)
        else:
            late = [app.stage.name for app in self.apps if not app.is_ready()]
            fatal(f"not ready within {self.options.start_s:.0f} s: {', '.join(late)}")

    async def _ready(self) -> None:
        while not all(app.is_ready() for app in self.apps):  # noqa: ASYNC110 - Faust has no one event for all of this
            await asyncio.sleep(0.05)

    async def _watch(self, stopped: asyncio.Future[Any]) -> None:
        absence = Absence(self.options.session_s)
        while not stopped.done():
            await asyncio.wait({stopped}, timeout=1.0)
            absence.see(self.facts())
            dead = [app.stage.name for app in self.apps if app.crashed or app.should_stop]
            if dead:
                fatal(f"ended on their own: {', '.join(dead)}")

    async def _drain(self) -> None:
        log.info("draining", within_s=self.options.drain_s)
        began = time.monotonic()
        self._drained_by_s = began + self.options.drain_s
        overdue = asyncio.get_running_loop().call_later(self.options.drain_s, self._overdue)
        results = await asyncio.gather(*(app.stop() for app in self.apps), return_exceptions=True)
        for app, result in zip(self.apps, results, strict=True):
            if isinstance(result, BaseException):
                fatal(f"{app.stage.name}: could not be stopped", result)
            await app.pump.stop()
        overdue.cancel()
        log.info("drained", seconds=round(time.monotonic() - began, 1))

    def _overdue(self) -> None:
        log.critical("not drained in time: ending as if killed, what is in work comes again")
        end(Exit.NOT_DRAINED)


async def _call_off(starting: asyncio.Future[Any]) -> None:
    """End a start that is not wanted any more; what it was in the middle of is no news."""
    starting.cancel()
    await asyncio.wait({starting}, timeout=ABORT_S_MAX)
    if starting.done() and not starting.cancelled():
        starting.exception()


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> NoReturn:
    """Run this to its end and leave with the exit code that fits; on uvloop where there is one."""
    try:
        _loop_runner()(main())
    except Refused as refusal:
        sys.stderr.write(f"{refusal}\n")
        end(Exit.REFUSED)
    except BaseException as exception:  # noqa: BLE001 - whatever it is, it ends the process, with 70
        fatal("unexpected end", exception)
    end(Exit.DONE)


def _loop_runner() -> Callable[[Coroutine[Any, Any, None]], Any]:
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run
