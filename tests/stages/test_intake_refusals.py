"""What intake buries: every reason, on both topics, in the contract's order, without a word of the input."""

from __future__ import annotations

import json

import pytest
from builders import (
    CANARY,
    CHECKER,
    ORG,
    PASSWORD,
    T0,
    a_decision,
    a_decision_arrival,
    a_resolution,
    a_submission,
    a_token,
    an_arrival,
    some_headers,
)
from hypothesis import given
from hypothesis import strategies as st
from wiring import Vault, an_intake, events, folded, letters

from pipeline.domain.access import CAN_CHECK, CAN_MAKE, CAN_RESOLVE
from pipeline.domain.deadletters import RECORD_BYTES_MAX, RECORD_HEADERS_MAX, read_original
from pipeline.domain.jsontext import VALUES_MAX
from pipeline.stages.inbox import origin_of

SUBMITTED, DECIDED = an_arrival(a_submission()), a_decision_arrival(a_decision("some-request"))
TOPICS = [pytest.param(SUBMITTED, id="requests"), pytest.param(DECIDED, id="decisions")]
INTAKE = an_intake()


def buried(arrival):
    """The one dead letter; nothing else comes of it."""
    step = folded(INTAKE, arrival)
    [letter] = letters(step)
    assert (letter.stage, letter.source, letter.dead_at_ms) == ("intake", origin_of(arrival), arrival.time_ms)
    assert (events(step), step.handovers, step.memory, step.note.reason) == ([], (), (), letter.reason)
    return letter


def reason(arrival):
    return str(buried(arrival).reason)


VALUES = {
    "no-value": [None],
    "not-utf8": [b"\xff", '{"a":"é"}'.encode("latin-1"), '{"a":1}'.encode("utf-16")],
    "not-json": [b"", b" ", b"{", b"{'a':1}", b"\xef\xbb\xbf{}", b"{} {}"],
    "ambiguous-json": [
        b'{"a":1,"a":1}',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":"\\ud800"}',
        b"[" * 70 + b"]" * 70,
        b"[" * 10**5,
    ],
    "not-an-object": [b"[]", b"null", b'"x"', b"5", b"true"],
}

CASES = [pytest.param(name, value, id=f"{name}-{at}") for name, held in VALUES.items() for at, value in enumerate(held)]


@pytest.mark.parametrize("arrival", TOPICS)
@pytest.mark.parametrize(("expected", "value"), CASES)
def test_values_that_nobody_can_use(arrival, expected, value):
    """On both topics alike."""
    assert reason(arrival._replace(value=value)) == expected


@pytest.mark.parametrize("arrival", TOPICS)
def test_a_timestamp_that_is_not_the_brokers(arrival):
    """A publisher must not be able to choose when its token is judged."""
    assert reason(arrival._replace(is_broker_time=False)) == "bad-time"


@pytest.mark.parametrize("arrival", TOPICS)
@pytest.mark.parametrize(
    "more",
    [
        ("X-CAP-REQUEST-ID", b"xyz"),
        ("x-cap-ui-auth-token", b"second"),
        ("x-cap-api-auth-org-id", str(ORG).encode()),
    ],
)
def test_headers_that_cannot_be_used(arrival, more):
    """Malformed or there twice; the sentence names the header and repeats no value."""
    letter = buried(arrival._replace(headers=(*arrival.headers, more)))

    assert letter.reason == "bad-header"
    assert more[0].lower() in letter.detail
    assert more[1].decode() not in letter.detail


@pytest.mark.parametrize("arrival", TOPICS)
@pytest.mark.parametrize("part", ["key", "value", "headers"])
def test_size_counts_key_value_and_headers(arrival, part):
    """1,000,000 bytes together; the bound is inclusive, and what is larger is hashed instead of sealed."""
    size = sum(len(name) + len(held) for name, held in arrival.headers) + len(arrival.value)
    room = RECORD_BYTES_MAX - size

    def grown(more):
        if part == "headers":
            return arrival._replace(headers=(*arrival.headers, ("x", b"x" * (more - 1))))
        return arrival._replace(**{part: (getattr(arrival, part) or b"") + b" " * more})

    letter = buried(grown(room + 1))
    assert (letter.reason, letter.sealed, len(letter.sha256)) == ("too-large", None, 64)
    assert letters(folded(INTAKE, grown(room))) == []


