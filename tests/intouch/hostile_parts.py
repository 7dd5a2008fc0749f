"""Hostile paths, methods, queries and headers, each with a name and with what becomes of it: the rest of `hostile`."""

from __future__ import annotations

from intouch.hostile import SPECIAL, Case, origins, shown

JSON = {"content-type": "application/json"}
TOKEN = "!#$%&'*+-.^_`|~"

PATHS = {
    "empty": "",
    "root": "/",
    "relative": "internal/goodwill/",
    "another type's": "/v1.1/points/redeem",
    "another of Intouch's": "/internal/goodwill/1/approve",
    "in capitals": "/INTERNAL/GOODWILL/",
    "one capital": "/internal/Goodwill/",
    "long s": "/internal/goodwill/\u017f",
    "Kelvin sign": "/internal/goodwill/\u212a",
    "full-width": "\uff0finternal\uff0fgoodwill\uff0f",
    "authority": "//{decoy}/internal/goodwill/",
    "three slashes": "///{decoy}/internal/goodwill/",
    "two slashes": "//internal/goodwill/",
    "two slashes within": "/internal//goodwill/",
    "two slashes behind": "/internal/goodwill//",
    "absolute": "http://{decoy}/internal/goodwill/",
    "absolute, the allowed host": "http://{at}/internal/goodwill/",
    "user info trick": "@{decoy}/internal/goodwill/",
    "port and user info trick": ":80@{decoy}/internal/goodwill/",
    "longer host": ".decoy.test/internal/goodwill/",
    "longer port": "0/internal/goodwill/",
    "backslash host": "\\@{decoy}/internal/goodwill/",
    "backslash at front": "\\internal/goodwill/",
    "dot segment": "/internal/./goodwill/",
    "dot segment behind": "/internal/goodwill/.",
    "dots": "/internal/x/../goodwill/",
    "dots behind": "/internal/goodwill/..",
    "dots to another": "/internal/goodwill/../../v2/transactions/retro",
    "dots above the root": "/../internal/goodwill/",
    "encoded dots": "/internal/goodwill/%2e%2e/admin",
    "half encoded dots": "/internal/goodwill/.%2E/admin",
    "twice encoded dots": "/internal/goodwill/%252e%252e/admin",
    "overlong dots": "/internal/goodwill/%c0%ae%c0%ae/admin",
    "full-width dots": "/internal/goodwill/\uff0e\uff0e/admin",
    "dots with a backslash": "/internal/goodwill/..\\admin",
    "dots with a parameter": "/internal/goodwill/..;/admin",
    "encoded slash": "/internal%2fgoodwill/",
    "encoded slash behind": "/internal/goodwill/%2F",
    "twice encoded slash": "/internal%252fgoodwill/",
    "encoded backslash": "/internal%5cgoodwill/",
    "encoded letter": "/%69nternal/goodwill/",
    "encoded NUL": "/internal/goodwill/%00",
    "encoded line break": "/internal/goodwill/%0d%0aX-A:%20b",
    "encoded space": "/internal/goodwill/%20",
    "encoded question mark": "/internal/goodwill/%3fa=b",
    "parameter": "/internal/goodwill/;a=b",
    "parameter within": "/internal;a=b/goodwill/",
    "query": "/internal/goodwill/?a=b",
    "empty query": "/internal/goodwill/?",
    "fragment": "/internal/goodwill/#a",
    "space before": " /internal/goodwill/",
    "line break before": "\n/internal/goodwill/",
    "second request": "/internal/goodwill/ HTTP/1.1\r\nHost: {decoy}\r\n\r\nGET /",
    "header": "/internal/goodwill/ HTTP/1.1\r\nX-A: b",
    "asterisk": "*",
    "authority form": "{decoy}",
    "very long": "/internal/goodwill/" + "a" * 100_000,
    "template": "/internal/{name}/",
    "half a surrogate pair": "/internal/goodwill/\ud800",
}

METHODS = ("", "GET", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "POST ", " POST", "POST\r\nX: y",
           "POST / HTTP/1.1\r\n\r\nGET", "PO\u017fT", "\uff30OST", "POST\x00", "POST,GET", "PRI")  # fmt: skip

QUERIES = {
    "another host": ({"@decoy.test/": "x"}, "%40decoy.test%2F=x"),
    "fragment": ({"a#b": "c#d"}, "a%23b=c%23d"),
    "second query": ({"a?b": "c?d"}, "a%3Fb=c%3Fd"),
    "smuggled pair": ({"a&b": "c&d=e"}, "a%26b=c%26d%3De"),
    "semicolon": ({"a;b": "c;d"}, "a%3Bb=c%3Bd"),
    "line break": ({"a\r\nX-A": "b\r\n\r\nGET /"}, "a%0D%0AX-A=b%0D%0A%0D%0AGET%20%2F"),
    "end of the request": ({"a": " HTTP/1.1\r\nHost: x"}, "a=%20HTTP%2F1.1%0D%0AHost%3A%20x"),
    "NUL": ({"\x00": "\x00"}, "%00=%00"),
    "dots": ({"../": "../"}, "..%2F=..%2F"),
    "encoded before": ({"%2e%2e%2f": "%0d%0a"}, "%252e%252e%252f=%250d%250a"),
    "plus and space": ({"a+b": "c d"}, "a%2Bb=c%20d"),
    "empty name": ({"": "x"}, "=x"),
    "beyond ASCII": ({"\uff06": "\u017f\u010d\u010a"}, "%EF%BC%86=%C5%BF%C4%8D%C4%8A"),
}

