"""What was sent was sent once, over a connection that nobody may have closed without our knowing."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from intouch.servers import a_call, a_client, a_raw_server, http, outcome

from pipeline.domain.outcomes import Effect, Ending
from pipeline.domain.request_types import RequestType

UNCLEAR = outcome(Ending.UNCLEAR)


@pytest.mark.parametrize("kind", RequestType)
@pytest.mark.parametrize("is_repeatable", [False, True])
async def test_a_dropped_connection_is_in_doubt_and_not_repeated(kind, is_repeatable):
    """The other side reads the call and closes: nobody knows, and nothing is sent a second time."""
    async with a_raw_server(b"") as server, a_client(server.origin) as client:
        assert await client(a_call(server.origin, request_type=kind, is_repeatable=is_repeatable)) == UNCLEAR
        assert (len(server.requests), server.connections) == (1, 1)


@pytest.mark.parametrize("stray", [http(), http(status=408), b"HTTP/1.1 200 X\r\n\r\n", b"\0"], ids=repr)
@pytest.mark.parametrize("is_repeatable", [False, True])
async def test_an_answer_that_nobody_asked_for_is_nobodys(stray, is_repeatable):
    """The server says something more a little later, and the library would read it, out of the connection that it kept,
    as the answer to the next call: that one ended as approved and was never sent.
    """
    refusal = http(b'{"errors":[{"code":1}]}', status=400)
    async with a_raw_server(http(), refusal, is_kept=True, late=stray) as server, a_client(server.origin) as client:
        call = a_call(server.origin, is_repeatable=is_repeatable)
        ends = []
        for _ in range(2):
            ends.append(await client(call))
            await asyncio.sleep(0.1)  # all of it has come

        assert [end.ending for end in ends] == [Ending.DONE, Ending.REFUSED]
        assert (len(server.requests), server.connections) == (2, 2)


async def test_aiohttp_by_itself_sends_a_put_twice():
    """Why the client guards against its library: a plain session repeats a PUT, even over a fresh connection."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with a_raw_server(b"") as server, aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.put(server.origin, data=b"{}", timeout=aiohttp.ClientTimeout(total=5))

        assert len(server.requests) == 2


async def test_every_call_gets_a_fresh_connection():
    """A kept one may be closed already without our knowing."""
    async with a_raw_server(http(), is_kept=True) as server, a_client(server.origin) as client:
        ends = [await client(a_call(server.origin, is_repeatable=bool(at % 2))) for at in range(4)]

        assert {end.effect for end in ends} == {Effect.DONE}
        assert server.connections == 4
