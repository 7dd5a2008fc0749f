"""Hostile origins, each with a name and with what becomes of it. Data only; `hostile_parts` has the rest of a call.

Placeholders, filled in by the test: {name} is the one allowed host, {port} its port, {at} both. {decoy} is another port
on the same address, {dport} that port; 127.0.0.2 and ::1 have decoys on {port}. Every other name leads to a decoy, too.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Case(NamedTuple):
    """`code` is why it is refused, None if it is called; `sent` is what then arrives of this part of the call."""

    name: str
    part: str
    value: Any
    code: str | None = None
    sent: Any = None


SPECIAL = tuple(char for char in map(chr, range(0x80)) if not char.isalnum() and char not in "-.")
FULL_WIDTH = {code - 0xFEE0: code for code in range(0xFF01, 0xFF5F)}


def shown(char):
    """The character as part of a test's name."""
    return char if char.isprintable() and char not in " []" else f"U+{ord(char):04X}"


BAD_HOST = {
    # -- user info, and what parsers disagree about
    "user info": "http://{at}@{decoy}",
    "user info with word": "http://{name}:{port}@{decoy}",
    "user info, encoded": "http://{name}%40{decoy}",
    "two at signs": "http://a@{at}@{decoy}",
    "empty user": "http://@{decoy}",
    "empty user and word": "http://:@{at}",
    "user info before the allowed one": "http://decoy.test@{at}",
    "fragment before": "http://{decoy}#@{at}",
    "query before": "http://{decoy}?@{at}",
    "slash before": "http://{decoy}/@{at}",
    "backslash before": "http://{decoy}\\@{at}",
    "backslash after": "http://{at}\\@{decoy}",
    "semicolon before": "http://{decoy};@{at}",
    "encoded backslash": "http://{decoy}%5c@{at}",
    "encoded fragment": "http://{decoy}%23@{at}",
    "space before": "http://{decoy} @{at}",
    "two hosts": "http://{at} {decoy}",
    "two hosts with a comma": "http://{at},{decoy}",
    "line break and host": "http://{at}\r\nHost: {decoy}",
    "request in the host": "http://{at}/ HTTP/1.1\r\nHost: {decoy}\r\n\r\n",
    # -- schemes
    "no scheme": "{at}",
    "decoy without scheme": "{decoy}",
    "no scheme but slashes": "//{decoy}",
    "backslashes for slashes": "http:\\\\{decoy}",
    "one slash for two": "http:/{decoy}",
    "three slashes": "http:///{decoy}",
    "no slashes": "http:{decoy}",
    "two schemes": "http://http://{decoy}",
    "scheme in scheme": "http:http://{decoy}",
    "long s in the scheme": "http\u017f://{decoy}",
    "full-width scheme": "\uff48ttp://{decoy}",
    "space before the scheme": " http://{at}",
    "mark before the scheme": "\ufeffhttp://{at}",
    "tab in the scheme": "ht\ttp://{decoy}",
    "line break in the scheme": "ht\ntp://{decoy}",
    "javascript": "javascript:fetch('http://{decoy}')",
    "data": "data:text/plain,{decoy}",
    **{f"scheme {scheme}": f"{scheme}://{{decoy}}" for scheme in (
        "ftp", "file", "gopher", "ws", "wss", "dict", "ldap", "unix", "tcp", "http+unix", "httpx", "hxxp", "h2c",
    )},
    # -- path, query and fragment
    "path": "http://{at}/internal",
    "path to a decoy": "http://{at}/@{decoy}",
    "dots": "http://{at}/..",
    "two slashes behind": "http://{at}//",
    "two slashes and a decoy": "http://{at}//{decoy}",
    "query": "http://{at}?@{decoy}",
    "empty query": "http://{at}?",
    "fragment": "http://{at}#@{decoy}",
    "empty fragment": "http://{at}#",
    # -- names
    "trailing dot": "http://{name}.:{port}",
    "trailing full-width dot": "http://{name}\uff0e:{port}",
    "two dots": "http://intouch..kiosk.test:{port}",
    "leading dot": "http://.{name}:{port}",
    "only dots": "http://...:{port}",
    "wildcard": "http://*.kiosk.test:{port}",
    "underscore": "http://intouch_kiosk.test:{port}",
    "leading hyphen": "http://-{name}:{port}",
    "encoded letter": "http://%69ntouch.kiosk.test:{port}",
    "encoded decoy": "http://%31%32%37.0.0.2:{port}",
    "encoded dot": "http://intouch%2ekiosk.test:{port}",
    "encoded slash": "http://{at}%2f@{decoy}",
    "encoded NUL": "http://{name}%00.decoy.test:{port}",
    "punycode of ASCII": "http://xn--intouch-.kiosk.test:{port}",
    "empty punycode": "http://xn--.kiosk.test:{port}",
    "broken punycode": "http://xn--a.kiosk.test:{port}",
    "zero-width joiner": "http://in\u200dtouch.kiosk.test:{port}",
    "right-to-left mark": "http://in\u200ftouch.kiosk.test:{port}",
    "right-to-left override": "http://\u202e{name}:{port}",
    "full-width slash": "http://{name}\uff0fdecoy.test:{port}",
    "full-width at sign": "http://{name}\uff20decoy.test:{port}",
    "full-width colon": "http://{name}\uff1a{dport}",
    "full-width fragment": "http://decoy.test\uff03.{name}:{port}",
    "full-width question mark": "http://decoy.test\uff1f.{name}:{port}",
    "full-width percent": "http://decoy.test\uff0540{name}:{port}",
    "account of": "http://decoy.test\u2100.{name}:{port}",
    "fraction slash": "http://decoy.test\u2044{name}:{port}",
    "line separator": "http://{name}\u2028decoy.test:{port}",
    "no-break space": "http://{name}\u00a0decoy.test:{port}",
    "label of 64": "http://" + "a" * 64 + ".{name}:{port}",
    "name of 254": "http://" + "a." * 118 + "{name}:{port}",
    "name of 300": "http://" + "a." * 150 + "{name}:{port}",
    "name of 100,000": "http://" + "a" * 100_000,
    "brackets of the documents, twice": "<<http://{at}>>",
    "bracket left open": "<http://{at}",
    "decoy behind the brackets": "<http://{at}>@{decoy}",
    "empty": "",
    "only a scheme": "http://",
    "only a port": "http://:{port}",
    # -- ports
    "empty port": "http://{name}:",
    "port 0": "http://{name}:0",
    "port 65536": "http://{name}:65536",
    "port with a leading zero": "http://{name}:0{port}",
    "port with a sign": "http://{name}:+{port}",
    "negative port": "http://{name}:-1",
    "two ports": "http://{at}:{dport}",
    "port with a space": "http://{name}: {port}",
    "port in hexadecimal": "http://{name}:0x50",
    "port by name": "http://{name}:http",
    "port beyond 16 bits": "http://{name}:4295032832",
    "port in Arabic digits": "http://{name}:\u0668\u0660",
    "port with a dot": "http://{name}:80.0",
    # -- spellings of addresses that only resolvers read
    **{f"address {text}": f"http://{text}:{{port}}" for text in (
        "0x7f000002", "0x7f.2", "0x7F.0.0.0x2", "017700000002", "0177.0.0.2", "2130706434", "127.2", "127.0.2",
        "127.2.", "127.0.0.02", "127.00.0.2", "127.0.0.2.", "0", "00", "0x0", "0x", "1", "127.0.0.258", "383.0.0.2",
        "4294967296",
        "127.0.0.2.0", "127..0.0.2", "-127.0.0.2", "127.0.0.2-", "0b1111111.2", "a.0x7f", "decoy.test.1",
        "[127.0.0.2]", "[::1%25lo]", "[::1%lo]", "[::1", "::1", "::1]", "[::1]]", "[[::1]]", "[::1].", "[::1]a", "[]",
        "[:]", "[:::1]", "[1::2::3]", "[::g]", "[v1.a]", "[::ffff:127.0.0.02]", "[::ffff:0x7f.0.0.2]",
        "[::1]@decoy.test", "[00000::1]", "\u0661\u0662\u0667.0.0.2",
    )},
}  # fmt: skip

