"""JSON that can be read in one way only, and the one way in which we write it (contract, section 3, JSON).

Two readers that understand a text differently are a hole: what the checker saw would not be what Intouch does. So a
text is refused here before anything else looks at it. Nothing about requests may enter.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

DEPTH_MAX = 64
INTEGER_DIGITS_MAX = 400
VALUES_MAX = 50_000  # to be read at all: a megabyte of brackets would take half a second and 100 MB

_NOT_ZERO = re.compile(r"-?[0.]*[1-9]")  # 1e-400, which a double takes for nothing
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class AmbiguousJson(ValueError):
    """The text is JSON, but not every reader would read the same out of it."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise AmbiguousJson("a key stands twice in one object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number) or (number == 0 and _NOT_ZERO.match(text)):
        raise AmbiguousJson("a number is outside the range of a double")
    return number


def _bounded(text: str) -> int:
    if len(text) - text.startswith("-") > INTEGER_DIGITS_MAX:
        raise AmbiguousJson(f"an integer has more than {INTEGER_DIGITS_MAX} digits")
    return int(text)


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
    """The one compact text of a value that `read_json` gave: key order, kinds and every number are kept.

    It holds no line break, so texts can be framed by lines.
    """
    return _encoder.encode(value)
