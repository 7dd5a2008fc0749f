"""The HTTP port: `/metrics`, `/livez` and `/readyz`, nothing else, and nothing that anybody may change.

Alive means progress, not existence: what could go on does, and a stage that was ready comes back. Ready means that all
stages of the process can work, which they cannot while Kafka is away; that alone is no death, a restart would not bring
it back. The facts come in as a callable; no stage and no Faust may be known here. It listens
where RW_HTTP_HOST says, on all interfaces by default, because pods are probed from outside; nothing secret is told.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from pipeline.metrics import Metrics, StageFacts, can_work
from pipeline.settings import Settings

REQUEST_BYTES_MAX = 1024  # probes have no body
UNREADY_S_MAX = 600.0  # loading watches itself; this is for a stage that rebalances and never comes to an end
STOP_S_MAX = 2.0

_OF_THE_PORT = (errno.EADDRINUSE, errno.EACCES)  # all else has to do with the host

Facts = Callable[[], tuple[Mapping[str, StageFacts], float]]  # by stage; by how many seconds the event loop was late

log = structlog.get_logger()


class ProbesError(Exception):
    """The port cannot be had; the message is one sentence."""


class Probes:
    """Answers for one process. A stage that stands still for longer than `stall_s` makes it dead."""

    def __init__(
        self, metrics: Metrics, facts: Facts, *, stall_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._metrics = metrics
        self._facts = facts
        self._stall_s = stall_s
        self._clock = clock
        self._unready_since: dict[str, float] = {}
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port, which is also logged, because 0 asks for any free one. Raises ProbesError."""
        app = web.Application(client_max_size=REQUEST_BYTES_MAX)
        app.add_routes(
            [web.get("/metrics", self._tell), web.get("/livez", self._alive), web.get("/readyz", self._ready)]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S_MAX, keepalive_timeout=30)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, backlog=16).start()
        except OSError as problem:
            await self.stop()
            at_fault = "RW_HTTP_PORT" if problem.errno in _OF_THE_PORT else "RW_HTTP_HOST"
            raise ProbesError(f"{at_fault}: {host}:{port} cannot be listened on: {_told(problem)}.") from None
        bound = int(self._runner.addresses[0][1])
        log.info("http", host=host, port=bound)
        return bound

    async def stop(self) -> None:
        """Stop listening; answers under way get 2 s."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def reasons_against_life(self) -> list[str]:
        """A sentence for each stage that stands still; empty: alive."""
        return [sentence for name, facts in self._facts()[0].items() if (sentence := self._standstill(name, facts))]

    def _standstill(self, name: str, facts: StageFacts) -> str | None:
        now = self._clock()
        if facts.is_ready:
            self._unready_since.pop(name, None)
            if facts.oldest_unfinished_s > self._stall_s:
                return f"{name} has not gone on for {facts.oldest_unfinished_s:.0f} s, allowed are {self._stall_s:.0f}"
            return None
        # What is unfinished during a rebalance or while memory is loaded waits for these, not for us.
        unready_s = now - self._unready_since.setdefault(name, now)
        return f"{name} has not been ready for {unready_s:.0f} s" if unready_s > UNREADY_S_MAX else None

    async def _tell(self, _request: web.Request) -> web.Response:
        for name, facts in self._facts()[0].items():
            self._metrics.see(name, facts)
        return web.Response(body=generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _alive(self, _request: web.Request) -> web.Response:
        reasons, (_, late_s) = self.reasons_against_life(), self._facts()
        return _answer(not reasons, {"alive": not reasons, "reasons": reasons, "loopLateS": round(late_s, 3)})

    async def _ready(self, _request: web.Request) -> web.Response:
        stages = {
            name: {"ready": can_work(facts), "partitions": facts.partitions, "leaseS": round(facts.lease_s, 1)}
            for name, facts in self._facts()[0].items()
        }
        ready = bool(stages) and all(stage["ready"] for stage in stages.values())
        return _answer(ready, {"ready": ready, "stages": stages})


@asynccontextmanager
async def listening(settings: Settings, metrics: Metrics, facts: Facts) -> AsyncIterator[int]:
    """The port of the settings, open for as long as the block lasts; gives its number. Raises ProbesError."""
    async with Probes(metrics, facts, stall_s=settings.stall_s) as probes:
        yield await probes.start(settings.http_host, settings.http_port)


def _told(problem: OSError) -> str:
    """The system's words alone: asyncio repeats the address in front of them."""
    if isinstance(problem, socket.gaierror) or problem.errno is None:
        return problem.strerror or str(problem)
    return os.strerror(problem.errno)


def _answer(good: bool, facts: dict[str, Any]) -> web.Response:
    return web.json_response(facts, status=200 if good else 503, headers={"Cache-Control": "no-store"})
