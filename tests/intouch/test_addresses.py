"""The address of a call: looked up once, checked, and that very one connected to."""

from __future__ import annotations

import asyncio
import socket
import time

import aiohttp
import pytest
from intouch.decoys import among_decoys
from intouch.names import Mute, Names
from intouch.servers import a_call, a_client, a_raw_server, a_server, http, outcome

from pipeline.domain.outcomes import Effect, Ending
from pipeline.intouch.addresses import ForbiddenAddress, checked_socket

FORBIDDEN = outcome(Ending.HOST_NOT_ALLOWED)
UNREACHED = outcome(Ending.UNREACHED)
UNSPECIFIED = "0.0.0.0"  # noqa: S104 - as an address to call
METADATA = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200"]
NEVER = [
    *METADATA,
    UNSPECIFIED,
    "255.255.255.255",
    "224.0.0.1",
    "fe80::1%lo",
    "::",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
]


def named(origin, name="name.test"):
    """The same origin by a name."""
    return origin.replace("127.0.0.1", name)


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("others", [[], ["::ffff:169.254.169.254"]])
async def test_a_name_with_forbidden_addresses_only_is_not_called(address, others):
    """Although the name is allowed: nothing is connected to, nothing was sent, and that is known."""
    names = Names(name_test=[[address, *others]])
    async with a_client("http://name.test", resolver=names) as client:
        assert await client(a_call("http://name.test")) == FORBIDDEN
        assert names.asked == ["name.test"]


@pytest.mark.parametrize("address", [*NEVER[:-3], "::ffff:169.254.169.254", "::", "64:ff9b::a9fe:a9fe"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_forbidden_address_as_origin_is_not_called(address, scheme):
    """An origin that is an address meets the same check, though nothing is looked up."""
    origin = f"{scheme}://" + (f"[{address}]" if ":" in address else address).replace("%lo", "")
    names = Names()
    async with a_client(origin, resolver=names) as client:
        assert await client(a_call(origin)) == FORBIDDEN
        assert names.asked == []


async def test_forbidden_addresses_among_others_are_dropped():
    """A name that also has a good address is called there, and nowhere else."""
    async with a_server() as server:
        names = Names(name_test=[["169.254.169.254", UNSPECIFIED, "::", "127.0.0.1", "fe80::1"]])
        async with a_client(named(server.origin), resolver=names) as client:
            assert (await client(a_call(named(server.origin)))).effect is Effect.DONE
        assert len(server.seen) == 1


@pytest.mark.parametrize("later", ["169.254.169.254", "127.0.0.2", "::1"])
async def test_a_name_that_changes_after_the_look_up_changes_nothing(later):
    """Rebinding: the first answer was checked, so the first answer is connected to; nobody asks a second time."""
    async with among_decoys(a_server) as (server, _, others):
        names = Names(name_test=[["127.0.0.1"], [later]])
        async with a_client(named(server.origin), resolver=names) as client:
            assert (await client(a_call(named(server.origin)))).effect is Effect.DONE

        assert not any(decoy.noticed() for decoy in others)
        assert (len(server.seen), names.asked) == (1, ["name.test"])


async def test_a_name_that_turns_bad_is_not_called_again():
    """Every call looks the name up once and checks what it gets: no memory of a better answer."""
    async with a_server() as server:
        names = Names(name_test=[["127.0.0.1"], ["127.0.0.1"], ["169.254.169.254"]])
        async with a_client(named(server.origin), resolver=names) as client:
            ends = [await client(a_call(named(server.origin))) for _ in range(4)]

        assert [end.effect for end in ends[:2]] == [Effect.DONE] * 2
        assert ends[2:] == [FORBIDDEN] * 2
        assert (len(server.seen), names.asked) == (2, ["name.test"] * 4)


async def test_a_refused_connection_is_not_looked_up_again():
    """Nobody listens at the checked address: the call ends, and a second answer is not asked for."""
    async with a_raw_server(http()) as gone:
        origin = named(gone.origin)

    async with a_server() as server:
        names = Names(name_test=[["127.0.0.1"], ["127.0.0.2"]])
        async with a_client(origin, server.origin, resolver=names) as client:
            assert await client(a_call(origin)) == UNREACHED
        assert names.asked == ["name.test"]


@pytest.mark.parametrize("answers", [{}, {"name_test": [[]]}])
async def test_a_name_without_an_address_is_unreached(answers):
    """Unknown, or known without an address: the host is away, which is not the same as forbidden."""
    async with a_client("http://name.test", resolver=Names(**answers)) as client:
        assert await client(a_call("http://name.test")) == UNREACHED


async def test_an_answer_that_is_a_name_is_forbidden():
    """To connect to a name would be to look it up again, unchecked."""
    async with a_client("http://name.test", resolver=Names(name_test=[["localhost"]])) as client:
        assert await client(a_call("http://name.test")) == FORBIDDEN


async def test_the_wait_for_a_look_up_is_inside_the_total_time():
    """A resolver that never answers ends at the total time; nothing was sent."""
    async with a_client("http://name.test", resolver=Mute(), timeout_s=0.2) as client:
        begun = time.monotonic()

        assert await client(a_call("http://name.test")) == UNREACHED
        assert 0.15 < time.monotonic() - begun < 3


async def test_a_name_that_hangs_is_looked_up_once():
    """Its callers give up, and its look-up keeps its thread: with one for each, a healthy origin found none left."""
    resolver = Mute()
    async with a_client("http://name.test", resolver=resolver, timeout_s=0.1) as client:
        ends = [await client(a_call("http://name.test"))]
        ends += await asyncio.gather(*(client(a_call("http://name.test")) for _ in range(20)))

    assert ends == [UNREACHED] * 21
    assert resolver.asked == ["name.test"]


async def test_every_call_is_looked_up_and_checked():
    """A name that was good before is not called when it has become another address."""
    async with a_server() as server:
        names = Names(name_test=[["127.0.0.1"], ["169.254.169.254"]])
        origin = named(server.origin)
        async with a_client(origin, resolver=names) as client:
            ends = [await client(a_call(origin, is_repeatable=True)) for _ in range(2)]

        assert [end.ending for end in ends] == [Ending.DONE, Ending.HOST_NOT_ALLOWED]
        assert names.asked == ["name.test"] * 2
        assert names.is_closed


async def test_the_host_header_is_the_name():
    """The address that was connected to stands nowhere in what is sent."""
    async with a_raw_server(http()) as server:
        origin = named(server.origin)
        async with a_client(origin, resolver=Names(name_test=[["127.0.0.1"]])) as client:
            assert (await client(a_call(origin))).effect is Effect.DONE

        assert f"Host: {origin.removeprefix('http://')}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize("address", NEVER)
def test_no_socket_is_made_for_a_forbidden_address(address):
    """The last step before a connection asks once more, whoever chose the address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    with pytest.raises(ForbiddenAddress):
        checked_socket((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 80)))


async def test_the_systems_resolver_is_asked_by_default():
    """Without another one, a name of the machine leads where the machine says."""
    async with a_server() as server, a_client(named(server.origin, "localhost")) as client:
        assert (await client(a_call(named(server.origin, "localhost")))).effect is Effect.DONE


async def test_the_double_answers_like_the_systems_resolver():
    """What `Names` says has the shape and the values of what aiohttp's own resolver says."""
    real = aiohttp.DefaultResolver()

    [given] = await real.resolve("127.0.0.1", 80, socket.AF_INET)
    [doubled] = await Names(**{"127_0_0_1": [["127.0.0.1"]]}).resolve("127.0.0.1", 80)

    assert doubled == given
    await real.close()
