"""What goes over the wire: the bytes that were approved, and the headers that the maker gave."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intouch.servers import a_call, a_client, a_raw_server, a_server, http

from pipeline.domain.jsontext import write_json
from pipeline.domain.outcomes import Effect, Ending
from pipeline.domain.request_types import ROWS, RequestType
from pipeline.intouch import wire
from pipeline.trust.credentials import open_headers, seal_headers
from pipeline.trust.sealing import Sealer

CONTENT = ("content-type", "application/json")
CANARY = "Basic obviously-fake"


async def sent(call, **client):
    """The one request that arrives when the call is made."""
    async with a_server() as server, a_client(server.origin, **client) as made:
        assert (await made(call._replace(host=server.origin))).effect is Effect.DONE
        (seen,) = server.seen
        return seen


def given_headers(seen):
    """The headers that arrived without those that belong to the connection."""
    return tuple(pair for pair in seen.headers if pair[0] not in {"Host", "Content-Length", "Connection"})


async def test_the_whole_request_byte_by_byte():
    """Nothing is added to what the maker gave but what belongs to the connection, which is used for this call only."""
    call = a_call("", query='{"a":"","b c":"ü"}', headers=(("X-CAP-b", "2"), CONTENT, ("x-cap-A", "1")))
    async with a_raw_server(http()) as server, a_client(server.origin) as client:
        await client(call._replace(host=server.origin))

        assert server.requests == [
            b"POST /internal/goodwill/?a=&b%20c=%C3%BC HTTP/1.1\r\n"
            b"Host: " + server.origin.removeprefix("http://").encode() + b"\r\n"
            b"X-CAP-b: 2\r\ncontent-type: application/json\r\nx-cap-A: 1\r\n"
            b"Content-Length: 13\r\nConnection: close\r\n\r\n"
            b'{"points":20}'
        ]


@pytest.mark.parametrize(
    "body",
    [
        '{"points":20}',
        '{"points":20.0}',
        '{"b":1,"a":0.1,"c":12345678901234567890}',
        '{"a":"","n":null,"t":"ü\\u0001"}',
    ],
)
async def test_the_body_is_sent_exactly(body):
    """The text that was serialised once is what arrives, byte for byte."""
    assert (await sent(a_call("", body=body))).body == body.encode()


async def test_a_large_body_is_sent_whole():
    """A body near the largest that intake takes arrives whole, and nothing warns."""
    body = '{"a":"' + "x" * 990_000 + '"}'

    assert (await sent(a_call("", body=body))).body == body.encode()


async def test_method_and_path_are_those_of_the_call():
    """A PUT stays a PUT, and its path is not touched."""
    seen = await sent(a_call("", request_type=RequestType.CUSTOMER_STATUS_CHANGE, query='{"source":"INSTORE"}'))

    assert (seen.method, seen.target) == ("PUT", "/v2/customers/lookup/status?source=INSTORE")


@pytest.mark.parametrize("kind", RequestType)
async def test_no_other_call_than_the_types_own_is_made(kind):
    """Though validation pinned path and method: a call with another one is not made, and nothing connects."""
    others = {(row.method, row.path) for row in ROWS.values()} - {(ROWS[kind].method, ROWS[kind].path)}
    async with a_raw_server(http()) as server, a_client(server.origin) as client:
        for method, path in {*others, ("GET", ROWS[kind].path), (ROWS[kind].method, f"@{server.origin[7:]}/")}:
            end = await client(a_call(server.origin, request_type=kind, method=method, path=path))

            assert end.ending is Ending.BAD_PATH
        assert server.connections == 0


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", ""),
        ("{}", ""),
        ('{"b":"1","a":"2"}', "b=1&a=2"),
        ('{"accountId":"","source":"INSTORE"}', "accountId=&source=INSTORE"),
        (
            '{"a":20,"b":20.0,"c":1e5,"d":12345678901234567890,"e":-0.0}',
            "a=20&b=20.0&c=1e5&d=12345678901234567890&e=-0.0",
        ),
        ('{"a":true,"b":false}', "a=true&b=false"),
        ('{"a":"true","b":"20"}', "a=true&b=20"),
        ('{"a b":"c d"}', "a%20b=c%20d"),
        ('{"a":"ü&=+?#/%25"}', "a=%C3%BC%26%3D%2B%3F%23%2F%2525"),
        ('{"identifierValue":"+919780375690"}', "identifierValue=%2B919780375690"),
        ('{"email":"a@b.example"}', "email=a%40b.example"),
        ('{"a":"\\r\\nX: y"}', "a=%0D%0AX%3A%20y"),
        ('{"a":null}', "a=null"),
    ],
)
async def test_the_query_is_encoded_in_its_order(query, text):
    """Order, empty texts and the JSON text of numbers and booleans survive; everything else is percent-encoded."""
    call = a_call("", query=query)

    assert wire.query_text(query) == text
    assert (await sent(call)).target == call.path + ("?" + text if text else "")


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=4))
def test_no_library_touches_the_query_again(parameters):
    """The address keeps the encoded query as it is, whatever texts went in."""
    text = wire.query_text(write_json(parameters))

    assert wire.address(a_call("http://a.example", query=write_json(parameters))).raw_query_string == text


async def test_headers_go_out_in_order_and_as_spelled():
    """Names keep their case, values every character."""
    headers = (
        ("X-b", "ü"),
        CONTENT,
        ("x-A", ""),
        ("Accept", "x/y"),
        ("User-Agent", "maker"),
        ("Accept-Encoding", "br"),
    )

    assert given_headers(await sent(a_call("", headers=headers))) == headers


async def test_connection_and_identity_headers_are_dropped():
    """What belongs to the connection is ours: a maker cannot set it, not even among the sealed ones."""
    headers = (("Host", "evil"), ("X-Forwarded-For", "1"), ("Connection", "close"), ("Expect", "100-continue"), CONTENT)
    sealed = (("Proxy-Authorization", "x"), ("Authorization", CANARY))

    seen = await sent(a_call("", headers=headers, sealed_headers="x"), open_headers=lambda _call: sealed)

    assert given_headers(seen) == (CONTENT, ("Authorization", CANARY))
    assert [value for name, value in seen.headers if name == "Host"] != ["evil"]


@pytest.mark.parametrize("headers", [(), (("content_type", "application/json"),)])
async def test_json_is_named_where_the_maker_named_nothing(headers):
    """Without a content type of the maker's, the body is called what it is."""
    assert given_headers(await sent(a_call("", headers=headers))) == (*headers, CONTENT)