NOT_ALLOWED = {
    "another port": "http://{decoy}",
    "the allowed name, another port": "http://{name}:{dport}",
    "the allowed name, port 80": "http://{name}",
    "the allowed name, port 80 in words": "http://{name}:80",
    "the other scheme": "https://{at}",
    "the other scheme, its port": "https://{name}",
    "a name under it": "http://a.{at}",
    "a name before it": "http://decoy-{at}",
    "a name that ends like it": "http://decoy{at}",
    "its name under another": "http://{name}.decoy.test:{port}",
    "its name within another": "http://{name}decoy.test:{port}",
    "its name with a hyphen": "http://{name}-decoy.test:{port}",
    "its parent": "http://kiosk.test:{port}",
    "its first label": "http://intouch:{port}",
    "its top": "http://test:{port}",
    "hyphens for dots": "http://intouch-kiosk-test:{port}",
    "dotless i": "http://\u0131ntouch.kiosk.test:{port}",
    "dotted capital I": "http://\u0130ntouch.kiosk.test:{port}",
    "Cyrillic i": "http://\u0456ntouch.kiosk.test:{port}",
    "Cyrillic o": "http://int\u043euch.kiosk.test:{port}",
    "Greek omicron": "http://int\u03bfuch.kiosk.test:{port}",
    "punycode of the Cyrillic one": "http://xn--ntouch-bfg.kiosk.test:{port}",
    "sharp s": "http://kio\u00df.test:{port}",
    "an accent": "http://\u00edntouch.kiosk.test:{port}",
    "an accent of its own": "http://i\u0301ntouch.kiosk.test:{port}",
    "zero for o": "http://int0uch.kiosk.test:{port}",
    "l for i": "http://lntouch.kiosk.test:{port}",
    "a number with an exponent": "http://1e3:{port}",
    "localhost": "http://localhost:{port}",
    "localhost in capitals": "http://LOCALHOST:{dport}",
    "localhost in circles": "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3:{port}",
    "metadata by name": "http://metadata.google.internal",
    "full-width address": "http://" + "127.0.0.2".translate(FULL_WIDTH) + ":{port}",
    "circled address": "http://\u2460\u2461\u2466.0.0.2:{port}",
    "address with ideographic dots": "http://127\u30020\uff610\uff0e2:{port}",
    **{f"address {text}": f"http://{text}:{{port}}" for text in (
        "127.0.0.1", "127.0.0.2", ".".join("0000"), "255.255.255.255", "169.254.169.254", "100.100.100.200", "[::1]",
        "[::]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::0.0.0.1]", "[::ffff:127.0.0.2]", "[::FFFF:7F00:2]",
        "[::127.0.0.2]",
        "[64:ff9b::127.0.0.2]", "[2002:7f00:2::]", "[fe80::1]", "[fd00:ec2::254]", "[ff02::1]",
        "[::ffff:169.254.169.254]",
    )},
}  # fmt: skip

