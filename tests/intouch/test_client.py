"""One call, whatever the other side does: what comes back is an outcome, and what was sent was sent once."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections import Counter

import pytest
from aiohttp import web
from intouch.servers import SUCCESS, a_call, a_client, a_raw_server, a_server, http, outcome

from pipeline.domain.outcomes import Effect, Ending
from pipeline.domain.request_types import RequestType
from pipeline.intouch.client import ANSWER_BYTES_MAX
from pipeline.trust.sealing import SealBroken


def unclear(http_status=None):
    return outcome(Ending.UNCLEAR, http_status)


ANSWERS = {
    RequestType.POINTS_REDEMPTION: {
        "response": {
            "status": {"success": "true", "code": "200"},
            "responses": {"points": {"item_status": {"success": "true", "code": "800"}}},
        }
    },
    RequestType.CUSTOMER_STATUS_CHANGE: {"createdId": 566881933, "warnings": []},
    RequestType.GOODWILL_POINTS: SUCCESS,
    RequestType.EARN_BADGE: {"data": {"id": "1"}, "errors": []},
    RequestType.ISSUE_BADGE: {"data": {"issuedBadges": [{"customerId": 7, "error": None}]}, "errors": []},
    RequestType.RETRO_TRANSACTION: SUCCESS,
}


@pytest.mark.parametrize("kind", RequestType)
async def test_success_of_every_type(kind):
    """The documented answer of success is an outcome of success, with status and time."""
    async with a_server() as server, a_client(server.origin) as client:
        server.answer = lambda _request: web.json_response(ANSWERS[kind], status=201)

        assert await client(a_call(server.origin, request_type=kind)) == outcome(Ending.DONE, 201)


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (400, {"errors": [{"code": 8015}]}, outcome(Ending.REFUSED, 400)),
        (200, {"errors": [{"code": 3002}]}, outcome(Ending.REFUSED, 200)),
        (404, None, outcome(Ending.REFUSED, 404)),
        (429, None, outcome(Ending.NOT_NOW, 429)),
        (500, {"errors": [{"code": 500}]}, unclear(500)),
        (503, None, unclear(503)),
        (200, {"warnings": []}, unclear(200)),
    ],
)
async def test_other_answers(status, answer, expected):
    """Refusals are told from what nobody knows, by status and body together."""
    async with a_server() as server, a_client(server.origin) as client:
        server.answer = lambda _request: web.json_response(answer, status=status)

        assert await client(a_call(server.origin)) == expected


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status):
    """Nothing is sent to where a redirect points, not even on an allowed host."""
    async with a_server() as server, a_client(server.origin) as client:
        server.answer = lambda _request: web.Response(status=status, headers={"Location": f"{server.origin}/else"})

        assert await client(a_call(server.origin)) == outcome(Ending.REDIRECT, status)
        assert [seen.target for seen in server.seen] == ["/internal/goodwill/"]


async def test_a_proxy_in_the_environment_is_ignored(monkeypatch):
    """The call goes straight to its host, whatever proxy the environment names."""
    async with a_server() as server, a_server() as proxy, a_client(server.origin) as client:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.origin)

        assert (await client(a_call(server.origin))).effect is Effect.DONE
        assert (len(server.seen), len(proxy.seen)) == (1, 0)


async def test_cookies_are_not_kept():
    """What one call was told to remember is not sent with the next one."""
    async with a_server() as server, a_client(server.origin) as client:
        server.answer = lambda _request: web.json_response(SUCCESS, headers={"Set-Cookie": "a=b"})

        await client(a_call(server.origin))
        await client(a_call(server.origin))

        assert not [name for seen in server.seen for name, _ in seen.headers if name.lower() == "cookie"]


async def test_a_host_outside_the_allow_list_is_never_connected_to():
    """The list is asked again right before the call; nothing reaches a host that is not on it."""
    async with a_raw_server(http()) as decoy, a_client("http://a.example") as client:
        assert await client(a_call(decoy.origin)) == outcome(Ending.HOST_NOT_ALLOWED)
        assert decoy.connections == 0


async def test_an_empty_allow_list_calls_nothing():
    """Nothing is called by default."""
    async with a_raw_server(http()) as decoy, a_client() as client:
        assert (await client(a_call(decoy.origin))).ending is Ending.HOST_NOT_ALLOWED
        assert decoy.connections == 0


async def test_a_refused_connection_was_never_sent():
    """Nobody listens: nothing was applied, and that is known."""
    async with a_raw_server(http()) as gone:
        origin = gone.origin

    async with a_client(origin) as client:
        assert await client(a_call(origin)) == outcome(Ending.UNREACHED)


async def test_an_unknown_name_was_never_sent():
    """A name that does not resolve was not called."""
    origin = "http://no-such-host.invalid"

    async with a_client(origin) as client:
        assert await client(a_call(origin)) == outcome(Ending.UNREACHED)


async def test_a_failed_handshake_was_never_sent():
    """Before TLS stands no byte of the call leaves."""
    async with a_raw_server(http()) as server:
        origin = server.origin.replace("http:", "https:")

        async with a_client(origin) as client:
            assert await client(a_call(origin)) == outcome(Ending.UNREACHED)


async def test_waiting_for_a_connection_was_never_sent():
    """A call that found no free connection within its time was not made. (One of them may get the connection that the
    first gives up at the very end.)
    """
    held = asyncio.Event()

    async def hold(_request):
        await asyncio.wait_for(held.wait(), 5)
        return web.json_response(SUCCESS)

    async with a_server() as server, a_client(server.origin, connections=1, timeout_s=0.3) as client:
        server.answer = hold
        ends = await asyncio.gather(*(client(a_call(server.origin)) for _ in range(10)))
        held.set()

        told = Counter(end.ending for end in ends)
        assert told[Ending.UNREACHED] >= 8
        assert told[Ending.UNREACHED] + told[Ending.UNCLEAR] == 10
        assert 1 <= len(server.seen) <= told[Ending.UNCLEAR]


BOMB = gzip.compress(bytes(8 * ANSWER_BYTES_MAX))
PADDED = b'{"createdId":5,"errors":null,"pad":"%s"}'


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (http(PADDED % (b"x" * (ANSWER_BYTES_MAX - 38))), outcome(Ending.DONE, 201)),
        (http(PADDED % (b"x" * (ANSWER_BYTES_MAX - 37))), unclear(201)),
        (http(BOMB, headers=("Content-Encoding: gzip",)), unclear(201)),
        (http(gzip.compress(PADDED % b""), headers=("Content-Encoding: gzip",)), outcome(Ending.DONE, 201)),
        (http(b"hello", headers=("Content-Encoding: gzip",)), unclear(201)),
        (http(length=1000), unclear(201)),
        (b"no HTTP at all\r\n\r\n", unclear()),
        (b"\x00" * 100_000, unclear()),
        (b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello", unclear()),
        (b"HTTP/1.1 201 X\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", unclear()),
        (b"HTTP/1.1 201 X\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", unclear()),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + http(), outcome(Ending.DONE, 201)),
        (b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", unclear(101)),
        (http(b"\xff\xfe{"), unclear(201)),
    ],
)
async def test_broken_and_oversized_answers_are_unclear(answer, expected):
    """1 MiB is read and no more, unpacked or not; whatever is no answer is no success, and nothing raises."""
    async with a_raw_server(answer) as server, a_client(server.origin) as client:
        assert await client(a_call(server.origin)) == expected
        assert len(server.requests) == 1


async def test_a_silent_server_ends_at_the_total_time():
    """No answer in time: in doubt."""
    async with a_server() as server, a_client(server.origin, timeout_s=0.2) as client:
        release = asyncio.Event()

        async def hold(_request):
            await asyncio.wait_for(release.wait(), 5)
            return web.Response()

        server.answer = hold

        assert await client(a_call(server.origin)) == unclear()
        release.set()


async def test_a_slow_drip_ends_at_the_total_time():
    """A body that comes byte by byte, each in time, ends when the total time does."""

    async def drip(request):
        answer = web.StreamResponse(status=201)
        await answer.prepare(request)
        end = asyncio.get_running_loop().time() + 5
        pause = asyncio.Event()
        while asyncio.get_running_loop().time() < end:
            await answer.write(b" ")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pause.wait(), 0.02)
        return answer

    async with a_server() as server, a_client(server.origin, timeout_s=0.3) as client:
        server.answer = drip
        begun = time.monotonic()

        end = await client(a_call(server.origin))

        assert end == unclear(201)
        assert 0.25 < time.monotonic() - begun < 3


async def test_a_cancellation_passes():
    """Whoever stops the call gets its cancellation, not an outcome."""
    async with a_server() as server, a_client(server.origin) as client:
        arrived, release = asyncio.Event(), asyncio.Event()

        async def hold(_request):
            arrived.set()
            await asyncio.wait_for(release.wait(), 5)
            return web.Response()

        server.answer = hold
        running = asyncio.create_task(client(a_call(server.origin)))
        await asyncio.wait_for(arrived.wait(), 5)
        running.cancel()

        with pytest.raises(asyncio.CancelledError):
            await running
        release.set()


async def test_what_does_not_open_is_ours_and_passes():
    """A seal that does not open is no answer of Intouch; nothing is sent."""

    def broken(_call):
        raise SealBroken("obviously")

    async with a_server() as server, a_client(server.origin, open_headers=broken) as client:
        with pytest.raises(SealBroken):
            await client(a_call(server.origin, sealed_headers="x"))

        assert server.seen == []


async def test_many_calls_share_a_client():
    """Calls run side by side, each with its own outcome."""
    async with a_server() as server, a_client(server.origin, connections=4) as client:
        server.answer = lambda request: web.json_response(SUCCESS if request.query["n"] == "1" else None, status=201)
        calls = [a_call(server.origin, query=f'{{"n":{number % 2}}}') for number in range(40)]

        ends = await asyncio.gather(*map(client, calls))

        assert [end.effect for end in ends] == [Effect.UNKNOWN, Effect.DONE] * 20