IDENTITY = ("Host", "Connection", "Transfer-Encoding", "Content-Length", "Upgrade", "TE", "Trailer", "Expect",
            "Forwarded", "Via", "Proxy-Authorization", "Proxy-Connection", "Proxy-Authenticate", "Proxy-",
            "X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-")  # fmt: skip
SPELLINGS = {"as it is": str, "lower": str.lower, "upper": str.upper, "swapped": str.swapcase,
             "underscores": lambda name: name.replace("-", "_")}  # fmt: skip

BAD_HEADERS = {
    "empty name": {"": "x"},
    "colon in the name": {"X-A: b\r\nX-C": "d"},
    "host by a line break": {"X-A": "b\r\nHost: {decoy}"},
    "host by a line feed": {"X-A": "b\nHost: {decoy}"},
    "host by a return": {"X-A": "b\rHost: {decoy}"},
    "end of the headers": {"X-A": "b\r\n\r\nGET / HTTP/1.1\r\nHost: {decoy}\r\n\r\n"},
    "folded": {"X-A": "b\r\n c"},
    "folded with a tab": {"X-A": "b\r\n\tc"},
    "length by a line break": {"X-A": "b\r\nContent-Length: 0"},
    "encoding by a line break": {"X-A": "b\r\nTransfer-Encoding: chunked"},
    "line break in a dropped one": {"Host": "x\r\nX-A: b"},
    "line break in a credential": {"Authorization": "Basic obviously\r\nX-A: b"},
    "line break at the end": {"X-A": "b\r\n"},
    "twice": {"X-A": "1", "x-a": "2"},
    "twice by an underscore": {"X-A": "1", "X_A": "2"},
    "content type twice": {"content-type": "application/json", "Content_Type": "application/json"},
    "another content type": {"content-type": "text/xml"},
    "another content type by an underscore": {"content_type": "text/xml"},
    "a form": {"Content-Type": "application/x-www-form-urlencoded"},
    "long s in the content type": {"content-type": "application/j\u017fon"},
    "no-break space in the content type": {"content-type": "application/json\u00a0"},
    "content type in UTF-7": {"content-type": "application/json; charset=utf-7"},
    "two content types": {"content-type": "application/json, text/xml"},
    "Kelvin sign in the name": {"X-To\u212aen": "x"},
    "long s in the name": {"Ho\u017ft": "{decoy}"},
    "full-width name": {"\uff28ost": "{decoy}"},
    "name with a mark": {"\ufeffHost": "{decoy}"},
    "name with a no-break space": {"Host\u00a0": "{decoy}"},
    "name beyond ASCII": {"\u00c4": "x"},
    "too many": {f"X-{number}": "x" * 20 for number in range(1_000)},
    "too long": {"X-A": "x" * 17_000},
}

PLAIN_HEADERS = {
    "tab": {"X-A": "b\tc"},
    "empty": {"X-A": ""},
    "letters whose last byte is a line break": {"X-A": "\u010d\u010aHost: {decoy}"},
    "next line": {"X-A": "b\u0085Host: {decoy}"},
    "line separator": {"X-A": "b\u2028Host: {decoy}"},
    "encoded line break": {"X-A": "b%0d%0aHost: {decoy}"},
    "escaped line break": {"X-A": "b\\r\\nHost: {decoy}"},
    "nearly a dropped name": {"X-Host": "x", "Hosts": "x", "TEX": "x", "Viable": "x", "Proxy": "x"},
}


def paths():
    """All of them, each special character within the path and behind it, and methods and queries."""
    for name, value in PATHS.items():
        yield Case(f"path: {name}", "path", value, "ambiguous-json" if "\ud800" in value else "bad-path")
    for char in SPECIAL:
        yield Case(f"path: {shown(char)} behind", "path", f"/internal/goodwill/{char}", "bad-path")
        if char != "/":
            yield Case(f"path: {shown(char)} within", "path", f"/internal{char}goodwill/", "bad-path")
    for method in METHODS:
        yield Case(f"method: {method!a}", "method", method, "bad-method")
    for name, (value, sent) in QUERIES.items():
        yield Case(f"query: {name}", "queryParams", value, None, sent)
    for name, value in PATHS.items():
        if "\ud800" not in value:
            yield Case(f"path parameter: {name}", "pathParams", {"path": value, value: "x"})


def headers():
    """All of them, every character that no name and no value may have, and identity headers in every spelling."""
    for name, value in BAD_HEADERS.items():
        yield Case(f"header: {name}", "headers", JSON | value, "bad-header")
    for name, value in PLAIN_HEADERS.items():
        yield Case(f"header: {name}", "headers", JSON | value, None, value)
    for char in (*map(chr, range(0x21)), *SPECIAL[SPECIAL.index("!") :]):
        if char not in TOKEN:
            yield Case(f"header name: {shown(char)}", "headers", JSON | {f"X-A{char}B": "c"}, "bad-header")
    for char in (*map(chr, range(0x20)), "\x7f"):
        if char != "\t":
            yield Case(f"header value: {shown(char)}", "headers", JSON | {"X-A": f"b{char}c"}, "bad-header")
    for name in IDENTITY:
        for spelling, spell in SPELLINGS.items():
            if spelling != "underscores" or "-" in name:
                yield Case(f"header: {name}, {spelling}", "headers", JSON | {spell(name): "{decoy}"}, None, {})


CASES = (*origins(), *paths(), *headers())