# Other spellings of the allowed origin: one canonical form, so they are called, there and nowhere else.
SAME = {
    "as it is": "http://{at}",
    "capitals": "HTTP://INTOUCH.KIOSK.TEST:{port}",
    "mixed case": "hTtP://InTouch.Kiosk.tEST:{port}",
    "brackets of the documents": "<http://{at}>",
    "one slash": "http://{at}/",
    "brackets and a slash": "<http://{at}/>",
    "Kelvin sign": "http://intouch.\u212aiosk.test:{port}",
    "long s": "http://intouch.kiosk.te\u017ft:{port}",
    "soft hyphen": "http://in\u00adtouch.kiosk.test:{port}",
    "zero-width space": "http://in\u200btouch.kiosk.test:{port}",
    "word joiner": "http://in\u2060touch.kiosk.test:{port}",
    "variation selector": "http://in\ufe0ftouch.kiosk.test:{port}",
    "full-width": "http://" + "intouch.kiosk.test".translate(FULL_WIDTH) + ":{port}",
    "ideographic dots": "http://intouch\u3002kiosk\uff61test:{port}",
    "mathematical letters": "http://\U0001d422\U0001d427touch.kiosk.test:{port}",
}


def origins():
    """All of them, and each special character at the three places where it might end or split a host."""
    for code, told in (("bad-host", BAD_HOST), ("host-not-allowed", NOT_ALLOWED), (None, SAME)):
        for name, value in told.items():
            yield Case(f"origin: {name}", "hostname", value, code)
    for char in SPECIAL:
        yield Case(f"origin: {shown(char)} before a decoy", "hostname", f"http://{{at}}{char}{{decoy}}", "bad-host")
        yield Case(
            f"origin: {shown(char)} in a name", "hostname", f"http://{{name}}{char}.decoy.test:{{port}}", "bad-host"
        )
        yield Case(f"origin: {shown(char)} before it", "hostname", f"http://127.0.0.2:{{port}}{char}{{at}}", "bad-host")
    yield Case("origin: half a surrogate pair", "hostname", "http://\ud800{at}", "ambiguous-json")
