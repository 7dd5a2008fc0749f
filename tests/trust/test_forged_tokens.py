"""None of the catalogue's tokens lets anybody do anything, at the real reader and through the real intake.

Beside every refusal the good token that it was made from is accepted, so a reader that refuses everything fails.
"""

from __future__ import annotations

import pytest
from builders import a_decision, a_decision_arrival, a_submission, an_arrival, some_headers
from trust import forged_claims, forged_keys, forgeries
from trust.minting import PRIVATE, SECRET, jwk, jwks
from wiring import an_intake, events, folded, letters

from pipeline.trust.keys import KeyFile, SharedSecret
from pipeline.trust.tokens import TOKEN_BYTES_MAX, Tokens, Wanted

WANTED = Wanted(issuer=forgeries.ISSUER, audience=forgeries.AUDIENCE, max_age_s=forgeries.MAX_AGE_S)
AT_MS = forgeries.NOW_S * 1000
OUTSIDE, MALFORMED = forgeries.catalogue(), forged_claims.malformed()
TIMES, POWERLESS = forged_claims.times(), forged_claims.powerless()
PUBLIC = forged_keys.catalogue()


def cases(tokens):
    return [pytest.param(token, id=name.encode("unicode_escape").decode()) for name, token in tokens.items()]


def with_secret():
    return Tokens(SharedSecret(SECRET), WANTED)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    """The four public keys."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    path.write_text(jwks(*map(jwk, PRIVATE)))
    return KeyFile(path)


def outcome(reader, token, *, as_decision=True, at_ms=AT_MS):
    """What intake makes of a record that carries this token: "passed", or why it died."""
    headers = some_headers(token=token or b" ")
    if as_decision:
        arrival = a_decision_arrival(a_decision("some-request"), headers=headers, time_ms=at_ms)
    else:
        arrival = an_arrival(a_submission(), headers=headers, time_ms=at_ms)
    step = folded(an_intake(read_token=reader.read), arrival)
    dead = letters(step)
    assert bool(step.handovers) is not bool(dead)
    assert not (dead and events(step))
    return str(dead[0].reason) if dead else "passed"


@pytest.mark.parametrize("token", cases(OUTSIDE | MALFORMED))
def test_no_forgery_is_read_with_a_secret(token):
    """Neither an outsider's token nor a malformed one is read; the good one is, by the same reader."""
    reader = with_secret()

    assert reader.read(token) is None
    assert reader.read(forgeries.good())
    assert outcome(reader, token) == "bad-token"


@pytest.mark.parametrize("alg", PRIVATE)
def test_the_good_ones_pass(alg, key_file):
    """What the catalogues are made from is accepted, on both topics: otherwise the refusals would show nothing."""
    for reader, token in (
        (with_secret(), forgeries.good()),
        (Tokens(key_file, WANTED), forged_keys.good(alg)),
    ):
        assert outcome(reader, token) == "passed"
        assert outcome(reader, token, as_decision=False) == "passed"


@pytest.mark.parametrize("token", cases(PUBLIC))
def test_no_forgery_is_read_with_a_key_file(token, key_file):
    """Public keys are no secrets, and a token can choose neither its key nor its algorithm."""
    reader = Tokens(key_file, WANTED)

    assert reader.read(token) is None
    assert outcome(reader, token) == "bad-token"


@pytest.mark.parametrize("alg", PRIVATE)
def test_a_lone_key_takes_no_forgery_either(alg, tmp_path):
    """Without a kid in the file, a token that names one finds nothing: of all catalogues one token is good, which is
    signed by that key and names none.
    """
    path = tmp_path / "keys.json"
    path.write_text(jwks(jwk(alg, kid=None)))
    reader = Tokens(KeyFile(path), WANTED)

    accepted = [name for name, token in (OUTSIDE | MALFORMED | PUBLIC).items() if reader.read(token)]

    assert accepted == [f"{alg}: no kid"]


def test_a_secret_and_a_key_file_do_not_mix(key_file):
    """What one kind of deployment accepts, the other refuses."""
    reader = Tokens(key_file, WANTED)

    assert [name for name, token in (OUTSIDE | MALFORMED).items() if reader.read(token)] == []
    assert reader.read(forgeries.good()) is None
    assert [alg for alg in PRIVATE if with_secret().read(forged_keys.good(alg))] == []


@pytest.mark.parametrize("token", cases(TIMES))
def test_no_token_out_of_its_time_counts(token):
    """Expired, not begun, or good for longer than the deployment grants, each just beyond the 30 s of leeway."""
    assert outcome(with_secret(), token) == "bad-token"


@pytest.mark.parametrize("token", cases(forged_claims.in_time()))
def test_a_token_in_its_time_counts(token):
    """The same, just within the leeway."""
    assert outcome(with_secret(), token) == "passed"


def test_a_remembered_token_is_judged_per_record():
    """Its claims are remembered, its times are not: good for one record, void for a later one, good for the first
    again, as a backlog that is read late must find it.
    """
    reader, token = with_secret(), forgeries.good()
    late_ms = (forgeries.GOOD["exp"] + forgeries.LEEWAY_S) * 1000

    told = [outcome(reader, token, at_ms=at_ms) for at_ms in (AT_MS, late_ms, late_ms - 1, AT_MS)]

    assert told == ["passed", "bad-token", "passed", "passed"]
    assert len(reader._cache) == 1


@pytest.mark.parametrize("token", cases(POWERLESS))
def test_a_right_that_is_spelled_otherwise_is_none(token):
    """Such a token is good, and its bearer may not decide: default deny."""
    assert outcome(with_secret(), token) == "no-right"


class Watched:
    """Keys that count how often they are asked for."""

    def __init__(self):
        self.asked, self.keys = 0, SharedSecret(SECRET)

    def generation(self):
        self.asked += 1
        return self.keys.generation()

    def find(self, header):
        self.asked += 1
        return self.keys.find(header)


def padded(size):
    """A good token of this length, or up to three bytes less."""
    return forgeries.good(pad="x" * ((size - len(forgeries.good(pad=""))) * 3 // 4))


@pytest.mark.parametrize("size", [TOKEN_BYTES_MAX + 8, 900_000])
def test_a_huge_token_costs_nothing(size):
    """Beyond the bound no key is looked for and nothing is kept, however good the token is: its length is all that is
    looked at. Within the bound it is read.
    """
    keys = Watched()
    reader = Tokens(keys, WANTED)
    began, token = keys.asked, padded(size)

    assert len(token) > TOKEN_BYTES_MAX
    assert reader.read(token) is None
    assert (keys.asked, reader._cache) == (began, {})
    assert reader.read(padded(TOKEN_BYTES_MAX))
    assert keys.asked > began


def test_the_catalogue_is_large(figure):
    """At least 80 forged tokens; their number is printed."""
    count = len(OUTSIDE) + len(MALFORMED) + len(TIMES) + len(POWERLESS) + len(PUBLIC)
    figure(f"forged tokens: {count} refused, none accepted")

    assert count >= 80
