"""A stand-in for Intouch: answers as the documents show, remembers every call, misbehaves when told to.

For the demo, for tests and for auditors, who read what was really called at `GET /_calls`. It knows nothing of the
pipeline: what it believes about Intouch is written down here a second time, on purpose. Never imported by the worker.
How single paths answer is in `intouch_answers`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.domain.headers import is_credential
from pipeline.local.intouch_answers import Answers

CALLS_MAX = 100_000
RULES_MAX = 1_000
BODY_BYTES_MAX = 4 * 1024 * 1024
DELAY_MS_MAX = 600_000
SHUTDOWN_S = 1.0


class StandInError(Exception):
    """It cannot be run; the message is one sentence."""


@dataclass(slots=True)
class SeenCall:
    """One call as it arrived. Credentials are masked; `status` is None where no answer was given (yet).

    `at_ms` is the time of arrival in epoch milliseconds, `applied` whether it had its effect here.
    """

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: str
    at_ms: int
    status: int | None = None
    applied: bool = False


class Rule(BaseModel):
    """How to misbehave, and for which calls: those whose path is `path` and whose body contains `body_contains`.

    The first rule that matches decides, `times` times (None: always). `drop` cuts the connection: `before` the body is
    read, or `after` it, then with the effect applied when `apply` says so. `hang` never answers. Else the answer comes
    after `delay_ms`, with `status` and `body` where they are given, and as usual where they are not.
    """

    model_config = ConfigDict(extra="forbid")

    path: str | None = None
    body_contains: str | None = None
    status: int | None = Field(default=None, ge=200, le=599)
    body: Any = None
    headers: dict[str, str] = {}
    delay_ms: int = Field(default=0, ge=0, le=DELAY_MS_MAX)
    drop: str | None = Field(default=None, pattern="^(before|after)$")
    hang: bool = False
    apply: bool = False
    times: int | None = Field(default=None, ge=1)

    def matches(self, path: str, body: str) -> bool:
        """True for a call that this rule is about."""
        return self.path in {None, path} and (self.body_contains is None or self.body_contains in body)


class StandIn:
    """The server. `calls` are all calls so far, oldest first, at most `CALLS_MAX`."""

    def __init__(self) -> None:
        self.calls: deque[SeenCall] = deque(maxlen=CALLS_MAX)
        self.rules: list[Rule] = []
        self._answers = Answers()
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listens (port 0: any free one) and returns the origin, `http://host:port`."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_get("/_calls", self._show_calls)
        app.router.add_route("PUT", "/_behave", self._take_rule)
        app.router.add_route("POST", "/_behave", self._take_rule)
        app.router.add_route("DELETE", "/_behave", self._drop_rules)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound = self._runner.addresses[0][1]
        return f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"

    async def stop(self) -> None:
        """Ends hanging answers, closes every connection and the port."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def behave(self, rule: Rule) -> None:
        """Adds a rule, behind those that are there."""
        if len(self.rules) >= RULES_MAX:
            raise ValueError(f"there are {RULES_MAX} rules already; clear them with DELETE /_behave")
        self.rules.append(rule)

    async def _show_calls(self, _request: web.Request) -> web.Response:
        return web.json_response([asdict(call) for call in self.calls])

    async def _take_rule(self, request: web.Request) -> web.Response:
        try:
            self.behave(Rule.model_validate_json(await request.read()))
        except (ValidationError, ValueError) as fault:
            return web.json_response({"error": str(fault)}, status=400)
        return web.json_response({"rules": len(self.rules)})

    async def _drop_rules(self, _request: web.Request) -> web.Response:
        self.rules.clear()
        return web.json_response({"rules": 0})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        call = SeenCall(
            method=request.method,
            path=request.rel_url.raw_path,
            query=request.rel_url.raw_query_string,
            headers=[(name, "***" if is_credential(name) else value) for name, value in request.headers.items()],
            body="",
            at_ms=time.time_ns() // 1_000_000,
        )
        self.calls.append(call)
        early = self._rule_for(call, drop="before")
        if early:
            return self._cut(request)
        call.body = (await request.read()).decode(errors="replace")
        rule = self._rule_for(call) or Rule()
        return await self._behaved(request, call, rule=rule)

    def _rule_for(self, call: SeenCall, *, drop: str | None = None) -> Rule | None:
        """The first rule for this call, counted down. With `drop`: only if it drops then, before the body is known."""
        for rule in self.rules:
            if rule.matches(call.path, call.body):
                if drop is not None and rule.drop != drop:
                    return None
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times == 0:
                        self.rules.remove(rule)
                return rule
        return None

    async def _behaved(self, request: web.Request, call: SeenCall, *, rule: Rule) -> web.StreamResponse:
        is_usual = rule.status is None and rule.body is None and rule.drop is None and not rule.hang
        usual = self._answers.to(call.method, call.path, body=call.body) if is_usual or rule.apply else None
        call.applied = usual is not None and usual.applied
        if rule.hang or rule.delay_ms:
            await self._wait(None if rule.hang else rule.delay_ms / 1000)
        if rule.drop or rule.hang:
            return self._cut(request)
        if is_usual and usual is not None:
            call.status = usual.status
            return web.json_response(usual.body, status=usual.status, headers=rule.headers)
        call.status = rule.status or 200
        text = rule.body if isinstance(rule.body, str) else json.dumps(rule.body if rule.body is not None else {})
        return web.Response(text=text, status=call.status, headers=rule.headers, content_type="application/json")

    async def _wait(self, seconds: float | None) -> None:
        """As long as told, or until the stand-in stops."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds or DELAY_MS_MAX / 1000)
        except TimeoutError:
            return

    def _cut(self, request: web.Request) -> web.Response:
        """Ends the connection without an answer."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


async def run(*, host: str = "127.0.0.1", port: int = 0, announce: Callable[[str], None]) -> None:
    """The stand-in in the foreground, until SIGINT or SIGTERM; `announce` gets the origin once it answers.

    Raises StandInError where the port cannot be had.
    """
    stand_in = StandIn()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    try:
        announce(await stand_in.start(host, port))
        await ended.wait()
    except OSError as problem:
        told = os.strerror(problem.errno) if problem.errno else str(problem)
        raise StandInError(f"{host}:{port} cannot be listened on: {told}. Name another with --port.") from None
    finally:
        await stand_in.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
