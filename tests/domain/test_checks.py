"""What validation asks, a function per question: each error code, each bound, all faults and not only the first."""

from __future__ import annotations

from decimal import Decimal

import pytest
from builders import BODIES, ENTITY, HOST, QUERIES, a_request, changed, without

from pipeline.domain.checks import (
    QUERY_CHARACTERS_MAX,
    check_cap,
    check_entity,
    check_org,
    check_query,
    check_target,
    check_type,
)
from pipeline.domain.origins import AllowList
from pipeline.domain.policy import Policy
from pipeline.domain.request_types import ROWS, RequestType
from pipeline.domain.requests import Wish

PR, CSC, GW, *_ = RequestType
HOSTS = AllowList([HOST])


def codes(faults):
    return [(str(fault.code), fault.field) for fault in faults]


def test_a_type_can_be_switched_off():
    """Its requests end in failed."""
    assert codes(check_type(Policy(enabled=False), a_request())) == [("type-disabled", "requestType")]
    assert codes(check_type(Policy(), a_request())) == []


@pytest.mark.parametrize(("is_keyed", "is_required"), [(False, False), (False, True), (True, False), (True, True)])
def test_a_type_can_ask_for_a_key(is_keyed, is_required):
    """Only then is its absence a fault."""
    found = check_type(Policy(require_idempotency_key=is_required), a_request(is_keyed=is_keyed))

    assert codes(found) == ([("bad-header", "Idempotency-Key")] if is_required and not is_keyed else [])


@pytest.mark.parametrize("kind", RequestType)
def test_only_a_redemption_may_lack_its_entity(kind):
    """Missing is a fault for all others."""
    expected = [] if kind is PR else [("missing-field", "entityInfo")]

    assert codes(check_entity(ROWS[kind], {}, is_there=False)) == expected


@pytest.mark.parametrize("kind", RequestType)
@pytest.mark.parametrize("key", ENTITY)
def test_each_entity_id_is_text_or_int(kind, key):
    """Of every type, where entityInfo is there at all."""
    for good in (7, "7", "any text"):
        assert check_entity(ROWS[kind], ENTITY | {key: good}, is_there=True) == ()
    for wrong in (None, "", " ", True, 1.0, [], {}):
        assert codes(check_entity(ROWS[kind], ENTITY | {key: wrong}, is_there=True)) == [
            ("bad-entity-info", f"entityInfo.{key}")
        ]


@pytest.mark.parametrize("entity", [[], "x", 5, [ENTITY]])
def test_entity_info_is_an_object(entity):
    """Anything else is one fault; an empty one lacks all four."""
    assert codes(check_entity(ROWS[PR], entity, is_there=True)) == [("bad-entity-info", "entityInfo")]
    assert len(check_entity(ROWS[PR], {}, is_there=True)) == 4


@pytest.mark.parametrize("kind", RequestType)
def test_target_of_each_type(kind):
    """Path and method are pinned; the method in any case; nothing else of any other type passes."""
    row = ROWS[kind]
    for path in (row.path, *row.also_paths):
        for method in (row.method, row.method.lower(), *row.also_methods):
            assert check_target(row, Wish(host=HOST, path=path, method=method), HOSTS) == ()
    others = {other.path for other in ROWS.values()} - {row.path} | {row.path + "/x", row.path.upper(), ""}
    for path in others:
        assert codes(check_target(row, Wish(path=path), HOSTS)) == [("bad-path", "path")]
    for method in {"GET", "DELETE", "PATCH", "PUT", "POST", "po\u017ft", ""} - {row.method, *row.also_methods}:
        assert codes(check_target(row, Wish(method=method), HOSTS)) == [("bad-method", "method")]


def test_all_faults_of_a_target_are_listed():
    """Host, path and method at once."""
    wish = Wish(host="https://other.example.com", path="/x", method="GET")

    assert [code for code, _ in codes(check_target(ROWS[GW], wish, HOSTS))] == [
        "host-not-allowed",
        "bad-path",
        "bad-method",
    ]


@pytest.mark.parametrize("host", [HOST + ":8443", HOST.replace("https", "http"), HOST + ".evil.example.com"])
def test_hosts_are_compared_exactly(host):
    """Scheme, name and port; an empty list allows nothing."""
    assert codes(check_target(ROWS[GW], Wish(host=host), HOSTS)) == [("host-not-allowed", "hostname")]
    assert codes(check_target(ROWS[GW], Wish(host=HOST), AllowList())) == [("host-not-allowed", "hostname")]


def test_what_could_not_be_read_is_a_fault_already():
    """A wish without host, path and method was complained of by intake."""
    assert check_target(ROWS[GW], Wish(), HOSTS) == ()


@pytest.mark.parametrize(
    ("org_id", "named", "is_good"),
    [
        (51250, "51250", True),
        (51250, " 51250 ", True),
        (51250, "51251", False),
        (51250, "", False),
        (51250, "\u00a051250", False),
        (0, "51250", True),
    ],
)
def test_the_calls_org_is_the_submissions(org_id, named, is_good):
    """Unless the submission named none: then the payload's may stand."""
    for name in ("x-Cap-API-auth-ORG-id", "X_CAP_API_AUTH_ORG_ID"):
        wish = Wish(headers=((name, named),))
        assert (check_org(a_request(org_id=org_id), wish) == ()) == is_good
    assert check_org(a_request(org_id=org_id), Wish()) == ()