@pytest.mark.parametrize("arrival", TOPICS)
def test_the_number_of_headers_is_bound(arrival):
    """1,000 in all; empty ones cost no byte and count."""
    more = [("", None)] * (RECORD_HEADERS_MAX - len(arrival.headers))

    assert letters(folded(INTAKE, arrival._replace(headers=(*arrival.headers, *more)))) == []
    letter = buried(arrival._replace(headers=(*arrival.headers, *more, ("", None))))
    assert (letter.reason, letter.sealed, len(letter.sha256)) == ("too-large", None, 64)


@pytest.mark.parametrize("arrival", TOPICS)
def test_the_number_of_values_is_bound(arrival):
    """What holds more than 50,000 values is read no further, however small it is."""
    letter = buried(arrival._replace(value=b'{"a":[' + b"0," * VALUES_MAX + b"0]}"))

    assert (letter.reason, letter.detail) == (
        "ambiguous-json",
        "The JSON is ambiguous: it holds more than 50000 values.",
    )


@pytest.mark.parametrize("named", [None, 5, "", "no such type", ["GOODWILL_POINTS"]])
def test_unknown_types(named):
    """Nobody could be told in whose words."""
    assert reason(an_arrival(a_submission() | {"requestType": named})) == "unknown-type"


@pytest.mark.parametrize("arrival", TOPICS)
@pytest.mark.parametrize(
    "token", [b"x", b" ", a_token(expires_ms=T0 - 60_000), a_token(expires_ms=T0 + 30 * 86_400_000)]
)
def test_bad_tokens(arrival, token):
    """Forged, blank, expired, or good for too long."""
    assert reason(arrival._replace(headers=some_headers(token=token))) == "bad-token"


@pytest.mark.parametrize("arrival", TOPICS)
def test_a_token_is_judged_at_the_brokers_time(arrival):
    """A backlog voids nothing, and a record published after the expiry is void however soon it is read."""
    headers = some_headers(token=a_token(CHECKER, expires_ms=arrival.time_ms + 1))
    backlog = arrival._replace(headers=headers, seen_ms=arrival.time_ms + 10**9)

    assert letters(folded(INTAKE, backlog)) == []
    assert reason(backlog._replace(time_ms=arrival.time_ms + 40_000, seen_ms=0)) == "bad-token"


@pytest.mark.parametrize("arrival", TOPICS)
@pytest.mark.parametrize("org", ["51251", "0", None])
def test_tokens_of_another_org(arrival, org):
    """Token and header must agree; no header is org 0."""
    assert reason(arrival._replace(headers=some_headers(org=org))) == "org-mismatch"


@pytest.mark.parametrize(
    ("value", "can"),
    [
        (a_decision("r"), [CAN_MAKE, CAN_RESOLVE]),
        (a_decision("r"), []),
        (a_resolution("r"), [CAN_MAKE, CAN_CHECK]),
    ],
)
def test_decisions_need_their_right(value, can):
    """Checking and resolving are two rights."""
    assert reason(a_decision_arrival(value, a_token(CHECKER, can=can))) == "no-right"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (some_headers(token=b"x"), "bad-token"),
        (some_headers(org="1"), "org-mismatch"),
        (some_headers(token=a_token(CHECKER, can=[])), "no-right"),
    ],
)
@pytest.mark.parametrize("decision", [a_decision, a_resolution])
def test_a_refused_decision_lies_with_its_request(decision, expected, headers):
    """Who looks for what became of a request finds it by the id, as whatever approval buries of it."""
    letter = buried(a_decision_arrival(decision("Some-Request"), headers=headers))

    assert (letter.reason, letter.request_id, letter.key) == (expected, "some-request", b"some-request")
    assert json.loads(letter.value())["requestId"] == "some-request"


