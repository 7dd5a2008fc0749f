"""Validation: what becomes Pending, what becomes Refused, all faults at once, and the digest that binds the rest."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from builders import (
    BODY,
    CALL,
    ENTITY,
    HEADERS,
    HOST,
    ORG,
    QUERY,
    a_submission,
    an_arrival,
    changed,
    some_headers,
    without,
)
from hypothesis import given
from hypothesis import strategies as st
from wiring import a_policy, a_validation, an_approval, an_intake, data_of, events, folded, said

from pipeline.domain.deadletters import RECORD_BYTES_MAX
from pipeline.domain.jsontext import AmbiguousJson, read_json, write_json
from pipeline.domain.messages import Pending, Refused
from pipeline.domain.noted import Noted
from pipeline.domain.request_types import ROWS, RequestType

INTAKE, VALIDATION = an_intake(), a_validation()
PR, CSC, GW, *_ = RequestType


def judged(submission, stage=VALIDATION, **record):
    """The step that validation makes of what intake makes of a submission."""
    [received] = folded(INTAKE, an_arrival(submission, **record)).handovers
    return folded(stage, received)


def codes(step):
    [refused] = step.handovers
    return [(str(fault.code), fault.field) for fault in refused.faults] if isinstance(refused, Refused) else []


@pytest.mark.parametrize("kind", RequestType)
def test_a_good_submission_goes_on(kind):
    """As Pending, with the call of its type; credentials stay sealed."""
    step = judged(a_submission(kind))

    [pending], row = step.handovers, ROWS[kind]
    assert isinstance(pending, Pending)
    assert (pending.plan.method, pending.plan.host, pending.plan.path) == (row.method, HOST, row.path)
    assert pending.plan.headers == (("content-type", "application/json"),)
    assert pending.plan.sealed_headers
    assert len(bytes.fromhex(pending.plan.digest)) == 32
    assert pending.plan.reason == ("testing" if kind is CSC else None)
    assert (step.note.outcome, step.memory, step.afterwards, step.call) == (Noted.PASSED, (), (), None)


@pytest.mark.parametrize("headers", [None, {}, {"content-type": "application/json"}])
def test_a_call_without_credentials_reaches_the_desk(headers):
    """Without an Authorization none is sent; the plan says so by what it lacks, and approval can read it."""
    [pending] = judged(a_submission(headers=headers)).handovers

    assert pending.plan.sealed_headers is None
    assert folded(an_approval(), pending).note.outcome is Noted.PLACED


@pytest.mark.parametrize("body", [None, {}])
def test_its_progress_is_told_either_way(body):
    """ValidatePayload, after ValidateMakerAccess, at the submission's time."""
    for step in (judged(a_submission()), judged(a_submission(body=body))):
        [event] = events(step)
        data = data_of(event)
        assert (data["currentRequestState"], data["previousRequestState"]) == ("ValidatePayload", "ValidateMakerAccess")
        assert data["updateTime"] == an_arrival(None).time_ms
        assert event.headers() == (("rw-kind", b"progress"), ("rw-stage", b"validation"))


def test_silenced_progress_hands_over_all_the_same():
    """The setting concerns observers only."""
    step = judged(a_submission(), a_validation(tells_progress=False))

    assert (step.events, len(step.handovers)) == ((), 1)


@pytest.mark.parametrize(("kind", "path"), [(GW, "/internal/goodwill"), (CSC, None)])
def test_documented_variants_become_the_one_call(kind, path):
    """A missing slash and POST for PUT are accepted; what is called is the type's own."""
    variant = a_submission(kind, **({"path": path} if path else {"method": "post"}))

    [pending] = judged(variant).handovers
    assert (pending.plan.method, pending.plan.path) == (ROWS[kind].method, ROWS[kind].path)


