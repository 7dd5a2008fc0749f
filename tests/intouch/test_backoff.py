"""How long until another try: random within bounds that double, or what Intouch asks for; nothing it says raises."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.intouch.backoff import ASKED_S_MAX, FIRST_S, LONGEST_S, backoff_ms, retry_after_ms

NOW = datetime(2024, 2, 2, 14, 12, 51, tzinfo=UTC)
NOW_MS = int(NOW.timestamp()) * 1000
DAY_MS = ASKED_S_MAX * 1000


@given(st.integers(1, 10_000))
def test_a_wait_keeps_its_bounds(attempt):
    """Between nothing and a longest that doubles with every attempt, up to a cap; however many there were."""
    longest_s = min(LONGEST_S, FIRST_S * 2 ** min(attempt - 1, 100))

    assert 0 <= backoff_ms(attempt) <= longest_s * 1000


@pytest.mark.parametrize("attempt", [1, 3, 50])
def test_a_wait_is_spread_over_all_that_is_possible(attempt):
    """Full jitter: many who failed together do not come back together."""
    longest_ms = min(LONGEST_S, FIRST_S * 2 ** (attempt - 1)) * 1000
    waits = [backoff_ms(attempt) for _ in range(200)]

    assert min(waits) < longest_ms / 4
    assert max(waits) > longest_ms * 3 / 4


@pytest.mark.parametrize(
    ("header", "asked_ms"),
    [
        (None, None),
        ("0", 0),
        ("1", 1000),
        (" 120 ", 120_000),
        ("007", 7000),
        ("86400", DAY_MS),
        ("86401", DAY_MS),
        ("9" * 5000, DAY_MS),
        ("Fri, 02 Feb 2024 14:12:53 GMT", 2000),
        ("Friday, 02-Feb-24 14:12:53 GMT", 2000),
        ("Fri Feb  2 14:12:53 2024", 2000),
        ("Fri, 02 Feb 2024 15:12:53 +0100", 2000),
        ("Fri, 02 Feb 2024 14:12:53 -0000", 2000),
        ("Fri, 02 Feb 2024 14:12:51 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY_MS),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1e3", None),
        ("\u0661", None),
        ("1, 2", None),
        ("Fri, 32 Feb 2024 14:12:51 GMT", None),
        ("Fri, 02 Feb 2024 25:00:00 GMT", None),
        ("Fri, 02 Feb 99999999999999999999 14:12:51 GMT", None),
        ("Fri, 02 Feb 2024 14:12:51 +9999", None),
    ],
)
def test_what_intouch_asks_for(header, asked_ms):
    """Seconds or an HTTP date in any of its three forms, at most a day; whatever else it says asks for nothing."""
    assert retry_after_ms(header, NOW_MS) == asked_ms


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - `timezones` adds it
def test_a_date_is_counted_from_now(date):
    """What lies behind us asks for no wait, what lies ahead for the time until then."""
    until_ms = int(date.timestamp()) * 1000 - NOW_MS

    assert retry_after_ms(format_datetime(date, usegmt=True), NOW_MS) == min(max(0, until_ms), DAY_MS)


WORDS = st.sampled_from(
    [
        "Fri,",
        "02",
        "Feb",
        "2024",
        "14:12:51",
        "GMT",
        "+0100",
        "0",
        "-1",
        "99999999999999999999",
        ":",
        ",",
        "(",
        "\udcff",
        "\x00",
    ]
)


@given(st.one_of(st.text(), st.lists(WORDS, max_size=9).map(" ".join)))
@example("Fri, 02 Feb -1 14:12:51 GMT")
def test_nonsense_never_raises(header):
    """Whatever stands there, there is a time within bounds or none."""
    asked_ms = retry_after_ms(header, NOW_MS)

    assert asked_ms is None or 0 <= asked_ms <= DAY_MS
