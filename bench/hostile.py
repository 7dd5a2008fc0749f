"""Public records that are made to hurt: each as large as intake takes, and the worst of its kind that we know.

Data only, named by what is bad about it. Who finds a worse one adds a row. They are printed by `bench.worst`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench.entries import ORIGIN
from pipeline.client.kafka import Headers
from pipeline.client.speaking import Speaker
from pipeline.domain.deadletters import RECORD_BYTES_MAX
from pipeline.domain.jsontext import VALUES_MAX
from pipeline.domain.messages import REQUESTS_SUBMITTED
from pipeline.domain.request_types import RequestType
from pipeline.domain.wishes import TEXTS_VALUES_MAX
from pipeline.local.demo_cast import CAST, Role

SPARE = 1500  # what the rest of a record takes: headers, and the submission around its body
SIZE = RECORD_BYTES_MAX - SPARE
SIZES = (SIZE, 500_000, 200_000, 100_000, 50_000)  # the worst may be the largest that is looked at in earnest
ROLES = {role.request_type: role for role in reversed(CAST)}
_HOLE = "<hole>"


class Hostile(NamedTuple):
    """One public record, and what is bad about it."""

    name: str
    topic: str
    value: bytes
    headers: Headers


def _repeated(item: str, size: int = SIZE) -> str:
    """A JSON list of as many of these as fit."""
    return "[" + ",".join([item] * (size // (len(item.encode()) + 1))) + "]"


def _numbered(form: str, size: int = SIZE) -> Iterator[str]:
    """The form with ever other numbers, as many as fit into one record."""
    left = size
    for number in itertools.count():
        text = form % number
        left -= len(text) + 1
        if left < 0:
            return
        yield text


def _object(form: str) -> str:
    return "{" + ",".join(_numbered(form)) + "}"


def _nested(depth: int) -> str:
    return "[" * depth + "]" * depth


# What stands as an unknown key of an otherwise good body.
FILLINGS: dict[str, str] = {
    "nothing": "0",
    "one text": '"' + "n" * (SIZE - 2) + '"',
    "one text, beyond ASCII": '"' + "n" * (SIZE - 20) + '\U0001f600"',
    "a text of \\u0000": '"' + "\\u0000" * (SIZE // 6 - 1) + '"',
    "a text of \\n": '"' + "\\n" * (SIZE // 2 - 1) + '"',
    "a text of \\ud83d\\ude00": '"' + "\\ud83d\\ude00" * (SIZE // 12 - 1) + '"',
    'a text of ","': '"' + '\\",\\"' * (SIZE // 5 - 1) + '"',
    "a text of commas": '"' + "," * (SIZE - 2) + '"',
    "digits in a text": '"' + "1" * (SIZE - 2) + '"',
    "small integers": _repeated("0"),
    "integers of 3 digits": _repeated("999"),
    "integers beyond 2^53": _repeated("9007199254740993"),
    "integers of 400 digits": _repeated("9" * 400),
    "an integer of a million digits": "9" * SIZE,
    "a fraction of a million digits": "0." + "1" * (SIZE - 2),
    "1e9": _repeated("1e9"),
    "1e15": _repeated("1e15"),
    "1e300": _repeated("1e300"),
    "0.1": _repeated("0.1"),
    "floats of 17 digits": _repeated("0.12345678901234567"),
    "null": _repeated("null"),
    "texts of 1 letter": _repeated('"a"'),
    "texts of 2 letters": _repeated('"ab"'),
    "texts of 9 digits": _repeated('"123456789"'),
    "texts of 2 letters, not Latin": _repeated('"\u4e2d\u4e2d"'),
    "empty lists": _repeated("[]"),
    "empty objects": _repeated("{}"),
    "lists of one": _repeated("[0]"),
    "lists 50 deep": _repeated(_nested(50)),
    "objects of one": _repeated('{"a":0}'),
    "objects of two": _repeated('{"a":0,"b":0}'),
    "keys": _object('"%x":0'),
    "escaped keys": _object('"\\u0000%x":0'),
    "long keys": _object('"' + "k" * 60 + '%x":0'),
    "lists too deep": _nested(SIZE // 2),
    "objects too deep": '{"a":' * (SIZE // 6) + "0" + "}" * (SIZE // 6),
    "a key twice, at the end": _object('"%x":0')[:-1] + ',"0":0}',
    "half a surrogate, at the end": _repeated('"a"')[:-5] + '"\\ud800"]',
}
# What is repeated until there are just as many values as are looked at; # is a number.
VALUES_SPARE = 100
BUSY: dict[str, str] = {
    "integers": "1",
    "integers beyond 2^53": "9007199254740993",
    "floats": "0.12345678901234567",
    "1e300": "1e300",
    "1e9": "1e9",
    "texts": '"#"',
    "escapes": '"\\u0000\\u0000"',
    "empty lists": "[]",
    "lists 50 deep": _nested(50),
    "objects of one": '{"#":0}',
    "objects of four": '{"#a":0,"#b":"\u4e2d","#c":0.5,"#d":null}',
}
# What stands in the place of a part of the call, or of the body's own lists.
PARTS: dict[str, tuple[RequestType, str, str]] = {
    "customers, numbers": (RequestType.ISSUE_BADGE, '"customers":[382477526,382477527]', _repeated("1")),
    "customers, wrong": (RequestType.ISSUE_BADGE, '"customers":[382477526,382477527]', _repeated("null")),
    "customers, a few wrong": (RequestType.ISSUE_BADGE, '"customers":[382477526,382477527]', _repeated("null", 45_000)),
    "customers, texts": (RequestType.ISSUE_BADGE, '"customers":[382477526,382477527]', _repeated('"123456789"')),
}
ITEMS: dict[str, str] = {
    "redemptions, empty": "{}",
    "redemptions, wrong": "0",
    "redemptions, good": '{"points_redeemed":1,"customer":{"id":1}}',
    "redemptions of 1e300": '{"points_redeemed":1e300,"customer":{"id":1}}',
    "redemptions with times": '{"points_redeemed":1,"customer":{"id":1},"redemption_time":"2020-04-15 23:01:46"}',
    "redemptions with wrong times": '{"points_redeemed":1,"customer":{"id":1},"redemption_time":"2020-02-30 23:01:46"}',
}


def hostile_records(maker: Speaker) -> Iterator[Hostile]:
    """All of them; the maker is one who may make requests."""
    for name, filling in FILLINGS.items():
        yield _record(f"body: {name}", _submission(RequestType.GOODWILL_POINTS, body=filling), maker)
    for most in (VALUES_MAX, TEXTS_VALUES_MAX):
        for name, item in BUSY.items():
            count = (most - VALUES_SPARE) // len(re.findall(r"[,\[{]", item + ","))
            filling = "[" + ",".join(item.replace("#", f"{number:x}") for number in range(count)) + "]"
            yield _record(f"{most} values: {name}", _submission(RequestType.GOODWILL_POINTS, body=filling), maker)
    for name, (kind, good, bad) in PARTS.items():
        yield _record(name, _submission(kind).replace(good, f'"customers":{bad}'), maker)
    for name, item in ITEMS.items():
        good = "".join(_submission(RequestType.POINTS_REDEMPTION).partition('"redeem":')[2:])
        good = good[: good.index("}}") + 1]
        for size in SIZES:
            value = _submission(RequestType.POINTS_REDEMPTION).replace(good, _repeated(item, size))
            yield _record(f"{name}, {size // 1000} kB", value, maker)
    for name in ("keys", "escaped keys", "one text", "1e300", "objects of one"):
        filling = FILLINGS[name] if FILLINGS[name].startswith("{") else f'{{"a":{FILLINGS[name]}}}'
        yield _record(f"query: {name}", _submission(RequestType.GOODWILL_POINTS, query=filling), maker)
        yield _record(f"headers of the call: {name}", _submission(RequestType.GOODWILL_POINTS, headers=filling), maker)
        yield _record(f"entityInfo: {name}", _submission(RequestType.GOODWILL_POINTS, entity=filling), maker)
        yield _record(f"beside: {name}", _submission(RequestType.GOODWILL_POINTS, beside=FILLINGS[name]), maker)
    yield from _by_headers(_submission(RequestType.GOODWILL_POINTS).encode(), maker)


def _by_headers(value: bytes, maker: Speaker) -> Iterator[Hostile]:
    """A good submission whose record is bad."""
    good = maker.headers()
    without = tuple(pair for pair in good if "token" not in pair[0])
    rows: dict[str, Sequence[tuple[str, bytes]]] = {
        "a token of a megabyte": [*without, ("X-CAP-UI-AUTH-TOKEN", b"e" * SIZE)],
        "a token of 8 kB, all brackets": [*without, ("X-CAP-UI-AUTH-TOKEN", b"W1tb" * 2000 + b".e30.e30")],
        "headers of 10 bytes": [*good, *[("abcde", b"12345")] * (SIZE // 10)],
        "headers of 1 byte": [*good, *[("a", b"")] * SIZE],
        "headers of nothing": [*good, *[("", b"")] * SIZE],
        "a name of NULs": [*good, ("\0" * SIZE, b"")],
        "a value of a megabyte": [*good, ("a", b"x" * SIZE)],
        "a key of a megabyte": [*good, ("Idempotency-Key", b"x" * SIZE)],
    }
    for name, headers in rows.items():
        yield Hostile(f"record: {name}", REQUESTS_SUBMITTED, value, tuple(headers))


def _record(name: str, value: str, maker: Speaker) -> Hostile:
    return Hostile(name, REQUESTS_SUBMITTED, value.encode(), maker.headers())


def _submission(
    kind: RequestType, *, body: str = "0", query: str = "", headers: str = "", entity: str = "", beside: str = "0"
) -> str:
    """A good one of this type with something in the place of its parts, as text: nothing of it is read here."""
    role: Role = ROLES[kind]
    text = role._replace(body=role.body | {"filling": _HOLE}).document(ORIGIN).decode()
    text = text.replace(f'"{_HOLE}"', body)
    if query:
        text = text.replace('"pathParams":{}', f'"queryParams":{query}')
    if headers:
        start = text.index('"headers":') + len('"headers":')
        text = text[:start] + headers + text[text.index("}", start) + 1 :]
    if entity:
        start = text.index('"entityInfo":') + len('"entityInfo":')
        text = text[:start] + entity + text[text.index("}", start) + 1 :]
    return f'{{"requestType":"{kind}","beside":{beside},{text[1:]}'
