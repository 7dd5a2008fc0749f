"""What an outcome says of times: when the call began and ended, how long to wait, and what Intouch asked for."""

from __future__ import annotations

import itertools

import pytest
from aiohttp import web
from intouch.servers import NOW_MS, SUCCESS, a_call, a_client, a_raw_server, a_server, http

from pipeline.domain.outcomes import Ending

IN_TEN_S = "Tue, 14 Nov 2023 22:13:30 GMT"  # NOW_MS is 22:13:20


def a_clock():
    """A second later each time it is looked at."""
    times = itertools.count(NOW_MS, 1000)
    return lambda: next(times)


async def test_a_call_says_when_it_began_and_when_it_had_ended():
    """By the worker's clock: before anything was sent, and after the last byte."""
    looked = []
    clock = a_clock()

    def time_ms():
        looked.append(clock())
        return looked[-1]

    async with a_server() as server, a_client(server.origin, time_ms=time_ms) as client:
        server.answer = lambda _request: looked.append("answered") or web.json_response(SUCCESS, status=201)
        end = await client(a_call(server.origin))

    assert looked.index("answered") == 1
    assert (end.began_ms, end.at_ms) == (looked[0], looked[-1])


async def test_a_call_that_was_not_made_says_so_too():
    """What is refused before it begins has both times as well."""
    async with a_client(time_ms=a_clock()) as client:
        end = await client(a_call("http://a.example"))

    assert end.ending is Ending.HOST_NOT_ALLOWED
    assert end.began_ms == NOW_MS < end.at_ms


@pytest.mark.parametrize("attempt", [1, 2, 7])
async def test_the_wait_is_that_of_the_attempt(attempt):
    """How long to wait is drawn for the number that the call carries, whatever the client called before."""
    async with (
        a_raw_server(http(status=500)) as server,
        a_client(server.origin, backoff_ms=lambda number: number * 100) as client,
    ):
        await client(a_call(server.origin))
        end = await client(a_call(server.origin, attempt=attempt))

    assert (end.wait_ms, end.asked_ms) == (attempt * 100, None)


@pytest.mark.parametrize(
    ("said", "asked_ms", "wait_ms"),
    [
        ("3", 3000, 3000),
        ("1", 1000, 2000),
        ("0", 0, 2000),
        (IN_TEN_S, 10_000, 10_000),
        ("99999999", 86_400_000, 86_400_000),
        ("Fri, 02 Feb 99999999999999999999 14:12:51 GMT", None, 2000),
        ("\udcff", None, 2000),
        ("soon", None, 2000),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_waited_for(status, said, asked_ms, wait_ms):
    """What Intouch asks for, if that is longer than the wait of the attempt; nonsense asks for nothing."""
    answer = http(status=status).replace(
        b"\r\n", b"\r\nRetry-After: " + said.encode(errors="surrogateescape") + b"\r\n", 1
    )
    async with a_raw_server(answer) as server, a_client(server.origin, backoff_ms=lambda _number: 2000) as client:
        end = await client(a_call(server.origin))

    assert (end.http_status, end.asked_ms, end.wait_ms) == (status, asked_ms, wait_ms)


async def test_retry_after_of_an_answer_that_breaks_off():
    """The head of the answer came: its status and what it asked for are known, though the body never came whole."""
    answer = http(status=503, headers=("Retry-After: 3",), length=1000)
    async with a_raw_server(answer) as server, a_client(server.origin) as client:
        end = await client(a_call(server.origin))

    assert (end.ending, end.http_status, end.asked_ms, end.is_away) == (Ending.UNCLEAR, 503, 3000, True)


async def test_the_connection_of_an_unread_answer_is_cut():
    """What was left of an oversized answer cannot become the beginning of the next one."""
    huge = http(b"x" * (2 << 20))
    async with a_raw_server(huge, http(), is_kept=True) as server, a_client(server.origin) as client:
        ends = [await client(a_call(server.origin, is_repeatable=True)) for _ in range(2)]

        assert [end.ending for end in ends] == [Ending.UNCLEAR, Ending.DONE]
        assert server.connections == 2