def test_a_malformed_decision():
    """The detail says where."""
    letter = buried(a_decision_arrival({"requestId": "canary"}))

    assert (letter.reason, letter.org_id, letter.request_id) == ("bad-decision", ORG, None)
    assert "actionName" in letter.detail


@pytest.mark.parametrize(("decision", "expected"), [(a_decision, "unknown-request"), (a_resolution, "not-in-doubt")])
def test_an_id_that_is_too_long_for_any_request(decision, expected):
    """Nobody has to be asked, and no record is keyed by it."""
    letter = buried(a_decision_arrival(decision("x" * 500_000)))

    assert (letter.reason, letter.request_id, letter.key.decode()) == (expected, None, letter.source.place)


FAULTS = {  # each on its own, in the contract's order; worst first
    "too-large": lambda a: a._replace(key=b"x" * 1_000_001),
    "bad-time": lambda a: a._replace(is_broker_time=False),
    "bad-header": lambda a: a._replace(headers=(*a.headers, ("X-CAP-REQUEST-ID", b"xyz"))),
    "bad-decision": lambda a: a._replace(value=json.dumps(json.loads(a.value) | {"actionName": "x"}).encode()),
    "bad-token": lambda a: a._replace(headers=tuple((n, b"x" if n.endswith("TOKEN") else h) for n, h in a.headers)),
    "org-mismatch": lambda a: a._replace(headers=tuple((n, b"1" if n.endswith("ORG-ID") else h) for n, h in a.headers)),
    "no-right": lambda a: a._replace(
        headers=tuple(
            (n, a_token(can=[]) if n.endswith("TOKEN") and h != b"x" else h)  # a forged token stays forged
            for n, h in a.headers
        )
    ),
}


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_decisions_are_checked_in_the_contracts_order(first):
    """With all later faults present too, the first one is told: bad-header, bad-decision, bad-token, and so on."""
    names, arrival = list(FAULTS), DECIDED
    for name in reversed(names[first:]):
        arrival = FAULTS[name](arrival)

    assert reason(arrival) == names[first]


def test_the_original_is_sealed_and_bound_to_its_place():
    """Key, value and headers as they came; two records never share a seal."""
    vault = Vault()
    arrival = an_arrival(b"not json", key=b"k", headers=(*some_headers(), ("x", None)))

    [letter] = letters(folded(an_intake(vault), arrival))
    binding, plain = vault.held[letter.sealed]
    assert read_original(plain) == (arrival.key, arrival.value, arrival.headers)
    assert binding == ("requests.submitted/3/17",)


@given(st.binary(max_size=80), st.sampled_from([SUBMITTED, DECIDED]))
def test_garbage_never_stops_a_neighbour(value, arrival):
    """Whatever the bytes are, they become one dead letter that tells nothing of them."""
    letter = buried(arrival._replace(value=value, key=value))

    assert (letter.request_id, letter.key.decode()) == (None, letter.source.place)


@pytest.mark.parametrize("arrival", TOPICS)
@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"bad-decision"}))
def test_dead_letters_tell_no_secrets(arrival, name):
    """Neither the token nor the call's credentials, in any of its bytes; nor does a refusal."""
    step = folded(INTAKE, FAULTS[name](arrival))

    said = [post.key + post.value() + repr(post.headers()).encode() for post in (*step.events, *step.handovers)]
    assert said
    for secret in (CANARY, PASSWORD):
        assert secret.encode() not in b"".join(said)


def test_an_idempotency_key_of_256_bytes():
    """It counts for a submission; a decision needs none, so nobody looks at one."""
    long = ("Idempotency-Key", b"k" * 256)
    submitted, decided = (arrival._replace(headers=(*arrival.headers, long)) for arrival in (SUBMITTED, DECIDED))

    assert reason(submitted) == "bad-header"
    assert INTAKE.read(decided).transport.key is None
