"""The shape of decisions and resolutions (contract, section 4); a refusal is one sentence without any of the input."""

from __future__ import annotations

import pytest
from builders import a_decision, a_resolution, changed, without

from pipeline.domain.decisions import MESSAGE_MAX, TYPE_MAX, Spoken, read_decision
from pipeline.domain.request_types import RequestType

GOOD = a_decision("5E9F0F5C-A3FD-11EE-9FA7-4650F67465B8")
DETAILS = "payload.AdminTask-Payload"
CANARY = "canary"


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_checker_decides_the_desk(decision):
    """AdminTask takes approved and rejected; the id is compared in lower case."""
    spoken = read_decision(a_decision("ABC", decision, "because"))

    assert spoken == Spoken("abc", "AdminTask", decision, "because", None)


@pytest.mark.parametrize("decision", ["succeeded", "failed", "retry"])
def test_operator_resolves_a_doubt(decision):
    """IntouchAPITask takes succeeded, failed and retry."""
    spoken = read_decision(a_resolution("abc", decision))

    assert spoken == Spoken("abc", "IntouchAPITask", decision, "looked it up", None)


@pytest.mark.parametrize("name", ["AdminTask", "admintask", "ADMINTASK"])
def test_action_name_is_compared_without_case(name):
    """But the action is always told in one spelling."""
    spoken = read_decision(GOOD | {"actionName": name})

    assert isinstance(spoken, Spoken)
    assert spoken.action == "AdminTask"


def test_unknown_keys_pass():
    """Readers are tolerant of what others write."""
    extra = changed(GOOD, f"{DETAILS}.more", 1) | {"more": {}}

    assert read_decision(extra) == read_decision(GOOD)


@pytest.mark.parametrize("request_type", ["goodwill-points", "no such type", None])
def test_request_type_is_carried_as_claimed(request_type):
    """Whether it matches is approval's question; null is absent."""
    spoken = read_decision(GOOD | {"requestType": request_type})

    assert isinstance(spoken, Spoken)
    assert spoken.request_type == request_type


@pytest.mark.parametrize("request_type", ["x" * 10**6, "GOODWILL_POINTS" + " " * 60, "goodwill-points" * 5])
def test_a_type_of_any_length_is_one_that_does_not_match(request_type):
    """It is carried on as what it is, no type's name, but not whole."""
    spoken = read_decision(GOOD | {"requestType": request_type})

    assert isinstance(spoken, Spoken)
    assert spoken.request_type == request_type[:TYPE_MAX]
    assert RequestType.named(spoken.request_type) is None


@pytest.mark.parametrize("request_id", ["x" * 65, "x" * 10**6, "\u0130" * 64, "\u00e9", "a\u2003b"])
def test_what_no_request_has_as_its_id_is_none(request_id):
    """Too long, or not ASCII; the decision is well-formed all the same."""
    spoken = read_decision(GOOD | {"requestId": request_id})

    assert isinstance(spoken, Spoken)
    assert spoken.request_id is None


@pytest.mark.parametrize("request_id", ["x" * 64, "7", " " * 100 + "ABC"])
def test_blanks_around_an_id_do_not_count(request_id):
    """Whatever is short enough may be one; approval knows which are."""
    spoken = read_decision(GOOD | {"requestId": request_id})

    assert isinstance(spoken, Spoken)
    assert spoken.request_id == request_id.strip().lower()


WRONG = [
    (without(GOOD, "requestId"), "requestId"),
    (GOOD | {"requestId": None}, "requestId"),
    (GOOD | {"requestId": 7}, "requestId"),
    (GOOD | {"requestId": " "}, "requestId"),
    (without(GOOD, "actionName"), "actionName"),
    (GOOD | {"actionName": CANARY}, "actionName"),
    (GOOD | {"actionName": ["AdminTask"]}, "actionName"),
    (GOOD | {"requestType": 5}, "requestType"),
    (GOOD | {"requestType": ["goodwill-points"]}, "requestType"),
    (without(GOOD, "payload"), "payload"),
    (GOOD | {"payload": [CANARY]}, "payload"),
    (without(GOOD, DETAILS), "AdminTask-Payload"),
    (changed(GOOD, DETAILS, CANARY), "AdminTask-Payload"),
    (GOOD | {"actionName": "IntouchAPITask"}, "IntouchAPITask-Payload"),
    (without(GOOD, f"{DETAILS}.actionDecision"), "actionDecision"),
    (changed(GOOD, f"{DETAILS}.actionDecision", "Approved"), "actionDecision"),
    (changed(GOOD, f"{DETAILS}.actionDecision", "retry"), "actionDecision"),
    (changed(GOOD, f"{DETAILS}.actionDecision", ["approved"]), "actionDecision"),
    (changed(a_resolution("x"), "payload.IntouchAPITask-Payload.actionDecision", "approved"), "actionDecision"),
    (without(GOOD, f"{DETAILS}.actionMessage"), "actionMessage"),
    (changed(GOOD, f"{DETAILS}.actionMessage", " \n"), "actionMessage"),
    (changed(GOOD, f"{DETAILS}.actionMessage", 5), "actionMessage"),
    (changed(GOOD, f"{DETAILS}.actionMessage", "x" * (MESSAGE_MAX + 1)), "actionMessage"),
]


@pytest.mark.parametrize(("value", "at"), WRONG)
def test_a_malformed_decision_is_refused(value, at):
    """The sentence names the place and repeats none of the content."""
    wrong = read_decision(value)

    assert isinstance(wrong, str)
    assert at in wrong
    assert CANARY not in wrong


def test_a_long_message_is_good():
    """Up to the bound, and as it is: blanks around it stay."""
    message = " " + "x" * (MESSAGE_MAX - 1)

    spoken = read_decision(a_decision("abc", message=message))

    assert isinstance(spoken, Spoken)
    assert spoken.message == message