async def test_without_authorization_none_is_sent():
    """A call without credentials goes out without any."""
    seen = await sent(a_call(""))

    assert not [name for name, _ in seen.headers if name.lower() == "authorization"]


async def test_sealed_credentials_are_opened_and_sent():
    """What intake sealed arrives in clear at Intouch, and stands in clear nowhere in the call."""
    sealer = Sealer((bytes(range(64)),))
    call = a_call("")
    sealed = seal_headers(sealer, call.binding, (("Authorization", CANARY), ("Cookie", "a=b; c=d")))
    call = call._replace(sealed_headers=sealed)

    seen = await sent(call, open_headers=lambda call: open_headers(sealer, call))

    assert given_headers(seen) == (CONTENT, ("Authorization", CANARY), ("Cookie", "a=b; c=d"))
    assert CANARY not in repr(call)


@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "a\r\nX-B: c"),
        ("X-A", "\x00"),
        ("X-A", "\ud800"),
        ("X A", "1"),
        ("X-A:", "1"),
        ("Content-Type", "text/xml"),
        ("", "1"),
    ],
)
async def test_an_illegal_header_is_not_sent(header):
    """Though validation refused it before: the call is not made, and nothing connects."""
    async with a_raw_server(http()) as server, a_client(server.origin) as client:
        end = await client(a_call(server.origin, headers=(header,)))

        assert end.ending is Ending.BAD_HEADER
        assert server.connections == 0


def test_a_refused_header_shows_no_value():
    """The sentence names the header and nothing of its value."""
    with pytest.raises(wire.Unsendable, match="header 1: the value of Authorization holds a line break") as fault:
        wire.headers(a_call("", headers=()), (("Authorization", CANARY + "\n"),))

    assert CANARY not in str(fault.value)
