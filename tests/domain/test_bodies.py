"""What each type's body must hold (contract, section 3, Bodies): each field missing, null, of a wrong kind."""

from __future__ import annotations

import pytest
from builders import BODIES, changed, without

from pipeline.domain.checks import check_body
from pipeline.domain.jsontext import Exact
from pipeline.domain.request_types import ROWS, RequestType
from pipeline.domain.requests import FAULTS_MAX

PR, CSC, GW, EB, IB, RT = RequestType
REQUIRED = {
    PR: ["root", "root.redeem", "root.redeem.points_redeemed", "root.redeem.customer"],
    CSC: ["reason", "label"],
    GW: [
        "referenceId",
        "reason",
        "baseType",
        "programId",
        "awardingTillId",
        "earningEntityType",
        "earningEntityId",
        "points",
        "source",
    ],
    EB: ["badgeMetaId", "customerId", "requestId", "triggeredBy", "triggeredBy.ownerType", "triggeredBy.referenceId"],
    IB: ["badgeMetaId", "customers", "requestId", "triggeredBy", "triggeredBy.ownerType", "triggeredBy.referenceId"],
    RT: ["oldType", "newType", "transactionId", "customerId"],
}
FIELDS = [(kind, path) for kind, paths in REQUIRED.items() for path in paths]


def faults(kind, body):
    return [(str(fault.code), fault.field) for fault in check_body(ROWS[kind], body)]


def shown(path):
    """Where a fault of this path is reported: a lone redemption is a list of one."""
    return "body." + path.replace("root.redeem.", "root.redeem.0.")


@pytest.mark.parametrize("kind", RequestType)
def test_documented_body_is_good(kind):
    """What the documents print passes, and so do keys that they do not print."""
    assert faults(kind, BODIES[kind]) == []
    assert faults(kind, BODIES[kind] | {"more": {"x": [None]}}) == []


@pytest.mark.parametrize(("kind", "path"), FIELDS)
def test_a_required_field_is_missed(kind, path):
    """Each one, by its place, and as missing."""
    assert faults(kind, without(BODIES[kind], path)) == [("missing-field", shown(path))]


@pytest.mark.parametrize(("kind", "path"), FIELDS)
def test_null_is_no_value(kind, path):
    """A required field that is null is malformed."""
    found = faults(kind, changed(BODIES[kind], path, None))

    assert found
    assert {code for code, _ in found} == {"bad-body"}
    assert all(field.startswith(shown(path)) for _, field in found)


@pytest.mark.parametrize(("kind", "path"), FIELDS)
@pytest.mark.parametrize("value", [True, {}, [[]]], ids=str)
def test_wrong_kinds_are_refused(kind, path, value):
    """True is no number and no text; neither are objects and lists."""
    assert faults(kind, changed(BODIES[kind], path, value))


@pytest.mark.parametrize("kind", RequestType)
@pytest.mark.parametrize("body", [[], "text", 5, True, [{}]], ids=str)
def test_a_body_is_an_object(kind, body):
    """Whatever else it is, it is one fault, and no crash."""
    assert faults(kind, body) == [("bad-body", "body")]


def test_all_faults_are_listed():
    """Not only the first."""
    assert [field for _, field in faults(GW, {})] == [f"body.{path}" for path in REQUIRED[GW]]


def test_faults_repeat_none_of_the_input():
    """Their words come from the rules."""
    body = dict.fromkeys([*BODIES[GW], *BODIES[EB]], "canary") | {"oldType": "canary", "newType": "canary"}

    for kind in RequestType:
        assert "canary" not in str(check_body(ROWS[kind], body))


@pytest.mark.parametrize("kind", [PR, IB])
@pytest.mark.parametrize(("count", "left_out"), [(FAULTS_MAX, 0), (FAULTS_MAX + 1, 1), (10_000, 9_900)])
def test_the_number_of_faults_is_bound(kind, count, left_out):
    """A list of ten thousand wrong items says it with a hundred, and with how many more there are."""
    wrong = {"root": {"redeem": [5] * count}, "customers": [None] * count}

    found = check_body(ROWS[kind], BODIES[kind] | wrong)
    last = found[-1]
    assert len(found) == (FAULTS_MAX + 1 if left_out else count)
    assert ((last.code, last.field, last.message) == ("bad-body", "body", f"and {left_out} more faults")) == (
        left_out > 0
    )


