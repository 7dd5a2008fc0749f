"""What was sent was sent once, over a connection that nobody may have closed without our knowing."""

from __future__ import annotations

import aiohttp
import pytest
from intouch.servers import a_call, a_client, a_raw_server, http, outcome

from pipeline.domain.outcomes import Effect, Ending
from pipeline.domain.request_types import ROWS, RequestType

PUTS = tuple(kind for kind, row in ROWS.items() if row.method == "PUT")  # what aiohttp would repeat
UNCLEAR = outcome(Ending.UNCLEAR)


@pytest.mark.parametrize("kind", RequestType)
@pytest.mark.parametrize("is_kept", [False, True])
async def test_a_dropped_connection_is_in_doubt_and_not_repeated(kind, is_kept):
    """The other side reads the call and closes: nobody knows, and nothing is sent a second time."""
    async with a_raw_server(b"") as server, a_client(server.origin) as client:
        assert await client(a_call(server.origin, request_type=kind, is_repeatable=is_kept)) == UNCLEAR
        assert (len(server.requests), server.connections) == (1, 1)


@pytest.mark.parametrize("kind", PUTS)
async def test_a_kept_connection_that_drops_is_not_repeated(kind):
    """The second call goes over the kept connection, is read, and the connection closes: it was sent once."""
    async with a_raw_server(http(b'{"createdId":5}'), b"", is_kept=True) as server, a_client(server.origin) as client:
        call = a_call(server.origin, request_type=kind, is_repeatable=True)
        first, second = await client(call), await client(call)

        assert (first.effect, second) == (Effect.DONE, UNCLEAR)
        assert (len(server.requests), server.connections) == (2, 1)


async def test_aiohttp_by_itself_sends_a_put_twice():
    """Why the client guards against its library: a plain session repeats a PUT, even over a fresh connection."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with a_raw_server(b"") as server, aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.put(server.origin, data=b"{}", timeout=aiohttp.ClientTimeout(total=5))

        assert len(server.requests) == 2


async def test_calls_get_fresh_connections_unless_repeatable():
    """A kept connection may be closed already without our knowing; only what may be repeated takes that risk."""
    async with a_raw_server(http(), is_kept=True) as server, a_client(server.origin) as client:
        ends = [
            await client(a_call(server.origin, is_repeatable=is_repeatable))
            for is_repeatable in (False, False, True, True, False, True)
        ]

        assert {end.effect for end in ends} == {Effect.DONE}
        assert server.connections == 4