def test_org_mismatch_is_told():
    """By its code and the header's name."""
    found = check_org(a_request(), Wish(headers=(("X-CAP-API-AUTH-ORG-ID", "1"),)))

    assert codes(found) == [("org-mismatch", "headers.x-cap-api-auth-org-id")]


@pytest.mark.parametrize("kind", RequestType)
def test_documented_queries_are_good(kind):
    """And keys that nobody documented pass, as text, number or boolean."""
    query = QUERIES.get(kind, {})

    assert check_query(ROWS[kind], query) == ()
    assert check_query(ROWS[kind], query | {"a": "", "b": 5, "c": 0.5, "d": True}) == ()


@pytest.mark.parametrize("value", [None, [], {}, ["x"]], ids=str)
def test_query_values_are_scalars(value):
    """Everything else could not be sent."""
    assert codes(check_query(ROWS[GW], {"canary": value})) == [("bad-query", "queryParams")]


def test_query_is_bound():
    """By what fits into a request line; the bound is inclusive."""
    assert check_query(ROWS[GW], {"a": "x" * (QUERY_CHARACTERS_MAX - 1)}) == ()
    assert codes(check_query(ROWS[GW], {"a": "x" * QUERY_CHARACTERS_MAX})) == [("bad-query", "queryParams")]


def test_a_query_that_is_no_object_is_a_fault_already():
    """Intake complained of it."""
    assert check_query(ROWS[CSC], [1]) == ()


@pytest.mark.parametrize("name", ["source", "identifierName", "identifierValue"])
def test_required_parameters_of_a_status_change(name):
    """Missing and empty are told apart."""
    query, field = QUERIES[CSC], f"queryParams.{name}"

    assert codes(check_query(ROWS[CSC], without(query, name))) == [("missing-field", field)]
    assert codes(check_query(ROWS[CSC], changed(query, name, " "))) == [("bad-query", field)]


@pytest.mark.parametrize(
    "name", ["mobile", "email", "externalId", "cardnumber", "cardExternalId", "wechat", "fbid", "martjackId"]
)
def test_identifier_names_are_exactly_the_documented_ones(name):
    """Eight, in this spelling."""
    assert check_query(ROWS[CSC], QUERIES[CSC] | {"identifierName": name}) == ()
    for other in (name.upper(), f" {name}", 5):
        assert codes(check_query(ROWS[CSC], QUERIES[CSC] | {"identifierName": other})) == [
            ("bad-query", "queryParams.identifierName")
        ]


@pytest.mark.parametrize("value", ["xml", "", "JSON", 5])
def test_redemptions_answer_in_json(value):
    """The parameter format is json, or absent."""
    assert codes(check_query(ROWS[PR], {"format": value})) == [("bad-query", "queryParams.format")]
    assert check_query(ROWS[PR], {}) == ()


def test_cap_is_inclusive():
    """Points equal to the cap pass, a thousandth more does not; exactly, whatever the kind of the number."""
    policy = Policy(max_points=Decimal("20.1"))

    for points, is_good in ((20.1, True), (20, True), (20.101, False), (21, False), (10**399, False)):
        found = check_cap(policy, GW, BODIES[GW] | {"points": points})
        assert codes(found) == ([] if is_good else [("over-cap", "body.points")])


def test_a_list_of_redemptions_counts_as_its_sum():
    """Many small ones are one large one."""
    item = BODIES[PR]["root"]["redeem"]
    three = {"root": {"redeem": [item | {"points_redeemed": points} for points in ("33.4", 33.3, 33.3)]}}

    assert check_cap(Policy(max_points=Decimal(100)), PR, three) == ()
    assert codes(check_cap(Policy(max_points=Decimal("99.999")), PR, three)) == [
        ("over-cap", "body.root.redeem.points_redeemed")
    ]
    assert check_cap(Policy(max_points=Decimal(100)), PR, BODIES[PR]) == ()


ITEM = BODIES[PR]["root"]["redeem"]


@pytest.mark.parametrize(
    ("kind", "body", "is_over"),
    [
        (GW, {"points": 11}, True),
        (GW, {"points": 11.0, "programId": "x"}, True),
        (GW, {"points": -11}, False),
        (GW, {"points": "11"}, False),
        (GW, {"points": True}, False),
        (GW, [11], False),
        (PR, {"root": {"redeem": {"points_redeemed": "11"}}}, True),
        (PR, {"root": {"redeem": [{"points_redeemed": 6}, 5, ITEM | {"points_redeemed": "6"}]}}, True),
        (PR, {"root": {"redeem": [{"points_redeemed": 6}, {"points_redeemed": "6x"}, {"points_redeemed": -6}]}}, False),
        (PR, {"root": {"redeem": {}}}, False),
        (PR, {"root": [ITEM]}, False),
        (PR, "11", False),
    ],
)
def test_the_cap_counts_all_points_that_can_be_read(kind, body, is_over):
    """Whatever else is wrong with the body; points that cannot be read count for nothing and are told by their own."""
    assert len(check_cap(Policy(max_points=Decimal(10)), kind, body)) == is_over


@pytest.mark.parametrize("kind", RequestType)
def test_types_without_a_cap(kind):
    """Without max_points nothing is too much, and types without points have none to count."""
    huge = changed(BODIES[GW], "points", 1e300) if kind is GW else BODIES[kind]

    assert check_cap(Policy(), kind, huge) == ()
    if kind not in (GW, PR):
        assert check_cap(Policy(max_points=Decimal(1)), kind, BODIES[kind]) == ()
