"""Key files: one algorithm per key, read again when they change, and never worse than before."""

from __future__ import annotations

import os

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from trust.minting import PRIVATE, jwk, jwks

from pipeline.trust.keys import FILE_BYTES_MAX, KeyFile, read_jwks
from pipeline.trust.tokens import Tokens, Wanted

CLAIMS = {"sub": "7", "orgId": 1, "exp": 1_700_000_000}
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what has to be refused


def a_token(alg, *, kid=None, signed_as=None, key=None):
    """A token signed with the private key of `alg`; `signed_as` names another algorithm in its header."""
    headers = {"kid": kid} if kid else None
    return jwt.encode(CLAIMS, key or PRIVATE[alg], algorithm=signed_as or alg, headers=headers).encode()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


def a_reader(path, *keys):
    path.write_text(jwks(*keys))
    return Tokens(KeyFile(path), Wanted())


@pytest.mark.parametrize("alg", PRIVATE)
def test_each_algorithm_verifies(path, alg):
    """A token names its key by kid and is verified with that key's algorithm."""
    reader = a_reader(path, *map(jwk, PRIVATE))

    assert reader.read(a_token(alg, kid=alg))
    assert reader.read(a_token(alg, kid="unknown")) is None
    assert reader.read(a_token(alg)) is None  # several keys and no kid


@pytest.mark.parametrize("alg", PRIVATE)
def test_a_lone_key_needs_no_kid(path, alg):
    """With one key there is nothing to choose."""
    assert a_reader(path, jwk(alg, kid=None)).read(a_token(alg))


def test_a_key_is_good_for_one_algorithm(path):
    """An RSA key for RS256 does not verify PS256, and a public key is no HMAC secret."""
    reader = a_reader(path, jwk("RS256"))
    public = PRIVATE["RS256"].public_key()

    assert reader.read(a_token("RS256", kid="RS256", signed_as="PS256")) is None
    confused = jwt.encode(CLAIMS, str(public.public_numbers().n).encode(), algorithm="HS256", headers={"kid": "RS256"})
    assert reader.read(confused.encode()) is None
    assert reader.read(a_token("RS256", kid="RS256"))


def test_another_key_of_the_same_kind_does_not_verify(path):
    """A signature by somebody else's key is nothing."""
    stranger = ec.generate_private_key(ec.SECP256R1())

    assert a_reader(path, jwk("ES256")).read(a_token("ES256", kid="ES256", key=stranger)) is None


def test_a_changed_file_is_read_again(path):
    """A key that is taken out stops counting at once, cached verdicts included; a new one counts at once."""
    reader = a_reader(path, jwk("ES256"))
    old, new = a_token("ES256", kid="ES256"), a_token("EdDSA", kid="EdDSA")
    assert reader.read(old)
    assert reader.read(new) is None

    path.write_text(jwks(jwk("EdDSA")))

    assert reader.read(old) is None
    assert reader.read(new)


def test_a_broken_file_leaves_the_keys_as_they_were(path):
    """A file that is gone or half written changes nothing but the fault; the next good one is taken."""
    path.write_text(jwks(jwk("ES256")))
    keys = KeyFile(path)
    before = keys.generation()

    path.write_text("{")
    assert keys.generation() == before
    assert keys.fault
    assert "is not a key set" in keys.fault
    assert keys.find({"alg": "ES256", "kid": "ES256"})

    path.unlink()
    assert keys.generation() == before
    assert keys.fault
    assert "stay in force" in keys.fault

    path.write_text(jwks(jwk("EdDSA")))
    assert keys.generation() != before
    assert keys.fault is None
    assert keys.find({"alg": "ES256", "kid": "ES256"}) is None


