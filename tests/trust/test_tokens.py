"""Which tokens are read, and what they are read as; forged, ambiguous and malformed ones are nothing."""

from __future__ import annotations

import hashlib
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given
from hypothesis import strategies as st
from trust.minting import HEADER, SECRET, segment, signed

from pipeline.domain.claims import Claims
from pipeline.trust import tokens as tokens_module
from pipeline.trust.keys import SharedSecret
from pipeline.trust.tokens import TOKEN_BYTES_MAX, Tokens, Wanted, mint

EXP = 1_700_000_000
GOOD = {"sub": "232134", "orgId": 51250, "permissions": ["CanMakeRequest"], "exp": EXP}


def a_reader(**wanted):
    return Tokens(SharedSecret(SECRET), Wanted(**wanted))


def read(token, **wanted):
    return a_reader(**wanted).read(token)


def test_a_good_token_becomes_claims():
    """Every claim arrives in its place; what is optional and missing is None, or no right at all."""
    full = GOOD | {"name": "A Maker", "nbf": EXP - 10, "iat": EXP - 20.5, "entities": ["50682289", 7]}

    assert read(signed(full), max_age_s=60) == Claims(
        user_id=232134,
        name="A Maker",
        org_id=51250,
        permissions=frozenset({"CanMakeRequest"}),
        entities=frozenset({"50682289", "7"}),
        expires_s=EXP,
        max_age_s=60,
        not_before_s=EXP - 10,
        issued_s=EXP - 20.5,
    )
    assert read(signed({"sub": 7, "orgId": 0, "exp": EXP})) == Claims(
        7, None, 0, frozenset(), None, expires_s=EXP, max_age_s=86_400
    )


def test_times_are_not_judged_here():
    """A token that expired long ago is read: whether it was good then is asked per record."""
    claims = read(signed(GOOD | {"exp": 1, "nbf": 10**12}))

    assert claims
    assert not claims.good_at(EXP * 1000)


def without(name):
    return {key: value for key, value in GOOD.items() if key != name}


@pytest.mark.parametrize(
    "payload",
    [
        without("sub"),
        without("orgId"),
        without("exp"),
        *(
            GOOD | {"sub": value}
            for value in (0, -1, 1.0, True, None, "", "0", "-1", "+1", "07", " 7", "7 ", "7.0", "x")
        ),
        *(GOOD | {"sub": value} for value in ("\u0667", [7], 2**63, str(2**63), "9" * 400)),
        *(GOOD | {"orgId": value} for value in (True, False, -1, 1.0, "51250", None, 2**63)),
        *(GOOD | {"exp": value} for value in (None, True, str(EXP), [EXP], 10**399)),
        *(GOOD | {"nbf": value} for value in (None, False, "0")),
        *(GOOD | {"iat": value} for value in (None, True, "0")),
        *(GOOD | {"permissions": value} for value in (None, "CanMakeRequest", {"CanMakeRequest": True}, [1])),
        *(GOOD | {"entities": value} for value in (None, "1", [None], [True], [1.5], {"1": 1})),
        GOOD | {"name": 7},
        [GOOD],
        "text",
        b"",
        b"{",
        b"\xff",
        json.dumps(GOOD).encode()[:-1] + b',"sub":"1"}',
        json.dumps(GOOD).encode()[:-1] + b',"x":{"a":1,"a":2}}',
        json.dumps(GOOD).encode()[:-1] + b',"x":NaN}',
        json.dumps(GOOD).encode()[:-1] + b',"x":' + b"[" * 2000 + b"]" * 2000 + b"}",
    ],
)
def test_a_malformed_payload_is_nothing(payload):
    """A claim of the wrong shape, one that is missing or stands twice, and JSON of two readings are refused."""
    assert read(signed(GOOD))
    assert read(signed(payload)) is None


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"typ": "JWT"},
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS384"},
        {"alg": "RS256"},
        {"alg": ["HS256"]},
        HEADER | {"crit": ["exp"]},
        HEADER | {"crit": []},
        HEADER | {"b64": True},
        HEADER | {"typ": "JWE"},
        HEADER | {"typ": None},
        HEADER | {"typ": 1},
        HEADER | {"kid": 1},
        [HEADER],
        b'{"alg":"HS256","alg":"HS256"}',
        b'{"alg":"none","alg":"HS256"}',
        b"",
        b"\xff",
    ],
)
def test_a_bad_header_is_nothing(header):
    """Another algorithm, an extension that must be understood, another type, or a header twice: refused."""
    assert read(signed(GOOD, header)) is None


@pytest.mark.parametrize(
    "header", [{"alg": "HS256"}, HEADER | {"typ": "jwt"}, HEADER | {"typ": "at+jwt"}, HEADER | {"kid": "x"}]
)
def test_a_plain_header_is_read(header):
    """`typ` may be missing or spelled as its RFCs allow; with one secret, `kid` names nothing."""
    assert read(signed(GOOD, header))


def test_a_forged_token_is_nothing():
    """Another secret, no signature, an altered payload or an altered signature: refused."""
    good = signed(GOOD)
    head, payload, signature = good.split(b".")
    other = segment(GOOD | {"sub": "1"})

    assert read(signed(GOOD, secret=SECRET + b"x")) is None
    assert read(b".".join((segment({"alg": "none"}), payload, b""))) is None
    assert read(b".".join((head, payload, b""))) is None
    assert read(b".".join((head, other, signature))) is None
    assert read(b".".join((head, payload, segment(hashlib.sha256(payload).digest())))) is None