WRONG = [
    (without(a_submission(), "entityInfo"), ("missing-field", "entityInfo")),
    (changed(a_submission(), "entityInfo.tillId", None), ("bad-entity-info", "entityInfo.tillId")),
    (a_submission() | {"entityInfo": [1]}, ("bad-entity-info", "entityInfo")),
    (a_submission(hostname="x"), ("bad-host", "hostname")),
    (a_submission(hostname="https://other.example.com"), ("host-not-allowed", "hostname")),
    (a_submission(path="/x"), ("bad-path", "path")),
    (a_submission(pathParams=[]), ("bad-path", "pathParams")),
    (a_submission(method="GET"), ("bad-method", "method")),
    (a_submission(headers={"a b": ""}), ("bad-header", "headers")),
    (a_submission(headers={"X-CAP-API-AUTH-ORG-ID": "1"}), ("org-mismatch", "headers.x-cap-api-auth-org-id")),
    (a_submission(queryParams={"a": []}), ("bad-query", "queryParams")),
    (without(a_submission(CSC), f"{QUERY}.source"), ("missing-field", "queryParams.source")),
    (a_submission(body=None), ("missing-field", "body")),
    (a_submission(body=[]), ("bad-body", "body")),
    (changed(a_submission(), f"{BODY}.points", "20"), ("bad-body", "body.points")),
    (without(a_submission(), f"{BODY}.points"), ("missing-field", "body.points")),
    (a_submission(CSC, body={"reason": 5, "label": "x"}), ("bad-body", "body.reason")),
    (without(a_submission(), CALL), ("missing-field", "payload.IntouchAPITask-Payload")),
]


@pytest.mark.parametrize(("submission", "fault"), WRONG)
def test_each_fault_is_told(submission, fault):
    """By its code and its place; the refusal travels to approval, and nothing is decided here."""
    step = judged(submission)

    assert codes(step) == [fault]
    [refused] = step.handovers
    assert (refused.task, refused.texts.entity != "") == ("ValidatePayload", fault != ("missing-field", "entityInfo"))
    assert (step.note.outcome, step.note.reason) == (Noted.REFUSED, fault[0])


def test_a_redemption_may_lack_its_entity():
    """It alone."""
    assert codes(judged(without(a_submission(PR), "entityInfo"))) == []


POLICIES = {
    "type-disabled": ({"enabled": False}, "requestType"),
    "bad-header": ({"require_idempotency_key": True}, "Idempotency-Key"),
    "over-cap": ({"max_points": Decimal("19.999")}, "body.points"),
}


@pytest.mark.parametrize("code", POLICIES)
def test_what_a_deployment_forbids(code):
    """Of this type only."""
    switches, field = POLICIES[code]

    assert codes(judged(a_submission(), a_validation(a_policy(GW, **switches)))) == [(code, field)]
    assert codes(judged(a_submission(), a_validation(a_policy(PR, **switches)))) == []


def test_a_key_that_is_asked_for_suffices():
    """With it the submission goes on."""
    stage = a_validation(a_policy(GW, require_idempotency_key=True))

    assert codes(judged(a_submission(), stage, headers=some_headers(("Idempotency-Key", b"k")))) == []


def test_the_cap_is_told_with_all_other_faults():
    """A body that is wrong elsewhere may be over the cap, too."""
    wrong = changed(changed(a_submission(path="/x"), f"{BODY}.programId", "x"), f"{BODY}.points", 21)

    found = codes(judged(wrong, a_validation(a_policy(GW, max_points=Decimal(20)))))
    assert found == [("bad-path", "path"), ("bad-body", "body.programId"), ("over-cap", "body.points")]


def test_the_cap_is_inclusive():
    """As many points as allowed are allowed."""
    assert codes(judged(a_submission(), a_validation(a_policy(GW, max_points=Decimal(20))))) == []


@pytest.mark.parametrize("other", [{"x": 5}, {"a b": ""}, {"content-type": "text/plain"}, {"x": "y" * 20_000}])
def test_another_org_is_told_with_bad_headers(other):
    """One fault of the headers does not hide the other; the right org is none."""
    for org, expected in (("1", ["bad-header", "org-mismatch"]), (str(ORG), ["bad-header"])):
        step = judged(a_submission(headers=other | {"X-CAP-API-AUTH-ORG-ID": org}))
        assert [code for code, _ in codes(step)] == expected


