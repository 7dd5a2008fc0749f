"""An answer has a size and a time: whatever comes, however slowly, and in whichever part of it."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import time
import tracemalloc
import zlib
from contextlib import asynccontextmanager, suppress

import pytest
from intouch.servers import a_call, a_client, a_raw_server, http, outcome

from pipeline.domain.outcomes import Effect, Ending
from pipeline.intouch.client import ANSWER_BYTES_MAX, ANSWER_HEADERS_MAX, HEADER_BYTES_MAX

MIB = 1024 * 1024
TIME_S = 0.3
HEAD = b"HTTP/1.1 201 X\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def in_doubt(http_status=None):
    return outcome(Ending.UNCLEAR, http_status)


@asynccontextmanager
async def a_talker(pieces, *, pause_s=0.0):
    """A server that reads the call's headers and then says one piece after the other until the other side has gone."""

    async def talk(reader, writer):
        talking.append(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                if pause_s:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(gone.wait(), pause_s)
                if gone.is_set():
                    break
        writer.close()

    gone, talking = asyncio.Event(), []
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        gone.set()
        server.close()
        await server.wait_closed()
        await asyncio.wait_for(asyncio.gather(*talking), 5)


def byte_by_byte(text, then=b"x"):
    """The text in single bytes, and then something that never ends."""
    return itertools.chain((bytes([byte]) for byte in text), itertools.repeat(then))


DRIPS = {
    "status line": (byte_by_byte(b"HTTP/1.1 201 "), None),
    "header name": (byte_by_byte(HEAD), None),
    "header value": (byte_by_byte(HEAD + b"X-A: "), None),
    "many headers": (itertools.chain([HEAD], itertools.repeat(b"X: y\r\n")), None),
    "body": (byte_by_byte(b"", b" "), 201),
    "chunks": (itertools.repeat(b"1\r\n \r\n"), 201),
    "chunk size": (byte_by_byte(b"", b"0"), 201),
    "chunk extension": (byte_by_byte(b"1;a=", b"x"), 201),
    "trailers": (itertools.chain([b"1\r\n \r\n0\r\n"], itertools.repeat(b"X: y\r\n")), 201),
    "interim answers": (itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), None),
    "early hints": (itertools.repeat(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), None),
}
BEGUN = {"body": HEAD + b"Content-Length: 100000\r\n\r\n"} | dict.fromkeys(
    ("chunks", "chunk size", "chunk extension", "trailers"), CHUNKED
)


@pytest.mark.parametrize("part", DRIPS)
async def test_a_drip_ends_at_the_total_time(part):
    """Every piece comes in time, and the answer never ends: the call does, in doubt, at its total time."""
    pieces, status = DRIPS[part]
    async with (
        a_talker(itertools.chain([BEGUN.get(part, b"")], pieces), pause_s=0.02) as origin,
        a_client(origin, timeout_s=TIME_S) as client,
    ):
        begun = time.monotonic()

        assert await client(a_call(origin)) == in_doubt(status)
        assert TIME_S - 0.05 < time.monotonic() - begun < 3


FLOODS = {
    "header value": itertools.chain([HEAD + b"X-A: "], itertools.repeat(b"x" * 65_536)),
    "header names": itertools.chain([HEAD], itertools.repeat(b"X-A: y\r\n" * 4_096)),
    "interim answers": itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_024),
    "body": itertools.chain([HEAD + b"\r\n"], itertools.repeat(b" " * 65_536)),
    "chunks": itertools.chain([CHUNKED], itertools.repeat(b"1\r\n \r\n" * 4_096)),
    "chunk extension": itertools.chain([CHUNKED, b"1;a="], itertools.repeat(b"x" * 65_536)),
    "trailers": itertools.chain([CHUNKED, b"1\r\n \r\n0\r\n"], itertools.repeat(b"X-A: y\r\n" * 4_096)),
    "trailer": itertools.chain([CHUNKED, b"1\r\n \r\n0\r\nX-A: "], itertools.repeat(b"x" * 65_536)),
}


@pytest.mark.parametrize("part", FLOODS)
async def test_a_flood_takes_neither_memory_nor_time(part):
    """As much as the other side can send, for as long as it likes: the call ends in doubt, and holds a few MiB."""
    async with a_talker(FLOODS[part]) as origin, a_client(origin, timeout_s=2 * TIME_S) as client:
        tracemalloc.start()
        begun = time.monotonic()
        end = await client(a_call(origin))
        taken_s = time.monotonic() - begun
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert end.ending is Ending.UNCLEAR
        assert taken_s < 3
        assert peak < 8 * MIB


def deflated(size):
    """So many zeros, small."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()


BOMBS = {
    "gzip": (gzip.compress(bytes(64 * MIB)), "gzip"),
    "deflate": (deflated(64 * MIB), "deflate"),
    "gzip in gzip": (gzip.compress(gzip.compress(bytes(64 * MIB))), "gzip, gzip"),
    "many members": (gzip.compress(bytes(MIB)) * 64, "gzip"),
    "empty members": (gzip.compress(b"") * 20_000, "gzip"),
    "unknown coding": (b"{}", "zstd-or-whatever"),
    "brotli": (b"\x0b\x02\x80{}\x03", "br"),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_small_answer_that_unpacks_to_a_huge_one(name):
    """It is unpacked piece by piece, up to the cap and no further; a coding that nobody asked for is no answer."""
    body, coding = BOMBS[name]
    async with (
        a_raw_server(http(body, headers=(f"Content-Encoding: {coding}",))) as server,
        a_client(server.origin) as client,
    ):
        tracemalloc.start()
        end = await client(a_call(server.origin))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert end.effect is Effect.UNKNOWN
        assert peak < 8 * MIB


@pytest.mark.parametrize(
    ("headers", "effect"),
    [
        ([f"X-{number}: y" for number in range(ANSWER_HEADERS_MAX - 1)], Effect.DONE),
        ([f"X-{number}: y" for number in range(ANSWER_HEADERS_MAX)], Effect.UNKNOWN),
        (["X-A: " + "x" * (HEADER_BYTES_MAX - 3)], Effect.DONE),
        (["X-A: " + "x" * (HEADER_BYTES_MAX - 2)], Effect.UNKNOWN),
        ([f"X-{number}: " + "y" * 8_000 for number in range(ANSWER_HEADERS_MAX - 1)], Effect.DONE),
    ],
    ids=["as many", "one more", "as long", "one longer", "all of them long"],
)
async def test_an_answers_headers_are_bound(headers, effect):
    """In their number and in the size of each, both inclusive; so all of them together meet the body's cap."""
    assert ANSWER_HEADERS_MAX * HEADER_BYTES_MAX == ANSWER_BYTES_MAX
    async with a_raw_server(http(headers=headers)) as server, a_client(server.origin) as client:
        assert (await client(a_call(server.origin))).effect is effect