@pytest.mark.parametrize(("count", "expected"), [(10_000, FAULTS_MAX + 1), (10_001, 1)])
def test_faults_beyond_counting_are_one(count, expected):
    """A megabyte of wrong items must not hold up its neighbours while they are spelled out; their number is told."""
    found = check_body(ROWS[IB], BODIES[IB] | {"customers": [None] * count})

    assert (len(found), found[-1].field) == (expected, "body")
    assert found[-1].message == ("has 10001 faults" if expected == 1 else "and 9900 more faults")


@pytest.mark.parametrize("path", ["programId", "awardingTillId", "earningEntityId"])
@pytest.mark.parametrize(
    ("value", "is_good"),
    [
        (2739.0, True),
        (2**60, True),
        (1e300, True),
        (Exact("1.0000000000000000e300"), True),
        (2739.5, False),
        ("2739", False),
        (Exact("2739.00000000000000001"), False),
        (Exact("9007199254740992.5"), False),
    ],
)
def test_whole_numbers_of_goodwill(path, value, is_good):
    """2739.0 is meant as an int; text is not, nor what is whole only when a double has cut it."""
    assert (faults(GW, changed(BODIES[GW], path, value)) == []) == is_good


@pytest.mark.parametrize(
    ("value", "is_good"),
    [(0.001, True), (1e300, True), (10**399, True), (0, False), (-1, False), (0.0, False), ("20", 0)],
)
def test_points_of_goodwill_are_a_positive_number(value, is_good):
    """More than nothing, and no text; the cap is the deployment's."""
    assert (faults(GW, changed(BODIES[GW], "points", value)) == []) == bool(is_good)


@pytest.mark.parametrize(
    ("kind", "path", "value", "is_good"),
    [
        (GW, "baseType", "points", False),
        (GW, "earningEntityType", "anything", True),
        (GW, "earningEntityType", " ", False),
        (GW, "referenceId", "", True),
        (GW, "source", 5, False),
        (CSC, "label", "", False),
        (CSC, "reason", 5, False),
        (EB, "badgeMetaId", 5, False),
        (EB, "requestId", 5, True),
        (EB, "requestId", 5.5, False),
        (EB, "requestId", Exact("5.00000000000000000001"), False),
        (EB, "requestId", " ", False),
        (EB, "customerId", "0382", True),
        (EB, "customerId", 382477526.0, True),
        (EB, "customerId", "38a", False),
        (EB, "customerId", Exact("5.00000000000000000001"), False),
        (EB, "customerId", "-5", False),
        (EB, "customerId", "٣", False),
        (EB, "customerId", "", False),
        (IB, "customers", 113460811, True),
        (IB, "customers", "113460811", True),
        (IB, "customers", [1, "2", 3.0], True),
        (IB, "customers", [], False),
        (IB, "customers", [1, "x"], False),
        (RT, "oldType", "not_interested", False),
        (RT, "newType", "MIXED", False),
        (RT, "transactionId", "T-1", True),
        (RT, "customerId", 7, True),
        (RT, "customerId", "", False),
    ],
)
def test_fields_of_the_other_types(kind, path, value, is_good):
    """One rule of the contract each."""
    assert (faults(kind, changed(BODIES[kind], path, value)) == []) == is_good


OWNERS = [
    "Loyalty",
    "Loyalty_Promotion",
    "Referral_Campaigns",
    "Journeys",
    "Audience_Campaigns",
    "Rewards_Catalog",
    "Goodwill_Module",
    "Milestones",
    "Historical_Import",
]


@pytest.mark.parametrize("kind", [EB, IB])
@pytest.mark.parametrize("owner", OWNERS)
def test_owner_types_in_any_case(kind, owner):
    """The nine documented ones."""
    for spelled in (owner, owner.lower(), owner.upper()):
        assert faults(kind, changed(BODIES[kind], "triggeredBy.ownerType", spelled)) == []


@pytest.mark.parametrize("kind", [EB, IB])
@pytest.mark.parametrize("owner", ["", "Other", "Loyalty ", "Goodwill-Module", 5])
def test_other_owner_types_are_refused(kind, owner):
    """The list is closed."""
    assert faults(kind, changed(BODIES[kind], "triggeredBy.ownerType", owner)) == [
        ("bad-body", "body.triggeredBy.ownerType")
    ]
