"""Which calls may be made again, and which are about one: per type and body (contract, section 3)."""

from __future__ import annotations

import json

import pytest
from builders import BODIES, changed, without
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.repeats import Manner, manner_of
from pipeline.domain.request_types import RequestType

REPEATABLE = {
    RequestType.POINTS_REDEMPTION: True,  # the builders' one has a reference
    RequestType.CUSTOMER_STATUS_CHANGE: True,
    RequestType.GOODWILL_POINTS: False,
    RequestType.EARN_BADGE: True,
    RequestType.ISSUE_BADGE: True,
    RequestType.RETRO_TRANSACTION: False,
}
REDEMPTION = RequestType.POINTS_REDEMPTION
ITEM = BODIES[REDEMPTION]["root"]["redeem"]
REFERENCE = "external_reference_number"


def manner(request_type, body):
    return manner_of(request_type, json.dumps(body))


def redeeming(*references):
    """A list of redemptions with these references."""
    return manner(REDEMPTION, {"root": {"redeem": [ITEM | {REFERENCE: each} for each in references]}})


@pytest.mark.parametrize("request_type", RequestType)
def test_every_type(request_type):
    """By the field that Intouch dedupes by, or because a second call has no second effect; about one, as it is."""
    is_keyed = REPEATABLE[request_type] and request_type is not RequestType.CUSTOMER_STATUS_CHANGE
    expected = Manner(REPEATABLE[request_type], is_single=True, is_keyed=is_keyed)

    assert manner(request_type, BODIES[request_type]) == expected


@pytest.mark.parametrize("reference", ["A", " A ", "0", 5, 0, 5.5])
def test_a_reference_makes_a_redemption_repeatable(reference):
    """A text that is not blank, or a number."""
    assert redeeming(reference) == Manner(is_repeatable=True, is_single=True, is_keyed=True)


@pytest.mark.parametrize("reference", ["", " ", "\t\n", None, True, False, [], ["A"], {}, {"a": 1}], ids=repr)
def test_what_is_no_reference(reference):
    """Blank ones do not count, and nothing but a text or a number is one: Intouch could not dedupe by it."""
    body = changed(BODIES[REDEMPTION], f"root.redeem.{REFERENCE}", reference)

    assert manner(REDEMPTION, body) == Manner(is_repeatable=False, is_single=True)


def test_a_redemption_without_a_reference_is_made_once():
    """The key may be missing altogether."""
    body = without(BODIES[REDEMPTION], f"root.redeem.{REFERENCE}")

    assert manner(REDEMPTION, body) == Manner(is_repeatable=False, is_single=True)


@given(st.lists(st.sampled_from(["A", "B", 7, "", " ", None]), min_size=1, max_size=5))
def test_every_item_needs_a_reference(references):
    """One of them without, and the call is made once."""
    names = all(each in ("A", "B", 7) for each in references)

    assert redeeming(*references) == Manner(names, is_single=len(references) == 1, is_keyed=names)


@pytest.mark.parametrize(
    ("customers", "is_single"), [([1], True), (["1"], True), (1, True), ("1", True), ([1, 2], False)]
)
def test_a_badge_for_several_customers_is_not_about_one(customers, is_single):
    """A lone one may stand without a list."""
    body = BODIES[RequestType.ISSUE_BADGE] | {"customers": customers}

    assert manner(RequestType.ISSUE_BADGE, body) == Manner(is_repeatable=True, is_single=is_single, is_keyed=True)


@pytest.mark.parametrize("body", ["", "[]", "{", '{"root":{}}', '{"root":{"redeem":7}}', '{"root":{"redeem":[7]}}'])
def test_what_is_no_body_of_its_type_is_not_repeated(body):
    """Nor is it sent: the digest is not that of what was approved. To ask about it ends nothing."""
    assert manner_of(REDEMPTION, body) == Manner(is_repeatable=False)
