"""One spelling per origin, and the list of those that may be called."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lookalikes import look_alikes

from pipeline.domain.origins import AllowList, canonical_origin


@pytest.mark.parametrize(
    ("hostname", "origin"),
    [
        ("https://eu.api.capillarytech.com", "https://eu.api.capillarytech.com"),
        ("<https://eu.api.capillarytech.com>", "https://eu.api.capillarytech.com"),
        ("<https://eu.api.capillarytech.com/>", "https://eu.api.capillarytech.com"),
        ("HTTP://Internal-Intouch-API.default:1900/", "http://internal-intouch-api.default:1900"),
        ("https://a.example:443", "https://a.example"),
        ("http://a.example:80/", "http://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("https://a.example:80", "https://a.example:80"),
        ("http://localhost:65535", "http://localhost:65535"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://XN--BCHER-KVA.example", "https://xn--bcher-kva.example"),
        ("http://a。example", "http://a.example"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://[0:0:0:0:0:0:0:1]:81", "http://[::1]:81"),
        ("https://[2001:DB8::0:1]", "https://[2001:db8::1]"),
    ],
)
def test_one_spelling_per_origin(hostname, origin):
    """Brackets of the documents, a slash, case, IDNA and the scheme's own port do not make another origin."""
    assert canonical_origin(hostname) == origin
    assert canonical_origin(origin) == origin


@pytest.mark.parametrize(
    "hostname",
    [
        "",
        "a.example",
        "ftp://a.example",
        "//a.example",
        "http://",
        "http:///",
        "http://a.example//",
        "http://a.example/x",
        "http://a.example?x",
        "http://a.example#x",
        "http\u017f://a.example",
        "http\u017f://x",
        "http://user@a.example",
        "http://user:word@a.example",
        "http://a.example\\@b.example",
        "http://a.example%2eb",
        "http://a example",
        " http://a.example",
        "http://a.example\n",
        "http://a.example\x00",
        "http://a.example:",
        "http://a.example:0",
        "http://a.example:080",
        "http://a.example:65536",
        "http://a.example:00080",
        "http://a.example:\uff10\uff18\uff10",
        "http://a.example:-1",
        "http://a.example: 80",
        "http://a.example:80:80",
        "http://a.example:٨٠",
        "http://a.example:8x",
        "http://a.example.",
        "http://a.example\uff0e",
        "http://a.example。",
        "http://.example",
        "http://a..example",
        "http://-a.example",
        "http://a_b.example",
        "http://*.example",
        "http://" + "a" * 64 + ".example",
        "http://" + "a." * 200 + "example",
        "http://" + ".".join(["a" * 63] * 3 + ["b" * 62]),
        "http://xn--allowed-.example",
        "http://xn--.example",
        "http://xn--a.example",
        "http://xn--ls8h.example",
        "http://a\uff0fb.example",
        "http://a\uff20b.example",
        "http://a\uff1a80",
        "http://℀.example",
        "http://a\u3000b.example",
        "http://a\u2028b.example",
        "http://a\u200db.example",
        "http://a\u00a0b.example",
        "http://٣.example.٤",
        "http://\ud800.example",
        "http://example.0x1",
        "http://017700000001",
        "http://1",
        "http://127.1",
        "http://0127.0.0.1",
        "http://0x7f.0.0.1",
        "http://0x7f000001",
        "http://2130706433",
        "http://1.2.3.4.5",
        "http://[::1",
        "http://::1",
        "http://[::1%eth0]",
        "http://[127.0.0.1]",
        "http://[::1]x",
        "<http://a.example",
    ],
)
def test_no_plain_origin(hostname):
    """What is no plain origin, or an address in a spelling that only resolvers read, is none."""
    assert canonical_origin(hostname) is None


SCHEMES = st.sampled_from(["", "ht", "http", "https", "http:/", "http://", "https://", "<https://", "http://["])


@given(SCHEMES.flatmap(look_alikes), st.text(max_size=40))
@example("http\u017f://", "x")
@example("\uff48ttp://", "x")
@example("http://[", "::\u0661]")
def test_any_text_is_an_origin_or_none(start, text):
    """No text raises, whatever letters it takes for a scheme, and what is accepted is its own canonical form."""
    origin = canonical_origin(start + text)

    assert origin is None or canonical_origin(origin) == origin
    assert origin is None or (start + text).removeprefix("<")[:4].lower() == "http"


def test_no_other_letter_spells_the_scheme():
    """Of all characters, only s makes https of http: a long s, for which an intake once ended, is none."""
    spelled = {chr(code) for code in range(0x110000) if canonical_origin(f"http{chr(code)}://a.example")}

    assert spelled == {"s", "S"}


@pytest.mark.parametrize(
    ("hostname", "origin"),
    [
        ("http://\uff11\uff12\uff17.0.0.1", "http://127.0.0.1"),
        ("http://①②⑦.0.0.1", "http://127.0.0.1"),
        ("http://a\u00adb.example", "http://ab.example"),
        ("http://a\u200bb.example", "http://ab.example"),
        ("http://\u212aelvin.example", "http://kelvin.example"),
        ("http://te\u017ft.example", "http://test.example"),
        ("http://ⓛⓞⓒalhost", "http://localhost"),
        ("http://a\uff61b\uff0eexample", "http://a.b.example"),
        ("http://\u0131.example", "http://xn--cfa.example"),
        ("http://\u0430pple.example", "http://xn--pple-43d.example"),
        ("http://straße.example", "http://xn--strae-oqa.example"),
        ("http://[::FFFF:127.0.0.1]", "http://[::ffff:7f00:1]"),
        ("http://" + "a" * 63 + ".example", "http://" + "a" * 63 + ".example"),
        ("http://" + ".".join(["a" * 63] * 3 + ["b" * 61]), "http://" + ".".join(["a" * 63] * 3 + ["b" * 61])),
    ],
)
def test_unicode_is_mapped_as_resolvers_would(hostname, origin):
    """UTS 46 decides: what only looks like another letter stays another host, what is another form of it becomes it."""
    assert canonical_origin(hostname) == origin


def test_an_allow_list_compares_canonical_origins():
    """Entries are read in any spelling and compared exactly: scheme, host and port."""
    allowed = AllowList.parse(" HTTPS://A.example:443/ ,, http://b.example:1900 ")

    assert allowed == {"https://a.example", "http://b.example:1900"}
    assert allowed.allows("https://a.example")
    assert not allowed.allows("http://a.example")
    assert not allowed.allows("https://a.example:444")
    assert not allowed.allows("https://x.a.example")


def test_an_empty_allow_list_allows_nothing():
    """Without entries nothing is called."""
    assert not AllowList.parse(" ")
    assert not AllowList.parse("").allows("")


@pytest.mark.parametrize(
    "entry", ["http://169.254.169.254", "https://[fe80::1]:8443", "http://[::ffff:169.254.169.254]", "http://[::]"]
)
def test_an_address_that_is_never_called_is_no_entry(entry):
    """An operator learns at start what could only end every call; loopback and private addresses are entries."""
    with pytest.raises(ValueError, match="is never called"):
        AllowList.parse(f"https://a.example,{entry}")
    assert len(AllowList.parse("http://127.0.0.1:80,http://[::1],https://10.0.0.1:8443")) == 3


def test_a_bad_entry_is_named():
    """A wrong entry stops the reading and is shown, with what to write instead."""
    with pytest.raises(ValueError, match=r"'https://\*\.example' is not an origin; write scheme://host"):
        AllowList.parse("https://a.example, https://*.example")
