"""The one HTTP call to Intouch: bytes out, an `Outcome` back, whatever the other side does (contract, section 8).

It calls once. No retry may enter, neither ours nor the library's, no redirect, no proxy and no cookie: a call that is
made twice may have its effect twice. What an answer means is decided in `domain.outcomes`; what may be sent, in
`domain.headers` and `domain.origins`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple, Self

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

from pipeline.domain.origins import AllowList
from pipeline.domain.outcomes import Failure, Outcome, ending_of
from pipeline.domain.request_types import ROWS
from pipeline.domain.requests import Call
from pipeline.intouch import wire
from pipeline.intouch.addresses import CheckedResolver, ForbiddenAddress, checked_socket
from pipeline.intouch.backoff import retry_after_ms

ANSWER_BYTES_MAX = 1024 * 1024
ANSWER_HEADERS_MAX = 128
HEADER_BYTES_MAX = 8 * 1024  # of one header, and of the status line: all of them together meet the cap of the body
CHUNK_BYTES = 64 * 1024
# What aiohttp adds by itself. The maker's headers are the whole of what is sent.
_UNASKED = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.USER_AGENT, hdrs.CONTENT_TYPE)

OpenHeaders = Callable[[Call], wire.Pairs]


class _Broken(aiohttp.ClientError):
    """The connection broke after sending had begun. Not one of the errors after which aiohttp sends again."""


async def _send_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from repeating a PUT or GET whose connection dropped: it does so for two kinds of error only."""
    try:
        return await send(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise  # nothing was sent, and aiohttp does not repeat these
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as fault:
        raise _Broken("the connection broke after sending had begun") from fault


class _Sent:
    """Whether bytes of one call may have left: set as soon as it has a connection."""

    def __init__(self) -> None:
        self.may_have_left = False


async def _has_connection(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.may_have_left = True


def _tracing() -> aiohttp.TraceConfig:
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(_has_connection)
    return tracing


class _Oversized(Exception):
    """The answer's body exceeds its cap."""


async def _read_capped(answer: aiohttp.ClientResponse) -> bytes:
    """The body, decompressed chunk by chunk, so that a small answer that unpacks to a huge one meets the cap, too."""
    body = bytearray()
    async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise _Oversized
    return bytes(body)


class _End(NamedTuple):
    """How a call ended on the wire."""

    status: int | None = None
    body: bytes | None = None
    failure: Failure | None = None
    retry_after: str | None = None


class Client:
    """Makes calls; each instance owns its connections, at most `connections` at a time.

    `open_headers` opens a call's sealed credentials; what it raises is ours, not the other side's, and passes.
    `time_ms` is the clock for `Outcome.at_ms`. `timeout_s` is the total time of a call, from waiting for a connection
    to the last byte of the answer. Every call gets a fresh connection. A kept one may be closed just now, and then
    nobody knows what happened; or it holds an answer that nobody asked for, and that would be the next call's.
    `backoff_ms` says for the number of an attempt how long to wait before the next one. `resolver` looks names up, the
    system's own if none is given; whatever it answers is checked.
    """

    def __init__(
        self,
        *,
        allowed: AllowList,
        open_headers: OpenHeaders,
        time_ms: Callable[[], int],
        timeout_s: float = 35.0,
        connections: int = 64,
        backoff_ms: Callable[[int], int] = lambda _attempt: 0,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allowed = allowed
        self._open_headers = open_headers
        self._time_ms = time_ms
        self._timeout_s = timeout_s
        self._connections = connections
        self._backoff_ms = backoff_ms
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, call: Call) -> Outcome:
        """Makes the call, once. Never raises for what the other side does; a cancellation passes."""
        began_ms = self._time_ms()
        end = await self._end_of(call)
        asked_ms = retry_after_ms(end.retry_after, self._time_ms())
        return Outcome(
            ending=ending_of(call.request_type, end.status, end.body, end.failure),
            at_ms=self._time_ms(),
            began_ms=began_ms,
            http_status=end.status,
            wait_ms=max(self._backoff_ms(call.attempt), asked_ms or 0),
            asked_ms=asked_ms,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_fault: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes all connections; calls that are still running end as dropped."""
        if self._session is not None:
            await self._session.close()
        if self._resolver is not None:
            await self._resolver.close()

    async def _end_of(self, call: Call) -> _End:
        if not self._allowed.allows(call.host):
            return _End(failure=Failure.HOST_NOT_ALLOWED)
        row = ROWS[call.request_type]
        if (call.method, call.path) != (row.method, row.path):
            return _End(failure=Failure.BAD_PATH)  # or "@elsewhere" as a path would be another host
        try:
            headers = wire.headers(call, () if call.sealed_headers is None else self._open_headers(call))
        except wire.Unsendable:
            return _End(failure=Failure.BAD_HEADER)
        return await self._exchange(call, headers)

    async def _exchange(self, call: Call, headers: CIMultiDict[str]) -> _End:
        sent, end = _Sent(), _End()
        failure: Failure
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._opened().request(
                    call.method,
                    wire.address(call),
                    headers=headers,
                    data=call.body.encode(),
                    allow_redirects=False,
                    trace_request_ctx=sent,
                )
                end = _End(answer.status, retry_after=answer.headers.get(hdrs.RETRY_AFTER))
                try:
                    return end._replace(body=await _read_capped(answer))
                finally:
                    answer.close()
        except ForbiddenAddress:
            return _End(failure=Failure.FORBIDDEN_ADDRESS)
        except TimeoutError:
            failure = Failure.TIMED_OUT
        except _Oversized:
            failure = Failure.OVERSIZED
        except (aiohttp.ClientResponseError, aiohttp.ClientPayloadError, HttpProcessingError):
            failure = Failure.GARBLED
        except (aiohttp.ClientError, OSError):
            failure = Failure.DROPPED
        return end._replace(failure=failure if sent.may_have_left else Failure.UNREACHED)

    def _opened(self) -> aiohttp.ClientSession:
        """The session, made when first needed, inside the running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                # The total time is kept by `_exchange`, exactly; aiohttp rounds it up and leaves the closing out.
                timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
                skip_auto_headers=_UNASKED,
                middlewares=(_send_once,),
                trace_configs=[_tracing()],
                read_bufsize=CHUNK_BYTES,
                max_line_size=HEADER_BYTES_MAX,
                max_field_size=HEADER_BYTES_MAX,
                max_headers=ANSWER_HEADERS_MAX,
            )
        return self._session

    def _connector(self) -> aiohttp.TCPConnector:
        """Looks a name up for every connection anew: what was checked is what is used, and not a cache's memory."""
        if self._resolver is None:
            self._resolver = aiohttp.DefaultResolver()
        return aiohttp.TCPConnector(
            limit=self._connections,
            force_close=True,
            resolver=CheckedResolver(self._resolver),
            use_dns_cache=False,
            socket_factory=checked_socket,
        )
