"""The Kafka headers of a public record: any case, once, well formed; a refusal repeats none of their values."""

from __future__ import annotations

import pytest

from pipeline.domain.transport import KEY_BYTES_MAX, NO_DIGEST, Transport, read_transport

NAMES = ("X-CAP-API-AUTH-ORG-ID", "X-CAP-UI-AUTH-TOKEN", "X-CAP-REQUEST-ID", "Idempotency-Key", "rw-payload-digest")
HEX = "0123456789abcdef"
GOOD = dict(zip(NAMES, (b"51250", b"a.b.c", (HEX * 2).encode(), b"key-1", (HEX * 4).encode()), strict=True))
ABSENT = Transport(0, b"", None, None, None)
SUBMISSION_ONLY, DECISION_ONLY = "Idempotency-Key", "rw-payload-digest"


def read(*, is_decision: bool = False, **changes: bytes | None) -> Transport | str:
    """The good headers with some replaced; names in keywords have _ for -."""
    given = {name.replace("_", "-"): held for name, held in changes.items()}
    kept = {name: held for name, held in GOOD.items() if name.lower() not in given}
    return read_transport([*kept.items(), *given.items()], is_decision=is_decision)


@pytest.mark.parametrize("spelled", [str, str.lower, str.upper, str.swapcase])
def test_names_are_matched_without_regard_to_case(spelled):
    """Producers spell headers as their client does."""
    headers = [(spelled(name), held) for name, held in GOOD.items()]

    submission = Transport(51250, b"a.b.c", HEX * 2, b"key-1", None)
    assert read_transport(headers, is_decision=False) == submission
    assert read_transport(headers, is_decision=True) == submission._replace(key=None, digest=HEX * 4)


def test_all_may_be_absent():
    """The org is 0 then; a missing token is bad, but not for its shape."""
    assert read_transport([], is_decision=False) == read_transport([], is_decision=True) == ABSENT


@pytest.mark.parametrize("is_decision", [False, True])
@pytest.mark.parametrize("blank", [None, b"", b" ", b"\t \r\n"])
def test_blank_is_absent(blank, is_decision):
    """A header without content says nothing; only a decision's digest is compared whatever it says."""
    read_as = read_transport([(name, blank) for name in NAMES], is_decision=is_decision)

    assert read_as == ABSENT._replace(digest=NO_DIGEST if is_decision else None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("second", [None, b"", b"51250"])
def test_a_needed_header_stands_once(name, second):
    """Twice is refused, in whatever case and even where both agree or one is blank."""
    headers = [*GOOD.items(), (name.swapcase(), second)]
    read_as = {is_decision: read_transport(headers, is_decision=is_decision) for is_decision in (False, True)}

    wrong = f"The header {name.lower()} stands twice."
    assert (read_as[False] == wrong) is (name != DECISION_ONLY)
    assert (read_as[True] == wrong) is (name != SUBMISSION_ONLY)


def test_other_headers_may_stand_as_they_like():
    """What nobody needs may stand twice, and without a value."""
    others = [("traceparent", b"1"), ("traceparent", b"2"), ("x", None)]

    headers = [*GOOD.items(), *others]

    assert read_transport(headers, is_decision=False) == read()
    assert read_transport(headers, is_decision=True) == read(is_decision=True)


@pytest.mark.parametrize(("held", "org_id"), [(b"0", 0), (b"007", 7), (b" 51250 ", 51250), (b"9" * 19, 10**19 - 1)])
def test_org_is_a_decimal_number(held, org_id):
    """Zero or more."""
    transport = read(x_cap_api_auth_org_id=held)

    assert isinstance(transport, Transport)
    assert transport.org_id == org_id


@pytest.mark.parametrize("held", [b"-1", b"+1", b"1.0", b"0x1", b"1_000", b"1 2", b"\xd9\xa1", b"x", b"9" * 20, b"1,2"])
def test_a_malformed_org_is_refused(held):
    """No sign, no point, no other digits than ASCII's, and no value in the sentence."""
    wrong = read(x_cap_api_auth_org_id=held)

    assert wrong == "The header x-cap-api-auth-org-id must be a decimal number of 0 or more."


@pytest.mark.parametrize("held", [HEX * 2, (HEX * 2).upper(), "01234567-89ab-cdef-0123-456789ABCDEF", f" {HEX * 2} "])
def test_request_id_ignores_dashes_and_case(held):
    """32 hex digits, however they are grouped."""
    transport = read(x_cap_request_id=held.encode())

    assert isinstance(transport, Transport)
    assert transport.api_request_id == HEX * 2


@pytest.mark.parametrize("held", [b"x", b"----", HEX.encode(), (HEX * 2 + "0").encode(), b"g" * 32, b"\xff" * 32])
def test_a_malformed_request_id_is_refused(held):
    """Neither shorter nor longer nor anything else than hex."""
    assert read(x_cap_request_id=held) == "The header x-cap-request-id must be 32 hex digits."


def test_key_has_1_to_255_bytes():
    """The key is bytes, whatever they are; 256 are too many."""
    good, wrong = read(idempotency_key=b"\xff" * KEY_BYTES_MAX), read(idempotency_key=b"k" * (KEY_BYTES_MAX + 1))

    assert isinstance(good, Transport)
    assert good.key == b"\xff" * 255
    assert wrong == "The header idempotency-key must not exceed 255 bytes."


def test_digest_in_upper_case_is_the_same():
    """Hex digits have two spellings."""
    upper = read(is_decision=True, rw_payload_digest=(HEX * 4).upper().encode())

    assert isinstance(upper, Transport)
    assert upper.digest == HEX * 4


@pytest.mark.parametrize(
    "held", [b"1", (HEX * 4 + "0").encode(), b"z" * 64, b"\xff", b"x" * 100_000, b"", b" \t", None]
)
def test_what_is_no_digest_is_another_one(held):
    """It is not that of what lies on the desk, and approval says so; a huge one is not carried there."""
    other = read(is_decision=True, rw_payload_digest=held)

    assert isinstance(other, Transport)
    assert other.digest is not None
    assert other.digest != HEX * 4
    assert len(other.digest) <= 65


def test_repr_hides_the_token():
    """What is printed by accident shows no token and no key."""
    assert repr(read()) == "Transport(org_id=51250)"
