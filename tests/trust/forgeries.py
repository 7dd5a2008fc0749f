"""A catalogue of tokens that nobody may accept, for a deployment with one HS256 secret: generated, each with a name.

Where the forger is an outsider the signature is wrong; where a careless issuer is the danger it is right, and the rest
is not. Every one is made from `good`, which is accepted. The catalogue of public keys is `forged_keys`.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any

from builders import CHECKER, ORG, T0
from trust.minting import HEADER, SECRET, STRANGERS, hmac_of, plain64, segment, signed, signed_by

from pipeline.trust.tokens import TOKEN_BYTES_MAX

NOW_S = T0 // 1000 + 1  # the broker's time of the record that carries the token
MAX_AGE_S, LEEWAY_S = 3600, 30
ISSUER, AUDIENCE = "https://issuer.example.test", "request-workflow"
GOOD: dict[str, Any] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": str(CHECKER),
    "orgId": ORG,
    "permissions": ["CanMakeRequest", "CanCheckRequest", "CanResolve"],
    "exp": NOW_S + 600,
}
STRANGERS_SECRET = b"the secret of a stranger, also fake, 40 B"
EMBEDDED = {"kty": "oct", "k": plain64(STRANGERS_SECRET).decode(), "alg": "HS256", "kid": "mine"}

Named = Iterator[tuple[str, bytes]]


def good(**claims: Any) -> bytes:
    """The token that is accepted; `claims` replaces some of its claims."""
    return signed(GOOD | claims)


def lacking(name: str) -> bytes:
    """The good claims but for one, rightly signed."""
    return signed({key: value for key, value in GOOD.items() if key != name})


def _algorithms() -> Named:
    head, payload, signature = good().split(b".")
    for letters in itertools.product("nN", "oO", "nN", "eE"):
        name = "".join(letters)
        unsigned = segment({"alg": name, "typ": "JWT"}) + b"." + payload
        yield f"alg {name}, no signature", unsigned + b"."
        yield f"alg {name}, the good one's signature", unsigned + b"." + signature
        yield f"alg {name}, rightly signed", unsigned + b"." + hmac_of(unsigned)
    for alg in (None, "", " ", "none ", "HS256 ", " HS256", "hs256", "HS256\x00", "\u0397S256", "HS-256", 256, True):
        yield f"alg {alg!r}", signed(GOOD, HEADER | {"alg": alg})
    for alg in (["HS256"], {"HS256": 1}, ["none", "HS256"]):
        yield f"alg as {alg}", signed(GOOD, HEADER | {"alg": alg})
    for alg in ("HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA", "dir", "A128KW"):
        yield f"alg {alg} over an HMAC-SHA-256", signed(GOOD, HEADER | {"alg": alg})
    for alg, digest in (("HS384", "sha384"), ("HS512", "sha512")):
        message = segment(HEADER | {"alg": alg}) + b"." + payload
        yield f"alg {alg}, rightly signed as such", message + b"." + hmac_of(message, SECRET, digest)
        yield f"alg HS256 over {digest}", head + b"." + payload + b"." + hmac_of(head + b"." + payload, SECRET, digest)
    yield "no alg", signed(GOOD, {"typ": "JWT"})
    yield "an empty header", signed(GOOD, {})


def _keys() -> Named:
    for name, secret in (("a stranger's", STRANGERS_SECRET), ("no", b""), ("a shorter", SECRET[:-1])):
        yield f"{name} secret", signed(GOOD, HEADER, secret)
    for alg, private in STRANGERS.items():
        yield f"{alg} by a stranger", signed_by(private, alg, GOOD, HEADER | {"alg": alg})
        yield f"{alg} by a stranger, called HS256", signed_by(private, alg, GOOD, HEADER)
    for name, value in {
        "jku": "https://attacker.example.test/keys.json",
        "x5u": "https://attacker.example.test/chain.pem",
        "jwk": EMBEDDED,
        "x5c": [base64.b64encode(STRANGERS_SECRET).decode()],
        "x5t": plain64(STRANGERS_SECRET).decode(),
        "kid": "../../../../dev/null",
        "k": EMBEDDED["k"],
    }.items():
        yield f"a stranger's secret in {name}", signed(GOOD, HEADER | {name: value}, STRANGERS_SECRET)
    for name in ("kid", "jku"):
        yield f"the empty file as the secret, by {name}", signed(GOOD, HEADER | {name: "/dev/null"}, b"")
    for kid in (None, 1, ["a"], {"a": 1}, True):
        yield f"kid as {kid!r}", signed(GOOD, HEADER | {"kid": kid})


def _headers() -> Named:
    for crit in (["exp"], ["b64"], ["http://example.test/none"], [], "exp", None, {}, [["exp"]]):
        yield f"crit {crit!r}", signed(GOOD, HEADER | {"crit": crit})
    for b64 in (False, True, "false", None):
        yield f"b64 {b64!r}", signed(GOOD, HEADER | {"b64": b64})
        yield f"b64 {b64!r}, declared", signed(GOOD, HEADER | {"b64": b64, "crit": ["b64"]})
    raw = segment(HEADER | {"b64": False, "crit": ["b64"]}) + b"." + json.dumps(GOOD).encode()
    yield "b64 false, the payload not encoded", raw + b"." + hmac_of(raw)
    kinds = ("JWE", "JOSE", "JOSE+JSON", "id+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "kb+jwt", "rt+jwt")
    for typ in (*kinds, "", "JWT ", "jwt\x00", "\uff2a\uff37\uff34", None, 1, True, ["JWT"], {"JWT": 1}):
        yield f"typ {typ!r}", signed(GOOD, HEADER | {"typ": typ})
    for text in (b'{"alg":"HS256","alg":"HS256"}', b'{"alg":"none","alg":"HS256"}', b'{"alg":"HS256","alg":"none"}'):
        yield f"header {text!r}", signed(GOOD, text)
    yield "alg twice, once spelled with an escape", signed(GOOD, b'{"alg":"HS256","\\u0061lg":"none"}')
    yield "typ twice", signed(GOOD, b'{"alg":"HS256","typ":"JWT","typ":"JWE"}')
    for text in (b"[]", b'"HS256"', b"null", b"{", b"", b"\xff", b"\xef\xbb\xbf{}", '{"alg":"HS256"}'.encode("utf-16")):
        yield f"header as {text!r}", signed(GOOD, text)
    yield "alg with an endless exponent", signed(GOOD, b'{"alg":0e9999999999999999999}')
    yield "header with half a surrogate", signed(GOOD, b'{"alg":"HS256","x":"\\ud800"}')
    yield "header nested deeply", signed(GOOD, b'{"alg":"HS256","x":' + b"[" * 900 + b"]" * 900 + b"}")


def _spellings() -> Named:
    token = good()
    head, payload, signature = token.split(b".")
    for white in (b" ", b"\n", b"\r\n", b"\t", b"\x00", b"\x0b", b"\xc2\xa0", b"\xef\xbb\xbf"):
        yield f"{white!r} before", white + token
        yield f"{white!r} after", token + white
        yield f"{white!r} inside", token[:50] + white + token[50:]
        yield f"{white!r} at the dot", head + b"." + white + payload + b"." + signature
    for around in (b'"%s"', b"'%s'", b"<%s>", b"Bearer %s", b"bearer %s", b"%s,%s"):
        yield f"{around!r} around", around.replace(b"%s", token)
    for place, name in enumerate(("header", "payload", "signature")):
        parts = token.split(b".")
        for end in (b"=", b"==", b"===", b"%3D", b"+", b"/", b"!", b"\xc3\xa9", b"A"):
            yield f"{name} with {end!r} at its end", b".".join(p + end * (n == place) for n, p in enumerate(parts))
        yield f"{name} empty", b".".join(b"" if n == place else p for n, p in enumerate(parts))
    yield "parts in another order", b".".join((payload, head, signature))
    yield "a dot before", b"." + token
    yield "a dot after", token + b"."
    yield (
        "the standard alphabet",
        signed(GOOD | {"x": "\u00ff>?~" * 9}, HEADER).translate(bytes.maketrans(b"-_", b"+/")),
    )
    for parts in (
        (head,),
        (head, payload),
        (head, payload, signature, signature),
        (head, b"", payload, b"", signature),
    ):
        yield f"{len(parts)} parts", b".".join(parts)
    jwe = segment({"alg": "dir", "enc": "A128GCM"})
    yield "a JWE", b".".join((jwe, b"", plain64(b"0" * 12), payload, plain64(b"0" * 16)))
    yield "the JSON serialisation", json.dumps({"protected": head.decode(), "payload": payload.decode()}).encode()


def _bits() -> Named:
    message, signature = good().rsplit(b".", 1)
    raw = base64.urlsafe_b64decode(signature + b"=")
    for keep in (0, 1, 16, 31):
        yield f"{keep} bytes of the signature", message + b"." + plain64(raw[:keep])
    for more in (b"\x00", b"\xff", raw):
        yield f"a signature with {more[:4]!r} and so on after it", message + b"." + plain64(raw + more)
    yield "a signature of zeros", message + b"." + plain64(bytes(32))
    yield "a signature in hex", message + b"." + raw.hex().encode()
    for bit in range(256):
        flipped = raw[: bit // 8] + bytes([raw[bit // 8] ^ 1 << bit % 8]) + raw[bit // 8 + 1 :]
        yield f"signature with bit {bit} flipped", message + b"." + plain64(flipped)
    for other in _endings(signature):
        yield f"signature that ends in {other[-1:].decode()}", message + b"." + other
    for payload in (segment(GOOD | {"sub": "1"}), segment(GOOD | {"permissions": ["CanResolve"]})):
        yield (
            f"payload {payload[-9:].decode()} under the good signature",
            b".".join((segment(HEADER), payload, signature)),
        )
    for name, part in (("header", segment(HEADER | {"x": 1})), ("payload", segment(GOOD | {"x": "y" * 2}))):
        for other in _endings(part):
            forged = other + b"." + segment(GOOD) if name == "header" else segment(HEADER) + b"." + other
            yield f"{name} that ends in {other[-1:].decode()}, rightly signed", forged + b"." + hmac_of(forged)


def _endings(part: bytes) -> list[bytes]:
    """The other spellings of a part: the bits of its last character that no byte uses are not 0."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    unused, value = {0: 1, 2: 16, 3: 4}[len(part) % 4], alphabet.index(part[-1:])
    return [part[:-1] + alphabet[value + more : value + more + 1] for more in range(1, unused)]


def _sizes() -> Named:
    yield "one byte too long", good(pad="x" * 6_000)[: TOKEN_BYTES_MAX + 1]
    yield "rightly signed, 9 KB", good(pad="x" * 6_500)
    yield "rightly signed, 900 KB", good(pad="x" * 675_000)
    yield "900 KB of dots", b"." * 900_000
    yield "900 KB of brackets", segment(b"[" * 675_000) + b".e30." + hmac_of(b"")
    yield "nothing", b""
    for text in (b"\xff" * 60, "t\u00f6ken.t\u00f6ken.t\u00f6ken".encode(), "\U0001f511.\U0001f511.x".encode()):
        yield f"{text[:9]!r}\u2026", text


def catalogue() -> dict[str, bytes]:
    """Every forgery that has to do with header, key, signature or spelling, by its name."""
    found: dict[str, bytes] = {}
    for name, token in itertools.chain(_algorithms(), _keys(), _headers(), _spellings(), _bits(), _sizes()):
        assert name not in found, name
        found[name] = token
    return found
