"""When a token was valid: exp, nbf and iat at the broker's time of the record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.domain.claims import Claims

AT_MS = 1_700_000_000_000
AT_S = AT_MS // 1000
CLAIMS = Claims(7, None, 0, frozenset(), None, expires_s=AT_S + 60, max_age_s=3600)


@pytest.mark.parametrize(
    ("expires_in_s", "is_good"),
    [
        (60, True),
        (0, True),
        (-29.999, True),
        (-30, False),
        (-3600, False),
        (3600, True),
        (3630, True),
        (3630.001, False),
    ],
)
def test_expiry_is_neither_past_nor_far(expires_in_s, is_good):
    """The expiry lies after publication and at most the longest life later; 30 s of leeway on both sides."""
    assert replace(CLAIMS, expires_s=AT_S + expires_in_s).good_at(AT_MS) is is_good


@pytest.mark.parametrize("name", ["not_before_s", "issued_s"])
@pytest.mark.parametrize(
    ("begins_in_s", "is_good"), [(-(10**9), True), (0, True), (30, True), (30.001, False), (1e308, False)]
)
def test_beginnings_are_not_in_the_future(name, begins_in_s, is_good):
    """Both nbf and iat may lie 30 s in the future, for clocks that differ, and no more."""
    assert replace(CLAIMS, **{name: AT_S + begins_in_s}).good_at(AT_MS) is is_good


def test_the_same_claims_are_judged_at_any_time():
    """A token that has expired by now was good for the record that was published before."""
    assert CLAIMS.good_at(AT_MS)
    assert not CLAIMS.good_at(AT_MS + 3_600_000)
