"""JSON that can be read in one way only: what is refused, what survives, and what garbage costs: one error."""

from __future__ import annotations

import json
import math
import tracemalloc
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.jsontext import VALUES_MAX, AmbiguousJson, has_more_values, read_json, write_exactly, write_json

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
FRAGMENTS = st.sampled_from(
    ["{", "}", "[", "]", ",", ":", '"', '"a"', "1", "-", "1e999", "NaN", "-Infinity", "true", "null", "\\ud800", " "]
)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":1,"\\u0061":2}',
        '[[{"b":{"c":1,"d":2,"c":1}}]]',
        "NaN",
        '{"a":Infinity}',
        "[-Infinity]",
        "1e400",
        "-1e400",
        "1e-400",
        "-0.001E-322",
        "0." + "0" * 400 + "1",
        "1" + "0" * 310 + ".5",
        "1" * 401,
        "-" + "1" * 401,
        '"\\ud800"',
        '"\\uDC00 alone"',
        '{"\\udfff":1}',
        '["\\ud83d\\u0041"]',
        nested(65),
        '{"a":' * 65 + "1" + "}" * 65,
        nested(20_000),
        nested(100_000),
        "[" * 100_000,
    ],
    ids=lambda text: text[:20],
)
def test_ambiguous_text_is_refused(text):
    """What two readers could read differently is refused, at any depth."""
    with pytest.raises(AmbiguousJson):
        read_json(text)


@pytest.mark.parametrize(
    "text", ["", " ", "{", "[1,]", "{'a':1}", "01", "+1", ".5", "1.", "tru", '"\n"', "\ufeff{}", "1 2"]
)
def test_what_is_no_json_is_told_apart(text):
    """Text that is no JSON at all raises the other error."""
    with pytest.raises(json.JSONDecodeError):
        read_json(text)


@pytest.mark.parametrize("digits", ["1" * 400, "-" + "9" * 400])
def test_integers_of_400_digits_stay_exact(digits):
    """Integers are bound by 400 digits, not by a double, and the sign is no digit."""
    assert write_json(read_json(digits)) == digits


@pytest.mark.parametrize(
    "text", [nested(64), '{"a":' * 64 + "1" + "}" * 64, "1.7976931348623157e+308", "5e-324", "[[],{}]"]
)
def test_limits_are_inclusive(text):
    """Depth 64 and the largest double are good."""
    assert write_json(read_json(text)) == text


@pytest.mark.parametrize("text", ['"\\ud83d\\ude00"', '"\U0001f600"', '"\\\\ud800"'])
def test_whole_surrogate_pairs_are_good(text):
    """An escaped pair is one character, and an escaped backslash before a u is none at all."""
    assert read_json(text) == json.loads(text)


@pytest.mark.parametrize(
    "text", ["20", "20.0", "0.1", "-0.0", "0.0", "9007199254740993", "1e-07", '""', "null", "true"]
)
def test_kind_of_a_value_survives(text):
    """20 stays 20 and 20.0 stays 20.0: what is written is what was read."""
    assert write_json(read_json(text)) == text


def test_key_order_survives():
    """Keys come out in the order in which they came in."""
    text = '{"z":1,"a":{"y":2,"b":3},"m":[]}'

    assert write_json(read_json(text)) == text


def test_written_text_is_compact_and_has_no_line_break():
    """Texts are framed by lines, so none may hold a line break; nothing is escaped that need not be."""
    assert write_json({"a": ["é\n\u2028", 1]}) == '{"a":["é\\n\u2028",1]}'


@pytest.mark.parametrize("text", ["0", "null", '"a"', '"\\\\"', '"\\""'])
@pytest.mark.parametrize("form", ["[{}]", '{{"a":[{}]}}'])
def test_values_are_bound(text, form):
    """50,000 may be read, brackets counted; one more is refused before any of them is made."""
    room = VALUES_MAX - form.count("[") - form.count("{{")

    def filled(count):
        return form.format(",".join([text] * count))

    assert read_json(filled(room)) is not None
    with pytest.raises(AmbiguousJson, match="more than 50000 values"):
        read_json(filled(room + 1))


