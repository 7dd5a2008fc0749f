"""What intake lets through: ids, seals and faults; the only reader of tokens, which go no further."""

from __future__ import annotations

import pytest
from builders import (
    BODY,
    CANARY,
    CHECKER,
    ENTITY,
    MAKER,
    ORG,
    PASSWORD,
    T0,
    a_decision,
    a_decision_arrival,
    a_resolution,
    a_submission,
    a_token,
    an_arrival,
    changed,
    some_headers,
    without,
)
from wiring import Vault, a_validation, an_intake, data_of, events, folded, said

from pipeline.domain import ids
from pipeline.domain.access import CAN_CHECK
from pipeline.domain.deadletters import read_original
from pipeline.domain.messages import Received, Refused, Resolution, Verdict
from pipeline.domain.noted import Noted
from pipeline.domain.request_types import RequestType
from pipeline.domain.transport import NO_DIGEST
from pipeline.stages.inbox import origin_of

INTAKE = an_intake()
ARRIVAL = an_arrival(a_submission())
KEYED = ARRIVAL._replace(headers=some_headers(("Idempotency-Key", b"k-1")))


def received(arrival=ARRIVAL):
    [message] = folded(INTAKE, arrival).handovers
    assert isinstance(message, Received)
    return message


@pytest.mark.parametrize("kind", RequestType)
@pytest.mark.parametrize("spelled", [str, lambda name: name.replace("_", "-"), str.lower])
def test_a_submission_gets_a_name(kind, spelled):
    """The request is named by its place; the type is told in one spelling, whatever came."""
    request = received(an_arrival(a_submission(kind) | {"requestType": spelled(str(kind))})).request

    assert request.request_id == ids.request_id(origin_of(ARRIVAL))
    assert (request.request_type, request.org_id, request.maker_id) == (kind, ORG, MAKER)
    assert (request.origin, request.is_keyed) == (origin_of(ARRIVAL), False)
    assert request.api_request_id == ids.api_request_id(origin_of(ARRIVAL))


def test_its_first_progress_is_told():
    """ValidateMakerAccess, at the broker's time, without a state before it."""
    step = folded(INTAKE, ARRIVAL)

    [event] = events(step)
    data = data_of(event)
    assert (data["currentRequestState"], data["updateTime"]) == ("ValidateMakerAccess", T0)
    assert "previousRequestState" not in data
    assert event.headers() == (("rw-kind", b"progress"), ("rw-stage", b"intake"))
    assert (step.note.outcome, step.memory, step.afterwards) == (Noted.PASSED, (), ())


def test_silenced_progress_hands_over_all_the_same():
    """The setting concerns observers only."""
    step = folded(an_intake(tells_progress=False), ARRIVAL)

    assert (step.events, len(step.handovers)) == ((), 1)


def test_the_makers_own_request_id_is_kept():
    """By it a maker finds its request in events."""
    arrival = ARRIVAL._replace(headers=some_headers(("X-CAP-REQUEST-ID", b"AB" * 16)))

    assert received(arrival).request.api_request_id == "ab" * 16


def test_a_key_names_the_request():
    """The same org, maker and key: the same id at another place, and the original travels with it, sealed."""
    one, other = received(KEYED), received(KEYED._replace(offset=99, time_ms=T0 + 5))

    assert one.request.request_id == other.request.request_id
    assert one.request.request_id == ids.keyed_request_id(org_id=ORG, maker_id=MAKER, key=b"k-1")
    assert one.request.is_keyed
    assert (received().original, bool(one.original), one.original == other.original) == (None, True, False)


def test_republished_without_a_key_is_another_request():
    """Nobody can know that it is meant as the same."""
    assert received().about != received(ARRIVAL._replace(offset=18)).about


def test_the_sealed_original_is_the_record():
    """As it came, so that a conflict can be redriven."""
    vault = Vault()
    [message] = folded(an_intake(vault), KEYED).handovers

    binding, plain = vault.held[message.original]
    assert read_original(plain) == (KEYED.key, KEYED.value, KEYED.headers)
    assert binding == (origin_of(KEYED).place,)


def test_credentials_are_sealed_for_this_request_only():
    """Bound to org, request and place; without any there is nothing to seal."""
    vault = Vault()
    [message] = folded(an_intake(vault), ARRIVAL).handovers

    binding, plain = vault.held[message.wish.sealed_headers]
    assert plain == (("Authorization", PASSWORD),)
    assert binding == (str(ORG), message.about, origin_of(ARRIVAL).place)
    assert received(an_arrival(a_submission(headers={}))).wish.sealed_headers is None


def test_what_is_wrong_with_its_shape_travels_along():
    """Intake refuses nothing for it: there is somebody to tell."""
    message = received(an_arrival(a_submission(hostname="x")))

    assert [fault.code for fault in message.faults] == ["bad-host"]


NO_RIGHT = some_headers(token=a_token(can=[CAN_CHECK]))
OUT_OF_SCOPE = some_headers(token=a_token(entities=["1"]))
BOTH = some_headers(token=a_token(can=[], entities=["1"]))


@pytest.mark.parametrize(
    ("headers", "codes"),
    [(NO_RIGHT, ["no-right"]), (OUT_OF_SCOPE, ["out-of-scope"]), (BOTH, ["no-right", "out-of-scope"])],
)
def test_who_may_not_make_is_refused_and_told(headers, codes):
    """Its progress first; the refusal travels to approval, with all faults, and nothing is decided here."""
    step = folded(INTAKE, KEYED._replace(headers=headers))

    [refused] = step.handovers
    assert isinstance(refused, Refused)
    assert ([str(fault.code) for fault in refused.faults], refused.task) == (codes, "ValidateMakerAccess")
    assert [str(event.state) for event in events(step)] == ["ValidateMakerAccess"]
    assert (step.note.outcome, step.note.reason) == (Noted.REFUSED, codes[0])
    assert refused.texts.body


