"""JSON that can be read in one way only, and the one way in which we write it (contract, section 3, JSON).

Two readers that understand a text differently are a hole: what the checker saw would not be what Intouch does. So a
text is refused here before anything else looks at it. Nothing about requests may enter.
"""

from __future__ import annotations

import json
import math
import re
import sys
from decimal import Decimal
from typing import Any, Self

DEPTH_MAX = 64
INTEGER_DIGITS_MAX = 400
DOUBLE_DIGITS = 15  # so many significant digits any double holds
VALUES_MAX = 50_000  # to be read at all: a megabyte of brackets would take half a second and 100 MB

_NOT_ZERO = re.compile(r"-?[0.]*[1-9]")  # 1e-400, which a double takes for nothing
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class AmbiguousJson(ValueError):
    """The text is JSON, but not every reader would read the same out of it."""


class Exact(float):
    """A number that a double cannot hold to the last digit, or -0; it is told and sent as it was written."""

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        number._text = text
        return number

    _text: str

    def __repr__(self) -> str:
        """As it was written, and so are the decimals that are made of it."""
        return self._text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise AmbiguousJson("a key stands twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number) or (number == 0 and _NOT_ZERO.match(text)):
        raise AmbiguousJson("a number is outside the range of a double")
    if number == 0:
        return number  # whatever its exponent: a Decimal refuses one of 19 digits
    # Most numbers are short and not tiny, and a double holds them.
    may_be_inexact = len(text) > DOUBLE_DIGITS or abs(number) < sys.float_info.min
    return Exact(text) if may_be_inexact and Decimal(text) != Decimal(repr(number)) else number


def _bounded(text: str) -> int | Exact:
    if len(text) - text.startswith("-") > INTEGER_DIGITS_MAX:
        raise AmbiguousJson(f"an integer has more than {INTEGER_DIGITS_MAX} digits")
    return Exact(text) if text == "-0" else int(text)


def _refuse_constant(text: str) -> Any:
    raise AmbiguousJson(f"{text} is not a number that JSON knows")


_decoder = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_int=_bounded, parse_constant=_refuse_constant
)
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read_json(text: str) -> Any:
    """What the text says: dict, list, str, int, float, bool or None.

    Raises `AmbiguousJson` for a key twice, NaN, Infinity, numbers beyond a double (integers: beyond 400 digits), lone
    surrogates, a depth over 64 and more than 50,000 values; `json.JSONDecodeError` for what is no JSON at all.
    """
    if has_more_values(text, VALUES_MAX):
        raise AmbiguousJson(f"it holds more than {VALUES_MAX} values")
    try:
        found = _decoder.decode(text)
    except RecursionError:
        raise AmbiguousJson(f"nested deeper than {DEPTH_MAX}") from None
    if _is_deep(found):
        raise AmbiguousJson(f"nested deeper than {DEPTH_MAX}")
    if _SURROGATE_ESCAPE.search(text):
        _refuse_lone_surrogates(found)
    return found


def has_more_values(text: str, most: int) -> bool:
    """More values than that, told without reading one of them; an empty list or object counts as two.

    What is no JSON has some number of values, too, and it does not matter which.
    """
    if text.count(",") + text.count("[") + text.count("{") < most:
        return False
    plain = text.replace("\\\\", "").replace('\\"', "")  # now each text stands between two quotes
    if plain.count('"') > 4 * most:  # a value is two quotes at most, and its key two more
        return True
    outside = "".join(plain.split('"')[::2])
    return 1 + outside.count(",") + outside.count("[") + outside.count("{") > most


def _is_deep(value: Any) -> bool:
    """By levels, not by recursion: a megabyte of brackets costs milliseconds."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEPTH_MAX):
        if not level:
            return False
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list
        ]
    return bool(level)


def _refuse_lone_surrogates(value: Any) -> None:
    try:
        _encoder.encode(value).encode()
    except UnicodeEncodeError:
        raise AmbiguousJson("a text holds half of a surrogate pair") from None


def write_json(value: Any) -> str:
    """The one compact text of a value: key order and kinds are kept, and every number that a double holds.

    It holds no line break, so texts can be framed by lines.
    """
    return _encoder.encode(value)


def write_exactly(value: Any) -> str:
    """The same of a value that `read_json` gave, with every number to its last digit."""
    return _exactly(value) if _holds_exact(value) else write_json(value)


def _holds_exact(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return any(map(_holds_exact, value.values()))
    return any(map(_holds_exact, value)) if kind is list else kind is Exact


def _exactly(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{write_json(key)}:{_exactly(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_exactly, value)) + "]"
    return repr(value) if isinstance(value, Exact) else write_json(value)