def counted(value):
    """By walking: every value is one, an empty list or object two."""
    if not isinstance(value, list | dict):
        return 1
    children = list(value.values()) if isinstance(value, dict) else value
    return 1 + (sum(map(counted, children)) if children else 1)


@given(VALUES)
def test_values_are_counted_without_reading_them(value):
    """The count of the text is that of the value, whatever quotes, brackets and backslashes stand in its texts."""
    for text in (write_json(value), json.dumps(value, indent=1)):
        assert not has_more_values(text, counted(value))
        assert has_more_values(text, counted(value) - 1)


@pytest.mark.parametrize("text", ["[" * 999_999, "[[]," * 249_999, '{"a":' * 190_000, "[" * 60 + "[0]," * 240_000])
def test_brackets_take_no_memory(text):
    """What is refused for its brackets takes less than five times its own size meanwhile."""
    tracemalloc.start()
    try:
        with pytest.raises(AmbiguousJson):
            read_json(text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 5 * len(text)


@given(VALUES)
def test_writing_keeps_the_value(value):
    """read(write(x)) is x, key order and kinds of numbers included; a second round changes nothing."""
    text = write_json(value)
    again = read_json(text)

    assert again == value
    assert json.dumps(again) == json.dumps(value)
    assert write_json(again) == text
    assert "\n" not in text


@given(st.text() | st.lists(FRAGMENTS).map("".join) | VALUES.map(lambda value: json.dumps(value)[:-1]))
def test_garbage_raises_the_documented_errors_only(text):
    """Whatever the text is, it is read, ambiguous or no JSON; nothing else happens."""
    try:
        value = read_json(text)
    except (AmbiguousJson, json.JSONDecodeError):
        return

    assert read_json(write_json(value)) == value


@given(st.floats())
def test_numbers_that_json_lacks_are_never_written(number):
    """The writer refuses NaN and Infinity; every other double survives to the last bit."""
    if not math.isfinite(number):
        with pytest.raises(ValueError, match="Out of range"):
            write_json(number)
        return

    assert read_json(write_json(number)).hex() == number.hex()


ZEROS = [
    "0e9999999999999999999",
    "-0E+99999999999999999999",
    "0.0e-9999999999999999999",
    "-0.0",
    "0e0",
    "0." + "0" * 400,
]


@pytest.mark.parametrize("text", ZEROS)
def test_a_zero_is_a_zero_whatever_its_exponent(text):
    """One of nineteen digits is more than a Decimal reads. The story: thirty bytes without a token ended intake, each
    time it started again.
    """
    value = read_json(f'{{"a":{text}}}')["a"]

    assert (value, math.copysign(1, value)) == (0, -1 if text.startswith("-") else 1)
    assert read_json(write_exactly([value])) == [0]


EXACT = [
    "99999999999999.999",
    "123456789012345.678",
    "1.0000000000000000001",
    "-3.141592653589793238462643e+10",
    "1.2345e-320",
    "-0",
]


@pytest.mark.parametrize("number", EXACT)
def test_a_number_beyond_a_double_keeps_its_digits(number):
    """Wherever it stands it is written as it was read; to compare and to count, it is the number that it says."""
    text = f'{{"a":[{number},1.5,{{"b":{number}}}],"é":"x\\n"}}'
    value = read_json(text)

    assert write_exactly(value) == text
    assert Decimal(repr(value["a"][0])) == Decimal(number)
    assert value["a"][0] == float(number)


NUMBER = r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?"


@given(st.from_regex(NUMBER + "([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_every_number_keeps_its_value(number):
    """However many digits it has, and whatever its exponent; what no double comes near is refused."""
    try:
        value = read_json(number)
    except AmbiguousJson:
        assert math.isinf(float(number)) or float(number) == 0
        return
    assert Decimal(write_exactly(value)) == Decimal(number)


@given(st.from_regex(NUMBER + "[eE][+-]?[0-9]{1,40}", fullmatch=True))
def test_no_exponent_is_a_surprise(number):
    """It is read or ambiguous; nothing else happens, wherever a number stands."""
    with suppress(AmbiguousJson):
        assert math.isfinite(read_json(number))