def test_a_refused_keyed_submission_keeps_its_original_and_digest():
    """It may be the second one of its key, and then it becomes a dead letter; or the first, and then the same again is
    known by the digest that validation would have taken. Without a key it is neither, and nothing is spent on it.
    """
    limited, free = (KEYED._replace(headers=(*headers, KEYED.headers[-1])) for headers in (NO_RIGHT, some_headers()))
    [refused], [unkeyed] = (folded(INTAKE, one).handovers for one in (limited, KEYED._replace(headers=NO_RIGHT)))
    [pending] = folded(a_validation(), folded(INTAKE, free).handovers[0]).handovers

    assert refused.original is not None
    assert refused.digest == pending.plan.digest
    assert (unkeyed.original, unkeyed.digest) == (None, None)


@pytest.mark.parametrize("entity", [ENTITY, {"zoneId": int(ENTITY["zoneId"])}])
def test_one_of_the_tokens_entities_is_enough(entity):
    """Text or int."""
    headers = some_headers(token=a_token(entities=["1", ENTITY["zoneId"]]))

    assert received(an_arrival(a_submission() | {"entityInfo": entity}, headers=headers))


def test_a_limited_maker_needs_an_entity():
    """No entityInfo, no right."""
    headers = some_headers(token=a_token(entities=[ENTITY["zoneId"]]))
    step = folded(INTAKE, an_arrival(without(a_submission(), "entityInfo"), headers=headers))

    assert isinstance(step.handovers[0], Refused)


@pytest.mark.parametrize("number", ["20.0", "20", "0.1", "9007199254740993", "-0.0", "123456789012345678901234567890"])
def test_numbers_survive_as_they_were(number):
    """Kind, digits and place, from the maker's bytes to what is told and handed over."""
    raw = b'{"requestType":"GOODWILL_POINTS","payload":{"IntouchAPITask-Payload":{"body":{"b":%s,"a":[null,""]}}}}'
    step = folded(INTAKE, an_arrival(raw % number.encode()))

    body = f'{{"b":{number},"a":[null,""]}}'
    assert step.handovers[0].texts.body == body
    assert f'"requestAttributes":{{"body":{body}}}'.encode() in step.events[0].value()


# -- decisions


def test_a_decision_becomes_a_verdict():
    """With who, what, why and when; the digest in lower case."""
    token = a_token(CHECKER, entities=["2", "1"])
    headers = some_headers(("rw-payload-digest", b"AB" * 32), token=token)
    arrival = a_decision_arrival(a_decision("R-1", "rejected", "no") | {"requestType": "x"}, headers=headers)
    step = folded(INTAKE, arrival)

    [verdict] = step.handovers
    assert isinstance(verdict, Verdict)
    assert verdict.model_dump(exclude={"original"}) == {
        "kind": "verdict",
        "request_id": "r-1",
        "org_id": ORG,
        "person_id": CHECKER,
        "api_request_id": ids.api_request_id(origin_of(arrival)),
        "origin": origin_of(arrival),
        "comment": "no",
        "request_type": "x",
        "decision": "rejected",
        "digest": "ab" * 32,
        "entities": ("1", "2"),
    }
    assert (step.events, step.note.outcome, step.note.decision) == ((), Noted.PASSED, "rejected")


@pytest.mark.parametrize("held", [b"", b" ", None])
def test_a_blank_digest_travels_on(held):
    """It is there and equals none: approval says so."""
    headers = some_headers(("rw-payload-digest", held), token=a_token(CHECKER))
    [verdict] = folded(INTAKE, a_decision_arrival(a_decision("r"), headers=headers)).handovers

    assert verdict.digest == NO_DIGEST


def test_an_unlimited_checker_has_no_entities():
    """None is not the empty list."""
    [unlimited], [limited] = (
        folded(INTAKE, a_decision_arrival(a_decision("r"), a_token(entities=entities))).handovers
        for entities in (None, [])
    )

    assert (unlimited.entities, limited.entities) == (None, ())


@pytest.mark.parametrize("decision", ["succeeded", "failed", "retry"])
def test_a_resolution_goes_to_execution(decision):
    """It is the one that knows what is in doubt."""
    [resolution] = folded(INTAKE, a_decision_arrival(a_resolution("r", decision))).handovers

    assert isinstance(resolution, Resolution)
    assert (resolution.topic, resolution.decision) == ("execution.inbox", decision)


@pytest.mark.parametrize("arrival", [ARRIVAL, KEYED, a_decision_arrival(a_decision("r"))])
def test_the_same_record_says_the_same_bytes(arrival):
    """Nothing is remembered and nothing is asked of a clock."""
    later = arrival._replace(seen_ms=arrival.seen_ms + 10**6)

    assert said(folded(an_intake(), later)) == said(folded(an_intake(), arrival))


@pytest.mark.parametrize(
    "arrival",
    [
        ARRIVAL,
        KEYED,
        KEYED._replace(headers=BOTH),
        an_arrival(changed(a_submission(), BODY, None)),
        a_decision_arrival(a_decision("r")),
        a_decision_arrival(a_resolution("r")),
    ],
)
def test_secrets_go_no_further(arrival):
    """Neither the token nor the credentials stand in anything that intake says."""
    step = folded(INTAKE, arrival)

    assert said(step)
    for secret in (CANARY, PASSWORD):
        assert secret not in repr(said(step)) + repr(step)