def test_all_faults_are_listed():
    """Not only the first."""
    wrong = a_submission(CSC, hostname="x", path="/x", method="GET", headers={"a b": ""}, queryParams={}, body={})
    stage = a_validation(a_policy(CSC, enabled=False))

    assert [code for code, _ in codes(judged(without(wrong, "entityInfo.zoneId"), stage))] == [
        "type-disabled",
        "bad-entity-info",
        "bad-host",
        "bad-header",
        "bad-path",
        "bad-method",
        *["missing-field"] * 5,
    ]


def test_a_body_that_outgrew_the_topics_is_one_fault():
    """It ends in failed, by its name, and nothing of it is told."""
    body = {"list": ["1e15"] * 9_000, "text": "x" * 900_000}
    raw = json.dumps(a_submission(body=body)).replace('"1e15"', "1e15").encode()
    assert len(raw) < RECORD_BYTES_MAX - 20_000

    step = judged(raw)

    assert codes(step) == [("bad-body", "body")]
    assert "requestAttributes" not in data_of(events(step)[0])


def test_parts_left_out_by_intake_are_blamed_once():
    """What intake left out because it was too much is not missed as well."""
    long = {"list": [0] * 20_000}
    wish = a_submission(RequestType.CUSTOMER_STATUS_CHANGE, queryParams=long) | {"entityInfo": long}

    assert sorted(codes(judged(wish))) == [("bad-entity-info", "entityInfo"), ("bad-query", "queryParams")]


def test_refused_and_pending_know_the_digest():
    """By it a second submission of the same key is recognised; a host that could not be read is no reason to fail."""
    good, wrong = judged(a_submission()), judged(a_submission(hostname="x"))

    assert good.handovers[0].plan.digest != wrong.handovers[0].digest
    assert len(bytes.fromhex(wrong.handovers[0].digest)) == 32


def digest(submission, **headers):
    [pending] = judged(changed(submission, HEADERS, headers) if headers else submission).handovers
    return pending.plan.digest


def test_the_digest_binds_what_is_sent():
    """Every part changes it; credentials, dropped headers, the spelling of host and method, and key order do not."""
    good = a_submission()
    same = [
        a_submission(hostname=f"<{HOST.upper()}:443/>"),
        a_submission(method="post"),
        without(good, f"{HEADERS}.Authorization"),
        changed(good, f"{HEADERS}.Via", "x"),
        changed(good, BODY, dict(reversed(good["payload"]["IntouchAPITask-Payload"]["body"].items()))),
        changed(good, f"{BODY}.points", 20.0),
    ]
    other = [
        changed(good, f"{BODY}.points", 21),
        changed(good, f"{BODY}.more", None),
        changed(good, "entityInfo.tillId", int(ENTITY["tillId"])),
        changed(good, f"{HEADERS}.A", "b"),
        a_submission(queryParams={"a": ""}),
        a_submission(pathParams={"a": ""}),
    ]

    assert {digest(submission) for submission in same} == {digest(good)}
    assert len({digest(submission) for submission in [good, *other]}) == len(other) + 1


def test_original_travels_on():
    """To approval, which alone knows whether the key was used before."""
    keyed = {"headers": some_headers(("Idempotency-Key", b"k"))}

    for submission in (a_submission(), a_submission(path="/x")):
        [message] = judged(submission, **keyed).handovers
        assert message.original is not None
        assert judged(submission).handovers[0].original is None


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
PLACES = [
    CALL,
    BODY,
    QUERY,
    HEADERS,
    "entityInfo",
    f"{CALL}.pathParams",
    f"{BODY}.points",
    f"{CALL}.hostname",
    "payload",
]


@given(st.sampled_from(list(RequestType)), st.sampled_from(PLACES), VALUES)
def test_whatever_a_maker_writes_is_judged(kind, place, value):
    """Any JSON at any place: validation is total, says the same bytes twice, and tells what it was given."""
    submission = changed(a_submission(kind), place, value)
    try:
        read_json(write_json(submission))
    except AmbiguousJson:
        return

    once, twice = judged(submission), judged(submission)

    assert said(once) == said(twice)
    assert len(once.handovers) == len(once.events) == 1
