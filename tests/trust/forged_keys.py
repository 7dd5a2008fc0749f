"""A catalogue of tokens that nobody may accept, for a deployment with a key file: public keys that anybody has.

The file holds one key per algorithm, each under a kid of its own; a lone key has none. Made from `good`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric import utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from trust.forgeries import GOOD
from trust.minting import PRIVATE, STRANGERS, hmac_of, jwk, plain64, segment, signed, signed_by

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493

Named = Iterator[tuple[str, bytes]]


def header(alg: str, **more: Any) -> dict[str, Any]:
    """A good header for the key of this algorithm; what is replaced by None is left out."""
    members = {"alg": alg, "typ": "JWT", "kid": alg} | more
    return {name: value for name, value in members.items() if value is not None}


def good(alg: str, **more: Any) -> bytes:
    """The token that is accepted, by the key of this algorithm."""
    return signed_by(PRIVATE[alg], alg, GOOD, header(alg, **more))


def _renditions(alg: str) -> dict[str, bytes]:
    """Every text that somebody may take for "the key" and use as a secret."""
    public = PRIVATE[alg].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    main = jwk(alg)["n" if alg in ("RS256", "PS256") else "x"]
    found = {
        "PEM": pem,
        "PEM without its last line break": pem.rstrip(),
        "PEM with CR LF": pem.replace(b"\n", b"\r\n"),
        "DER": der,
        "base64 of DER": base64.b64encode(der),
        "JWK": json.dumps(jwk(alg)).encode(),
        "JWK, compact and sorted": json.dumps(jwk(alg), sort_keys=True, separators=(",", ":")).encode(),
        "number as text": main.encode(),
        "number as bytes": base64.urlsafe_b64decode(main + "=="),
        "kid": alg.encode(),
    }
    if alg in ("RS256", "PS256"):
        found["PKCS #1"] = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    return found


def _confusion(alg: str) -> Named:
    for name, secret in _renditions(alg).items():
        yield f"HS256 with the {name} as secret", signed(GOOD, header("HS256", kid=alg), secret)
        yield f"an HMAC with the {name}, called {alg}", signed(GOOD, header(alg), secret)
    yield "HS512 with the kid", signed(GOOD, header("HS512", kid=alg), alg.encode())
    unsigned = segment(header("none", kid=alg)) + b"." + segment(GOOD)
    yield "alg none", unsigned + b"."
    yield "alg none, an HMAC of nothing", unsigned + b"." + hmac_of(unsigned, b"")


def _other_algorithms(alg: str) -> Named:
    kin = {"RS256": ("RS384", "RS512", "PS256"), "PS256": ("RS256", "PS384", "PS512"), "ES256": (), "EdDSA": ()}
    for other in kin[alg]:
        yield f"{other} by the same key", signed_by(PRIVATE[alg], other, GOOD, header(other, kid=alg))
        yield f"{other} by the same key, called {alg}", signed_by(PRIVATE[alg], other, GOOD, header(alg))
    for named in ("ES384", "ES512", "ES256K", "Ed25519", "Ed448", alg.lower() + " ", f"{alg}\x00", "RS1", "dir"):
        yield f"called {named!r}", signed_by(PRIVATE[alg], alg, GOOD, header(named, kid=alg))
    for kid in PRIVATE:
        if kid != alg:
            yield f"under the kid of {kid}", good(alg, kid=kid)
            yield f"called {kid}, under its kid", signed_by(PRIVATE[alg], alg, GOOD, header(kid))


def _kids(alg: str) -> Named:
    yield "no kid", good(alg, kid=None)
    texts = ("", " ", "unknown", f" {alg}", f"{alg} ", f"{alg}\x00", f"{alg}\n", alg.swapcase(), "0", "1", "null", "*")
    ways = (f"../{alg}", f"./{alg}", f"/keys/{alg}", "/dev/null", "C:\\keys", f"file:///{alg}", f"{alg}#{alg}")
    tricks = (f"' OR kid='{alg}", "${jndi:ldap://x.test/a}", "| id", "__class__", "\u202e" + alg, "\u0000", "k" * 5000)
    for kid in (*texts, *ways, *tricks):
        yield f"kid {kid!r:.30}", good(alg, kid=kid)
    for odd in ([alg], [], {alg: alg}, {}, 0, 1, 1.5, True, False, [[alg]]):
        yield f"kid as {odd!r}", good(alg, kid=odd)
    yield "kid as null", signed_by(PRIVATE[alg], alg, GOOD, header(alg) | {"kid": None})
    twice = json.dumps(header(alg))[:-1] + f',"kid":"{alg}"}}'
    yield "kid twice", signed_by(PRIVATE[alg], alg, GOOD, twice.encode())


def _strangers(alg: str) -> Named:
    stranger = STRANGERS[alg]
    der = stranger.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    chain = base64.b64encode(der).decode()
    for name, value in {
        "jku": "https://attacker.example.test/keys.json",
        "x5u": "https://attacker.example.test/chain.pem",
        "jwk": jwk(alg, stranger),
        "x5c": [chain],
        "x5t#S256": chain,
        "keys": [jwk(alg, stranger)],
    }.items():
        yield f"a stranger's key in {name}", signed_by(stranger, alg, GOOD, header(alg, **{name: value}))
        own = header(alg, kid="mine", **{name: value})
        yield f"a stranger's key in {name}, under its own kid", signed_by(stranger, alg, GOOD, own)
    yield "a stranger's key", signed_by(stranger, alg, GOOD, header(alg))


def _signatures(alg: str) -> Named:
    message, last = good(alg).rsplit(b".", 1)
    raw = base64.urlsafe_b64decode(last + b"==")
    found = {
        "half a signature": raw[: len(raw) // 2],
        "one byte less": raw[:-1],
        "one byte more": raw + b"\x00",
        "one byte before": b"\x00" + raw,
        "zeros": bytes(len(raw)),
        "ones": b"\xff" * len(raw),
        "halves exchanged": raw[len(raw) // 2 :] + raw[: len(raw) // 2],
        "first bit": bytes([raw[0] ^ 0x80]) + raw[1:],
        "last bit": raw[:-1] + bytes([raw[-1] ^ 1]),
        "one byte": b"\x00",
        **_special(alg, raw),
    }
    for name, signature in found.items():
        yield f"signature: {name}", message + b"." + plain64(signature)
    yield "signature: of another payload", good(alg).split(b".")[0] + b"." + segment(GOOD | {"sub": "1"}) + b"." + last
    yield "signature: none", message + b"."
    yield "a dot after", message + b"." + last + b"."
    yield "a space after", message + b"." + last + b" "
    yield "padding after", message + b"." + last + b"=="


def _special(alg: str, raw: bytes) -> dict[str, bytes]:
    """What each kind of signature is known to be forged with."""
    if alg == "EdDSA":
        s = int.from_bytes(raw[32:], "little")
        return {
            "S beyond the order": raw[:32] + (s + ED25519_ORDER).to_bytes(32, "little"),
            "the neutral point and S 0": b"\x01" + bytes(63),
        }
    if alg == "ES256":
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        pairs = {(0, 0), (0, s), (r, 0), (1, 1), (P256_ORDER, P256_ORDER), (r, P256_ORDER), (P256_ORDER, s), (0, 1)}
        numbers = {f"r {a:x}, s {b:x}": a.to_bytes(32, "big") + b.to_bytes(32, "big") for a, b in sorted(pairs)}
        return numbers | {"in DER": utils.encode_dss_signature(r, s), "zeros in DER": utils.encode_dss_signature(0, 0)}
    number = PRIVATE[alg].public_key().public_numbers().n
    plus = int.from_bytes(raw, "big") + number
    return {"the number 1": (1).to_bytes(len(raw), "big"), "plus the modulus": plus.to_bytes(len(raw) + 1, "big")}


def catalogue() -> dict[str, bytes]:
    """Every forgery against the key file, for each of its algorithms, by its name."""
    found: dict[str, bytes] = {}
    for alg in PRIVATE:
        for kinds in (_confusion, _other_algorithms, _kids, _strangers, _signatures):
            for name, token in kinds(alg):
                assert f"{alg}: {name}" not in found, name
                found[f"{alg}: {name}"] = token
    return found