@pytest.mark.parametrize("token", [b"", b"x", b"a.b", b"a.b.c.d", b"a.b.c", b" ", b"\x00.\x00.\x00", b"\xff" * 9])
def test_what_is_no_token_is_nothing(token):
    """Bytes that are no compact token are refused."""
    assert read(token) is None


def test_a_padded_token_is_nothing():
    """There is one spelling per token: padding, line breaks and spaces around it are refused."""
    good = signed(GOOD)

    assert [read(text) for text in (good + b"=", good + b"\n", b" " + good, good.replace(b".", b".=", 1))] == [None] * 4


@given(st.binary(max_size=300))
def test_garbage_never_raises(token):
    """Any bytes are read as nothing."""
    assert read(token) is None


def test_size_is_judged_first():
    """Above 8 KiB nothing is parsed: even a good token is refused."""
    fits = signed(GOOD | {"pad": "x" * 5_000})
    large = signed(GOOD | {"pad": "x" * 6_200})

    assert len(fits) <= TOKEN_BYTES_MAX < len(large)
    assert read(fits)
    assert read(large) is None


def test_issuer_and_audience_are_checked_when_set():
    """Unset, they do not matter; set, they must be there: the audience alone or in a list."""
    payload = GOOD | {"iss": "a", "aud": ["b", "c"]}

    assert read(signed(payload))
    assert read(signed(payload), issuer="a", audience="c")
    assert read(signed(GOOD | {"aud": "b"}), audience="b")
    assert read(signed(payload), issuer="b") is None
    assert read(signed(payload), audience="a") is None
    assert read(signed(GOOD), issuer="a") is None
    assert read(signed(GOOD), audience="b") is None


def test_claim_names_are_configurable():
    """Another deployment may call its claims otherwise; the usual names are nothing then."""
    names = {"user": "uid", "name": "full", "org": "org", "permissions": "perms", "entities": "scope"}
    token = signed({"uid": 7, "full": "A", "org": 1, "perms": ["CanResolve"], "scope": ["1"], "exp": EXP})

    assert read(token, **names) == Claims(
        7, "A", 1, frozenset({"CanResolve"}), frozenset({"1"}), expires_s=EXP, max_age_s=86_400
    )
    assert read(signed(GOOD), **names) is None


def test_the_cache_is_bounded_and_remembers():
    """The same token gives the very same claims without being verified again; the oldest verdict makes room."""
    reader = a_reader()
    first = signed(GOOD)
    claims = reader.read(first)

    assert reader.read(first) is claims

    for number in range(tokens_module.CACHE_MAX):
        reader.read(b"%d" % number)

    assert len(reader._cache) == tokens_module.CACHE_MAX
    assert reader.read(first) == claims
    assert reader.read(first) is not claims


def test_no_secret_and_no_token_shows():
    """Neither the secret nor a token stands in what is printed by mistake."""
    key = SharedSecret(SECRET).find({"alg": "HS256"})
    reader = a_reader()
    token = signed(GOOD)
    reader.read(token)

    assert repr(key) == "Key(HS256)"
    assert repr(SECRET) not in f"{reader!r} {vars(SharedSecret(SECRET))}"
    assert token not in repr(reader._cache).encode()


def test_a_short_secret_is_refused_by_length():
    """A secret under 32 bytes stops the start; the sentence holds its length and nothing of it."""
    with pytest.raises(ValueError, match=r"^the HS256 secret has 5 bytes; at least 32 are needed$"):
        SharedSecret(b"short")
    with pytest.raises(ValueError, match="has 5 bytes"):
        mint(b"short", user_id=1, org_id=1, permissions=(), expires_s=EXP)


def test_a_minted_token_is_read():
    """What `token` mints is what intake reads, with the deployment's own names, issuer and audience."""
    wanted = Wanted(user="uid", issuer="a", audience="b")
    text = mint(
        SECRET, user_id=7, org_id=1, permissions=("CanCheckRequest",), expires_s=EXP, wanted=wanted, entities=("9",)
    )

    plain = mint(SECRET, user_id=7, org_id=1, permissions=(), expires_s=EXP)

    assert read(plain.encode()) == Claims(7, None, 1, frozenset(), None, expires_s=EXP, max_age_s=86_400)
    assert Tokens(SharedSecret(SECRET), wanted).read(text.encode()) == Claims(
        7, None, 1, frozenset({"CanCheckRequest"}), frozenset({"9"}), expires_s=EXP, max_age_s=86_400
    )


def test_a_token_limited_to_no_entity_stays_limited():
    """An empty list of entities is a limit, not the lack of one."""
    text = mint(SECRET, user_id=7, org_id=1, permissions=(), expires_s=EXP, entities=())

    claims = read(text.encode())

    assert claims
    assert claims.entities == frozenset()


def test_a_public_key_is_no_secret():
    """Key confusion: an RS256 token is nothing to a reader that was given a secret."""
    token = jwt.encode(GOOD, generate_private_key(65537, 2048), algorithm="RS256")

    assert read(token.encode()) is None
