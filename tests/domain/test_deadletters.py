"""Dead letters: one JSON object with the documented keys, and the original in one piece that opens again."""

from __future__ import annotations

import json

import pytest
from builders import an_origin
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.deadletters import (
    RECORD_BYTES_MAX,
    RECORD_HEADERS_MAX,
    DeadLetter,
    is_too_large,
    original_bytes,
    read_original,
    record_size,
)
from pipeline.domain.reasons import DeadReason

MAYBE = st.none() | st.binary(max_size=50)
HEADERS = st.lists(st.tuples(st.text(), MAYBE), max_size=5).map(tuple)


def a_letter(**changes):
    good = {"reason": DeadReason.NOT_JSON, "stage": "intake", "source": an_origin(), "dead_at_ms": 5, "sealed": "s"}
    return DeadLetter(**(good | changes))


def test_value_has_the_documented_keys():
    """Reason, detail, stage, source, time, what is known of the request, redriven, sealed; in this order."""
    letter = a_letter(request_id="r", org_id=0)

    value = json.loads(letter.value())

    assert list(value) == ["reason", "detail", "stage", "source", "deadAt", "requestId", "orgId", "redriven", "sealed"]
    assert value["source"] == {"topic": "requests.submitted", "partition": 3, "offset": 17, "timestamp": an_origin()[3]}
    assert (value["reason"], value["detail"]) == ("not-json", "The value is not JSON.")
    assert (value["deadAt"], value["orgId"], value["redriven"], value["sealed"]) == (5, 0, 0, "s")


def test_unknown_facts_have_no_key():
    """Where nothing is sealed, a hash stands instead."""
    value = json.loads(a_letter(sealed=None, sha256="h", detail="d").value())

    assert list(value) == ["reason", "detail", "stage", "source", "deadAt", "redriven", "sealed", "sha256"]
    assert (value["sealed"], value["sha256"], value["detail"]) == (None, "h", "d")


def test_key_is_the_request_or_the_place():
    """Keyed by requestId where one is known, else by the origin's place; the reason is a header."""
    assert a_letter(request_id="r").key == b"r"
    assert a_letter().key == b"requests.submitted/3/17"
    assert a_letter().topic == "dead-letters"
    assert a_letter().headers() == (("rw-reason", b"not-json"), ("rw-stage", b"intake"))


@given(MAYBE, MAYBE, HEADERS)
def test_original_opens_again(key, value, headers):
    """Key, value and headers come back, and None is not empty."""
    assert read_original(original_bytes(key, value, headers)) == (key, value, headers)


@given(MAYBE, MAYBE, HEADERS)
def test_size_counts_key_value_and_headers(key, value, headers):
    """Names and contents, in bytes."""
    inside = sum(len(name.encode()) + len(held or b"") for name, held in headers)

    assert record_size(key, value, headers) == len(key or b"") + len(value or b"") + inside


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        (b"", None, [("\0" * (RECORD_BYTES_MAX - 1), b"")]),
        (b'"' * RECORD_BYTES_MAX, None, []),
        (None, b"", [("", None)] * RECORD_HEADERS_MAX),
        (None, b"", [("", b"")] * RECORD_HEADERS_MAX),
        (None, b"", [("n" * 500, b"v" * 499)] * RECORD_HEADERS_MAX),
    ],
)
def test_every_original_fits_into_its_letter(key, value, headers):
    """Whatever is sealed takes few bytes more than the record itself, or its dead letter would fit no topic."""
    assert not is_too_large(key, value, headers)
    assert len(original_bytes(key, value, headers)) < record_size(key, value, headers) + 10 * (len(headers) + 2)


@pytest.mark.parametrize(
    ("value", "headers"), [(b"x" * (RECORD_BYTES_MAX + 1), []), (b"", [("", None)] * (RECORD_HEADERS_MAX + 1))]
)
def test_bytes_and_headers_are_bound(value, headers):
    """One byte more than a million, or one header more than a thousand, is too large."""
    assert is_too_large(None, value, headers)
    assert not is_too_large(None, value[1:], headers[1:])
