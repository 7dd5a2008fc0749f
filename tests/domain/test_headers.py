"""Which headers are legal, which are sent, and which are credentials."""

from __future__ import annotations

import pytest

from pipeline.domain.headers import (
    faults,
    is_credential,
    is_dropped,
    is_json_type,
    sendable,
    split,
    value_of,
)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "connection",
        "TRANSFER-ENCODING",
        "Content-Length",
        "Upgrade",
        "te",
        "Trailer",
        "Expect",
        "Proxy-Authorization",
        "proxy-x",
        "X-Forwarded-For",
        "x-forwarded-host",
        "Forwarded",
        "Via",
        "X_Forwarded_For",
        "x-forwarded_host",
        "Transfer_Encoding",
        "CONTENT_LENGTH",
        "Proxy_Authorization",
    ],
)
def test_connection_and_identity_headers_are_dropped(name):
    """Hop-by-hop and identity headers are ours to set, in any case."""
    assert is_dropped(name)
    assert sendable([(name, "x"), ("X-CAP-A", "1")]) == (("X-CAP-A", "1"),)


@pytest.mark.parametrize("name", ["Hosts", "X-Host", "Authorization", "TEX", "Viable", "X-CAP-REQUEST-ID", "Proxy"])
def test_all_other_headers_are_sent(name):
    """A name that only looks like a dropped one is sent."""
    assert not is_dropped(name)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "x-authorization-2",
        "X-CAP-UI-AUTH-TOKEN",
        "Cookie",
        "Set-Cookie2",
        "Client-Secret",
        "X-Signature",
        "X-Api-Key",
        "X-CAP-API-AUTH-KEY",
    ],
)
def test_credentials_are_known_by_name(name):
    """A name that contains authorization, token, cookie, secret, signature or key is a credential's."""
    assert is_credential(name)
    assert is_credential(name.upper())


@pytest.mark.parametrize("name", ["content-type", "X-CAP-API-AUTH-ORG-ID", "Accept-Language", "X-CAP-SOURCE"])
def test_other_names_are_no_credentials(name):
    """The org header is no credential, though it speaks of auth."""
    assert not is_credential(name)


def test_split_keeps_order_and_drops():
    """What travels in clear and what is sealed are told apart in order; dropped headers are in neither."""
    headers = (("B", "1"), ("Authorization", "x"), ("Host", "h"), ("A", "2"), ("Cookie", "y"))

    plain, credentials = split(headers)

    assert plain == (("B", "1"), ("A", "2"))
    assert credentials == (("Authorization", "x"), ("Cookie", "y"))


@pytest.mark.parametrize("name", ["", "A B", "A:", "Ä", "A\r\n", "A\x00", "(A)", "A/B"])
def test_an_illegal_name_is_a_fault(name):
    """What is no token is refused, and not repeated: a secret may stand there by mistake."""
    (fault,) = faults([("X-Good", "1"), (name, "1")])

    assert fault == (2, "the name holds a character that no header name may have")


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\x00b", "a\r\nX: y", "\x1f", "\x7f", "\ud800"])
def test_a_value_with_a_line_break_is_a_fault(value):
    """CR, LF, NUL and other control characters are refused; the sentence holds nothing of the value."""
    assert faults([("X-A", value)]) == ((1, "the value of X-A holds a line break or another control character"),)


@pytest.mark.parametrize("value", ["", "a\tb", "ü", "a b", "x" * 10_000])
def test_other_values_are_legal(value):
    """Blank, a tab and text beyond ASCII can be sent."""
    assert faults([("X-A", value)]) == ()


@pytest.mark.parametrize("other", ["x-a", "X_A", "x_a"])
def test_a_header_twice_is_a_fault(other):
    """One name in two spellings would be sent twice, and some readers take an underscore for a hyphen."""
    assert faults([("X-A", "1"), (other, "2")]) == ((2, f"{other} stands twice"),)


def test_all_faults_are_told():
    """Every header at fault is listed, dropped ones included."""
    wrong = [("Host", "a\nb"), ("X-A", "1"), ("content-type", "text/xml"), ("A B", "")]

    assert [fault.position for fault in faults(wrong)] == [1, 3, 4]


@pytest.mark.parametrize(
    "value",
    ["application/json", " Application/JSON ", 'application/json; charset="UTF-8"', "application/json;charset=utf-8"],
)
def test_json_is_the_content_type(value):
    """application/json passes, with its only charset and without."""
    assert is_json_type(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "text/xml",
        "application/jsonp",
        "application/json; charset=latin-1",
        "application/json, text/xml",
        "application/j\u017fon",
        "application/json\u00a0",
        "application/json;\u2003charset=utf-8",
    ],
)
def test_no_other_content_type(value):
    """Everything else is refused, because the body that is sent is JSON."""
    assert not is_json_type(value)


def test_value_of_ignores_spelling():
    """A header is found by its name in any case, and with an underscore for a hyphen; the first one counts."""
    headers = (("X-A", "1"), ("x-a", "2"), ("x_b_c", "3"))

    assert value_of(headers, "x-A") == "1"
    assert value_of(headers, "X-B-C") == "3"
    assert value_of(headers, "X-B") is None