def test_a_file_that_only_looks_the_same_is_read_again(path):
    """The same size and another inode is another file: mounted secrets are exchanged that way."""
    keys = KeyFile(_written(path, jwks(jwk("ES256"))))
    before = keys.generation()
    other = _written(path.with_suffix(".new"), jwks(jwk("ES256")))
    stamp = path.stat().st_mtime_ns
    os.utime(other, ns=(stamp, stamp))

    other.replace(path)

    assert keys.generation() != before


def _written(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize("header", [{"alg": "ES256", "kid": 7}, {"alg": "ES256", "kid": ["ES256"]}, {"kid": "ES256"}])
def test_a_header_that_names_no_key_finds_none(path, header):
    """A kid that is no text, or a missing alg, finds nothing."""
    assert KeyFile(_written(path, jwks(jwk("ES256"), jwk("EdDSA")))).find(header) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "here is not a key set"),
        ("[]", "here is not a key set"),
        ('{"keys":{}}', "here holds no keys"),
        ('{"keys":[]}', "here holds no keys"),
        ('{"keys":[7]}', "here, key 1: not an object"),
        ('{"keys":[{"alg":"HS256","kty":"oct","k":"c2VjcmV0"}]}', "key 1: its alg must be one of RS256"),
        (jwks(jwk("RS256", alg=None)), "key 1: its alg must be one of"),
        (jwks(jwk("RS256", alg=["RS256"])), "key 1: its alg must be one of"),
        (jwks(jwk("RS256", alg="ES256")), "key 1: its kty and crv are not those of ES256"),
        (jwks(jwk("ES256", crv="P-384")), "its kty and crv are not those of ES256"),
        (jwks(jwk("ES256"), jwk("RS256", d="x")), "key 2: it holds its private half"),
        (jwks(jwk("ES256", use="enc")), "its use is not sig"),
        (jwks(jwk("RS256", key_ops=["encrypt", "wrapKey"])), "its key_ops do not hold verify"),
        (jwks(jwk("RS256", key_ops=[])), "its key_ops do not hold verify"),
        (jwks(jwk("RS256", key_ops="verify")), "its key_ops do not hold verify"),
        (jwks(jwk("ES256"), jwk("EdDSA", kid=None)), "key 2: it needs a kid"),
        (jwks(jwk("ES256", kid=7)), "key 1: it needs a kid"),
        (jwks(jwk("ES256"), jwk("EdDSA", kid="ES256")), "key 2: its kid stands twice"),
        (jwks(jwk("ES256", x="AAAA")), "its numbers make no key"),
        (jwks(jwk("RS256", private=WEAK)), "1024 bits are too few; 2048 are needed"),
    ],
)
def test_a_bad_key_set_is_named(text, sentence):
    """What is wrong is said with the file, the key's place and the fault, without a number of the key."""
    with pytest.raises(ValueError, match=f"here.*{sentence.removeprefix('here')}") as fault:
        read_jwks(text, where="here")

    assert "AAAA" not in str(fault.value)


@pytest.mark.parametrize("members", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"use": "sig", "key_ops": ["sign"]}])
def test_a_key_that_is_not_for_signatures_verifies_none(path, members):
    """It does not come into force by a changed file either: the keys read before do, and its tokens are nothing."""
    reader = a_reader(path, jwk("ES256"))

    path.write_text(jwks(jwk("ES256"), jwk("RS256", **members)))
    assert reader.read(a_token("RS256", kid="RS256")) is None
    assert reader.read(a_token("ES256", kid="ES256"))

    path.write_text(jwks(jwk("ES256"), jwk("RS256", use="sig", key_ops=["verify"])))
    assert reader.read(a_token("RS256", kid="RS256"))


def test_a_huge_file_is_not_read(path):
    """A key set has a size."""
    with pytest.raises(ValueError, match="is larger than"):
        KeyFile(_written(path, " " * (FILE_BYTES_MAX + 1)))


def test_a_missing_file_stops_the_start(path):
    """At the start there are no keys to fall back on."""
    with pytest.raises(FileNotFoundError):
        KeyFile(path)
