"""The body of a redemption: points as number or text, exactly; a customer; a date that exists; one or many."""

from __future__ import annotations

from decimal import Decimal

import pytest
from builders import BODIES, changed
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from pipeline.domain.bodies import points_of
from pipeline.domain.checks import check_body
from pipeline.domain.request_types import ROWS, RequestType

ROW, GOOD = ROWS[RequestType.POINTS_REDEMPTION], BODIES[RequestType.POINTS_REDEMPTION]
REDEEM = GOOD["root"]["redeem"]


def fields(redeem):
    return [fault.field for fault in check_body(ROW, changed(GOOD, "root.redeem", redeem))]


@pytest.mark.parametrize(
    ("value", "points"),
    [
        (100, "100"),
        (100.0, "100"),
        (100.10, "100.1"),
        ("100", "100"),
        ("007.500", "7.5"),
        (0.001, "0.001"),
        ("999999999999999.999", "999999999999999.999"),
        (10**15 - 1, "999999999999999"),
        (1e14, "100000000000000"),
    ],
)
def test_points_are_read_exactly(value, points):
    """Number or text, at most 15 digits before and 3 after the point."""
    assert points_of(value) == Decimal(points)


@pytest.mark.parametrize(
    "value",
    [
        *(0, 0.0, "0", "0.000", -1, "-1", 0.0001, "1.0001", 10**15, "1" * 16, 1e15, 1e308, 1e-7),
        *("1e2", "+1", " 1", "1,5", "1.", ".5", "", "٣", True, False, None, [], {}, "Infinity"),
    ],
    ids=repr,
)
def test_other_points_are_refused(value):
    """Nothing, less than nothing, too many digits, any other spelling."""
    with pytest.raises(PydanticCustomError):
        points_of(value)

    assert fields(REDEEM | {"points_redeemed": value}) == ["body.root.redeem.0.points_redeemed"]


@given(st.integers(1, 10**18 - 1))
def test_text_and_number_mean_the_same_points(thousandths):
    """Written as text, every amount within the bounds survives exactly."""
    points = Decimal(thousandths).scaleb(-3)

    assert points_of(format(points, "f")) == points
    if thousandths < 10**15:  # what every double keeps
        assert points_of(float(points)) == points


@pytest.mark.parametrize("key", ["mobile", "email", "external_id", "id"])
@pytest.mark.parametrize("value", ["x", 5])
def test_one_identifier_is_enough(key, value):
    """Any of the four names the customer."""
    assert fields(REDEEM | {"customer": {key: value}}) == []


@pytest.mark.parametrize(
    "customer", [{}, {"name": "x"}, {"mobile": ""}, {"mobile": " "}, {"id": True}, {"id": None}, []]
)
def test_a_customer_must_be_named(customer):
    """Not by something else, nor by nothing."""
    assert fields(REDEEM | {"customer": customer}) == ["body.root.redeem.0.customer"]


@pytest.mark.parametrize(
    ("time", "is_good"),
    [
        ("2020-02-29 23:59:59", True),
        ("2021-02-29 00:00:00", False),
        ("2020-04-15 24:00:00", False),
        ("2020-04-15T23:01:46", False),
        ("2020-4-15 23:01:46", False),
        ("2020-04-15 23:01", False),
        ("2020-04-15 23:01:46\n", False),
        ("٢٠٢٠-04-15 23:01:46", False),
        (1586991706, False),
        ("", False),
        (None, False),
    ],
)
def test_redemption_time(time, is_good):
    """YYYY-MM-DD HH:MM:SS, and it must exist."""
    assert fields(REDEEM | {"redemption_time": time}) == ([] if is_good else ["body.root.redeem.0.redemption_time"])


def test_redemption_time_may_be_missing():
    """It is optional."""
    assert fields({key: held for key, held in REDEEM.items() if key != "redemption_time"}) == []


def test_a_list_of_redemptions():
    """Each is judged, by its place."""
    assert fields([REDEEM, REDEEM]) == []
    assert fields([REDEEM, REDEEM | {"points_redeemed": 0}]) == ["body.root.redeem.1.points_redeemed"]


@pytest.mark.parametrize("redeem", [[], "x", [REDEEM, 5]], ids=["empty", "text", "number in list"])
def test_nothing_else_is_a_redemption(redeem):
    """An empty list redeems nothing, and every item is an object."""
    assert len(fields(redeem)) == 1
