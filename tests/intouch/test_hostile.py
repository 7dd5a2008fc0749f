"""Hundreds of hostile origins, paths and headers: nothing outside the allow-list is ever connected to.

Each goes the way of a submission, through the real intake, validation and execution to the real client; and each is
handed to the client as it is, as if nobody had looked at it before. Decoys listen all around the one allowed server,
the environment names them as proxies, and every name but the allowed one resolves to one of them.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
import pytest
from builders import BODIES, PASSWORD, a_submission, an_approved, an_arrival
from intouch.decoys import among_decoys, decoys
from intouch.hostile_parts import CASES
from intouch.names import Names
from intouch.servers import RawServer, a_call, a_client, a_raw_server, http
from wiring import Vault, a_validation, an_execution, an_intake, folded, letters, nothing

from pipeline.domain.messages import Refused
from pipeline.domain.outcomes import Effect, Ending
from pipeline.domain.request_types import RequestType
from pipeline.intouch.client import Client

NAME = "intouch.kiosk.test"
PROXIES = (
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "ws_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "CGI_HTTP_PROXY",
)
BODY = json.dumps(BODIES[RequestType.GOODWILL_POINTS], separators=(",", ":"))
CONTENT = ("content-type", "application/json")


class Elsewhere(Names):
    """Knows the allowed name, and answers for every other one with a decoy."""

    def __init__(self, decoy):
        super().__init__(**{NAME: [["127.0.0.1"]]})
        self.decoy = decoy

    async def resolve(self, host, port=0, family=socket.AF_INET):
        if host in self.answers:
            return await super().resolve(host, port, family)
        self.asked.append(host)
        address, _, at = self.decoy.place.rpartition(":")
        return [one | {"host": address, "port": int(at)} for one in await super().resolve(NAME, port, family)]


@dataclass
class Surrounded:
    """One allowed server among decoys, and a client that may call it."""

    server: RawServer
    decoys: list
    names: Elsewhere
    client: Client
    vault: Vault

    @property
    def place(self):
        return f"{NAME}:{self.server.origin.rpartition(':')[2]}"

    def filled(self, value):
        """The value, or all texts in it, with the places of this world."""
        if isinstance(value, dict):
            return {self.filled(name): self.filled(held) for name, held in value.items()}
        decoy = self.decoys[0].place
        places = {"at": self.place, "name": NAME, "port": self.place.rpartition(":")[2], "decoy": decoy}
        for name, place in (places | {"dport": decoy.rpartition(":")[2]}).items():
            value = value.replace(f"{{{name}}}", place)
        return value

    def is_quiet(self):
        """Nobody connected to a decoy, and nobody asked for another name than the allowed one."""
        return not sum(decoy.noticed() for decoy in self.decoys) and set(self.names.asked) <= {NAME}


@asynccontextmanager
async def surrounded():
    async with among_decoys(lambda: a_raw_server(http()), ("127.0.0.1", 0)) as (server, port, around):
        names, vault = Elsewhere(around[0]), Vault()
        async with a_client(
            f"http://{NAME}:{port}",
            resolver=names,
            open_headers=lambda call: vault.held[call.sealed_headers][1],
            timeout_s=2.0,
        ) as client:
            yield Surrounded(server, around, names, client, vault)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """A decoy that the environment names as the proxy of every scheme and host, with a password in the netrc file."""
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text(f"machine {NAME} login obviously password fake\ndefault login obviously password fake\n")
    with decoys(("127.0.0.1", 0)) as (decoy,), pytest.MonkeyPatch.context() as patch:
        for name in PROXIES:
            patch.setenv(name, f"http://{decoy.place}")
        for name, value in {"NETRC": str(netrc), "NO_PROXY": "", "no_proxy": ""}.items():
            patch.setenv(name, value)
        yield decoy


@pytest.fixture(autouse=True)
def _quiet_proxy(proxy):
    """No test of this file may connect to the proxy."""
    yield
    assert not proxy.noticed()


def folded_through(world, submission):
    """(why it is refused, None) or (None, the call that execution asks for)."""
    step = folded(an_intake(world.vault), an_arrival(submission))
    for letter in letters(step):
        return str(letter.reason), None
    hosts = (f"http://{world.place}",)
    [judged] = folded(a_validation(hosts=hosts), *step.handovers).handovers
    if isinstance(judged, Refused):
        [code] = {str(fault.code) for fault in judged.faults}
        return code, None
    stage = an_execution(hosts=hosts)
    return None, folded(stage, an_approved(judged), nothing(stage)).call


def arrived(world, *, query="", headers=()):
    """The one request that may have come, line by line; the order of its headers is no matter here."""
    target = "/internal/goodwill/" + (f"?{query}" if query else "")
    ours = {("Host", world.place), ("Content-Length", str(len(BODY))), ("Connection", "close")}
    lines = sorted(f"{name}: {value}".encode() for name, value in {*ours, *headers})
    return [(f"POST {target} HTTP/1.1".encode(), lines, BODY.encode())]


def came(server):
    """The requests that came, in the same form."""
    parted = (request.partition(b"\r\n\r\n") for request in server.requests)
    return [((lines := head.split(b"\r\n"))[0], sorted(lines[1:]), body) for head, _, body in parted]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_a_hostile_submission_reaches_nobody_else(case):
    """It is refused by its code, or called: at the allowed server, as pinned, with the headers that may be sent."""
    async with surrounded() as world:
        good = {"hostname": f"http://{world.place}"}
        code, call = folded_through(world, a_submission(**good | {case.part: world.filled(case.value)}))

        assert code == case.code
        if call is not None:
            assert (await world.client(call)).effect is Effect.DONE
            query = case.sent if case.part == "queryParams" else ""
            given = world.filled(case.sent).items() if case.part == "headers" else [("Authorization", PASSWORD)]
            assert came(world.server) == arrived(world, query=query, headers=[CONTENT, *given])
        assert world.server.connections == (call is not None)
        assert world.is_quiet()


DIRECTLY = [case for case in CASES if case.part in ("hostname", "path", "method", "headers")]
ENDS = {"hostname": "host-not-allowed", "path": "bad-path", "method": "bad-path", "headers": "bad-header"}


@pytest.mark.parametrize("case", DIRECTLY, ids=[case.name for case in DIRECTLY])
async def test_a_hostile_call_reaches_nobody_else(case):
    """Though nobody looked at it before: the client refuses it before it connects, or sends what may be sent."""
    async with surrounded() as world:
        value = world.filled(case.value)
        if case.part == "headers":
            # What intake would have refused for their sum alone, the client may send.
            may_pass = case.code is None or case.name in ("header: too many", "header: too long")
            part, sent = {"headers": tuple(value.items())}, case.sent if case.code is None else value
        else:
            may_pass = value == f"http://{world.place}"
            part, sent = {"host" if case.part == "hostname" else case.part: value}, {}

        end = await world.client(a_call(f"http://{world.place}", body=BODY)._replace(**part))

        if may_pass:
            headers = {CONTENT, *world.filled(sent).items()}
            assert came(world.server) == arrived(world, headers=headers)
        else:
            assert end.ending == ENDS[case.part]
            assert world.server.connections == 0
        assert world.is_quiet()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "to", ["http://{decoy}/", "//{decoy}/", "\\\\{decoy}", "http://{at}@{decoy}/", "http://a.test/"]
)
async def test_a_redirect_leads_nowhere(status, to):
    """Wherever it points and however: nobody is connected to, and the allowed server is called once."""
    async with surrounded() as world:
        world.server.script = [
            http(b"", status=status, headers=(f"Location: {world.filled(to)}", f"Refresh: 0;url={to}"))
        ]

        assert (await world.client(a_call(f"http://{world.place}"))).ending is Ending.REDIRECT
        assert world.server.connections == 1
        assert world.is_quiet()


def test_there_are_enough():
    """More than 300 origins, paths and headers, each with a name of its own; all parts are there."""
    counted = Counter(case.part for case in CASES)

    assert len({case.name for case in CASES}) == len(CASES)
    assert counted["hostname"] + counted["path"] + counted["headers"] >= 300
    assert min(counted[part] for part in ("hostname", "path", "headers")) >= 100


async def test_the_decoys_notice():
    """Each of them, also a client that leaves at once; so the tests above can fail."""
    async with surrounded() as world:
        for decoy in world.decoys:
            address, _, port = decoy.place.rpartition(":")
            _, writer = await asyncio.open_connection(address.strip("[]"), int(port))
            writer.close()

            assert not world.is_quiet()
            assert world.is_quiet()


BELIEVED = ["user info", "user info with word", "fragment before", "query before", "slash before", "another port",
            "the allowed name, another port", "a name under it", "its name under another", "Cyrillic i"]  # fmt: skip


@pytest.mark.parametrize("name", BELIEVED)
async def test_a_client_that_believes_is_led_away(name):
    """The library alone connects to a decoy for the same origins, so these are no empty threats."""
    [case] = [case for case in CASES if case.name == f"origin: {name}"]
    async with surrounded() as world, aiohttp.ClientSession(connector=bare(world.names)) as session:
        assert not await is_quiet_after(world, session, world.filled(case.value))


async def test_a_client_that_believes_its_environment_is_led_away(monkeypatch):
    """The library alone connects to the proxy that the environment names."""
    async with surrounded() as world, aiohttp.ClientSession(connector=bare(world.names), trust_env=True) as session:
        monkeypatch.setenv("http_proxy", f"http://{world.decoys[0].place}")

        assert not await is_quiet_after(world, session, f"http://{world.place}")
        assert world.server.connections == 0


def bare(names):
    """The library's connector without anything of ours but the names."""
    return aiohttp.TCPConnector(resolver=names)


async def is_quiet_after(world, session, origin):
    """Whether nobody has noticed that this was called."""
    with suppress(aiohttp.ClientError, TimeoutError):
        await session.post(f"{origin}/", timeout=aiohttp.ClientTimeout(total=0.2))
    return world.is_quiet()
