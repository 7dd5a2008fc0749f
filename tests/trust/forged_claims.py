"""Tokens that are rightly signed and say what no token may say (contract, section 6): the claims of `forgeries.good`,
each with one thing changed. `times` are judged at the broker's time of the record; all others as they are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from trust.forgeries import AUDIENCE, GOOD, ISSUER, LEEWAY_S, MAX_AGE_S, NOW_S, good, lacking
from trust.minting import HEADER, segment, signed

HUGE = 10**399
NO_LIST: tuple[Any, ...] = (None, True, 1, "CanCheckRequest", {"CanCheckRequest": True}, "")
WRONG: dict[str, tuple[Any, ...]] = {
    "sub": (
        *(None, True, False, 0, -1, 1.0, 233253.0, 2**63, HUGE, -HUGE, [233253], {"id": 233253}, [], {}),
        *("", " ", "0", "-1", "+1", "01", "00", " 1", "1 ", "1\n", "\t1", "1.0", "1e3", "0x1", "1_000", "1,000", "x"),
        *("\u0661", "\uff11", "\u00b2", "1\x00", "\u200b1", "1\u200b", "null", "true", "9" * 20, str(2**63), "9" * 400),
    ),
    "orgId": (None, True, False, -1, 51250.0, 2**63, HUGE, "51250", "", [51250], {"id": 51250}, []),
    "permissions": (*NO_LIST, [["CanCheckRequest"]], [None], ["CanCheckRequest", 1], [True], [{}], {}),
    "entities": (*NO_LIST, [["1"]], [None], [True], [1.5], ["1", {}], {"1": 1}, {}),
    "exp": (None, True, False, "", str(NOW_S + 600), "1e99", [NOW_S + 600], {}, HUGE, -HUGE),
    "nbf": (None, True, False, "", "0", [0], {}, HUGE),
    "iat": (None, True, False, "", "0", [0], {}, HUGE),
    "name": (7, True, ["A"], {}),
    "iss": (None, True, 1, "", [ISSUER], {"iss": ISSUER}, ISSUER + "/", ISSUER.upper(), ISSUER[:-1], " " + ISSUER),
    "aud": (None, True, 1, "", [], [[AUDIENCE]], {AUDIENCE: 1}, AUDIENCE + " ", AUDIENCE.upper(), AUDIENCE[:-1], ["x"]),
}
NEEDED = ("sub", "orgId", "exp", "iss", "aud")
# A claim twice: the same name, the same value, and the same name spelled with an escape.
TWICE = {"sub": "1", "orgId": "0", "permissions": '["CanResolve"]', "exp": str(NOW_S + 60), "iss": '"x"', "aud": '"x"'}
RIGHTS = (
    *("cancheckrequest", "CANCHECKREQUEST", "canCheckRequest", "CanCheckRequest ", " CanCheckRequest", "CanCheck"),
    *("CanCheckRequests", "CanCheckRequest\x00", "CanCheckRequest\n", "\u0421anCheckRequest", "CanCheckReque\u017ft"),
    *("*", "", "admin", "CanMakeRequest,CanCheckRequest", "CanMakeRequest CanCheckRequest", "CanMakeRequest"),
)


def _texts() -> Iterator[tuple[str, bytes]]:
    plain = json.dumps(GOOD)
    for name, value in TWICE.items():
        yield f"{name} twice", f'{plain[:-1]},"{name}":{value}}}'.encode()
        yield f"{name} twice, the same", f'{plain[:-1]},"{name}":{json.dumps(GOOD[name])}}}'.encode()
        yield f"{name} twice, first", f'{{"{name}":{value},{plain[1:]}'.encode()
        yield f"{name} twice, with an escape", f'{plain[:-1]},"\\u{ord(name[0]):04x}{name[1:]}":{value}}}'.encode()
    for more in ('"x":{"a":1,"a":1}', '"x":NaN', '"x":Infinity', '"x":1e999', '"x":"\\ud800"', '"x":1' + "0" * 401):
        yield f"with {more[:24]}", f"{plain[:-1]},{more}}}".encode()
    yield "nested deeply", f'{plain[:-1]},"x":{"[" * 65}{"]" * 65}}}'.encode()
    yield "nested very deeply", f'{plain[:-1]},"x":{"[" * 2500}{"]" * 2500}}}'.encode()
    for number in ("NaN", "Infinity", "-Infinity", "1e999", "1e-999", "01", "+1", ".5", "0x7fffffff", "1_000"):
        yield f"exp as {number}", plain.replace(f'"exp": {GOOD["exp"]}', f'"exp":{number}').encode()
    yield "sub as 1e0", plain.replace(f'"{GOOD["sub"]}"', "1e0").encode()
    for text in ("[]", f"[{plain}]", '"text"', "null", "7", "", "{", plain[:-1], plain + plain, plain + " x"):
        yield f"payload {text[:9]}\u2026 of {len(text)}", text.encode()
    yield "payload in UTF-16", plain.encode("utf-16")
    yield "payload with a byte order mark", b"\xef\xbb\xbf" + plain.encode()
    yield "payload in Latin-1", json.dumps(GOOD | {"name": "\u00e9"}, ensure_ascii=False).encode("latin-1")
    yield "payload with a raw NUL", json.dumps(GOOD | {"name": "N"}).replace('"N"', '"\x00"').encode()
    yield "payload in single quotes", str(GOOD).encode()
    yield "a good token as the payload", good()
    yield "an empty object", b"{}"


def malformed() -> dict[str, bytes]:
    """Read as nothing, whatever the time."""
    found = {f"no {name}": lacking(name) for name in NEEDED}
    found |= {f"{name} as {value!r:.40}": good(**{name: value}) for name, held in WRONG.items() for value in held}
    for name, text in _texts():
        assert name not in found, name
        found[name] = signed(text)
    nested = segment(good())
    found["a good token as the payload, said so"] = signed(nested, HEADER | {"cty": "JWT"})
    return found


def times() -> dict[str, bytes]:
    """Form and signature are good, and it was not valid when it was published."""
    latest = NOW_S + MAX_AGE_S + LEEWAY_S
    exp = (NOW_S - LEEWAY_S, NOW_S - 31.5, NOW_S - 10**6, 0, -1, 1, NOW_S * -1, latest + 0.001, latest + 1, 10**12)
    exp += (NOW_S * 1000, 1e300, -1e300, 2**63, 10**300)
    begin = (NOW_S + LEEWAY_S + 0.001, NOW_S + LEEWAY_S + 1, NOW_S + 3600, NOW_S * 1000, 1e300, 10**300)
    found = {f"exp {value}": good(exp=value) for value in exp}
    return found | {f"{name} {value}": good(**{name: value}) for name in ("nbf", "iat") for value in begin}


def in_time() -> dict[str, bytes]:
    """The nearest neighbours of `times`, which are valid: without them, a reader that refuses everything would pass."""
    latest = NOW_S + MAX_AGE_S + LEEWAY_S
    found = {f"exp {value}": good(exp=value) for value in (NOW_S - LEEWAY_S + 0.001, NOW_S, float(NOW_S), latest)}
    begin = (NOW_S + LEEWAY_S, NOW_S, 0, -1, -1e300)
    return found | {f"{name} {value}": good(**{name: value}) for name in ("nbf", "iat") for value in begin}


def powerless() -> dict[str, bytes]:
    """Good tokens that do not carry the right to decide: near its spelling is not its spelling."""
    found = {f"the right {right!r}": good(permissions=[right]) for right in RIGHTS}
    all_of_them = {name: value for name, value in GOOD.items() if name != "permissions"} | {"Permissions": ["*"]}
    return found | {"no permissions": lacking("permissions"), "permissions by another name": signed(all_of_them)}
