"""The other side of a call, for tests: a real aiohttp server, and one that says any bytes. Both remember what came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from aiohttp import web

from pipeline.domain.origins import AllowList
from pipeline.domain.outcomes import Outcome
from pipeline.domain.request_types import ROWS, RequestType
from pipeline.domain.requests import Call
from pipeline.intouch.client import Client

SUCCESS = {"createdId": 5, "warnings": [], "errors": None}
NOW_MS = 1_700_000_000_000


class Seen(NamedTuple):
    """One request as it came: names and values of headers in their order, as they were spelled."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def answer_success(_request):
    return web.json_response(SUCCESS, status=201)


@dataclass
class Server:
    """A real HTTP server; `answer` says what it answers (or awaits)."""

    origin: str = ""
    seen: list[Seen] = field(default_factory=list)
    answer: Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse]] = answer_success

    async def _handle(self, request):
        headers = tuple((name.decode(), value.decode()) for name, value in request.raw_headers)
        self.seen.append(Seen(request.method, request.raw_path, headers, await request.read()))
        answer = self.answer(request)
        return await answer if asyncio.iscoroutine(answer) else answer


@asynccontextmanager
async def a_server():
    """A server that answers success until it is told otherwise."""
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server._handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


@dataclass
class RawServer:
    """Answers each request with the next of `script` (the last one for good); b"" closes without a word.

    With `is_kept` the connection stays open after an answer, and `late` is said on it when the answer has been read.
    `connections` counts them.
    """

    script: list[bytes]
    origin: str = ""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    is_kept: bool = False
    late: bytes = b""

    async def _handle(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                )
                self.requests.append(head + await reader.readexactly(length))
                text = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                writer.write(text)
                await writer.drain()
                if not self.is_kept or not text:
                    break
                await asyncio.sleep(0.02)
                writer.write(self.late)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def a_raw_server(*script, is_kept=False, late=b""):
    """A server that says exactly these bytes."""
    raw = RawServer(list(script), is_kept=is_kept, late=late)
    server = await asyncio.start_server(raw._handle, "127.0.0.1", 0)
    raw.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield raw
    finally:
        server.close()
        await server.wait_closed()


def http(body=b'{"createdId":5,"errors":null}', *, status=201, headers=(), length=None):
    """An HTTP answer as bytes; `length` may lie."""
    lines = (f"HTTP/1.1 {status} X", *headers, f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def a_call(origin, *, request_type=RequestType.GOODWILL_POINTS, **changed):
    """A call of this type, as execution hands it over: with the type's own method and path."""
    call = Call(
        request_id="2083b025-c1d5-11ee-9641-7277dba3c6a7",
        request_type=request_type,
        method=ROWS[request_type].method,
        host=origin,
        path=ROWS[request_type].path,
        query="",
        headers=(("content-type", "application/json"),),
        sealed_headers=None,
        binding=("0", "2083b025-c1d5-11ee-9641-7277dba3c6a7", "requests.submitted/0/1"),
        body='{"points":20}',
    )
    return call._replace(**changed)


def a_client(*origins, **changed):
    """A client that may call these origins, with a clock that stands."""
    settings = {"open_headers": lambda _call: (), "time_ms": lambda: NOW_MS, "timeout_s": 5.0} | changed
    return Client(allowed=AllowList(origins), **settings)


def outcome(ending, http_status=None, **changed):
    """What `a_client` says of a call that ended so, at once."""
    return Outcome(ending=ending, http_status=http_status, at_ms=NOW_MS, began_ms=NOW_MS, **changed)
