"""The Idempotency-Key (contract, section 4): same org, maker and key name one request, through all four stages."""

from __future__ import annotations

import pytest
from assembly import Assembly
from builders import a_submission, changed
from wiring import a_policy

KEY = ("Idempotency-Key", b"order-66")
GOOD = a_submission()
OTHER = changed(GOOD, "entityInfo.tillId", "7")


def submitted(assembly: Assembly, submission=GOOD, **who):
    """(requestId, states told since)"""
    before = len(assembly.events)
    request_id = assembly.submit(submission, more=(KEY,), **who)
    return request_id, [str(event.state) for event in assembly.events[before:]]


def test_the_same_again_is_nothing_new():
    """Its progress is told with its own apiRequestId; then it ends there, without a dead letter."""
    assembly = Assembly()
    first, _ = submitted(assembly)
    second, states = submitted(assembly)

    assert first == second
    assert states == ["ValidateMakerAccess", "ValidatePayload"]
    assert len({event.api_request_id for event in assembly.events}) == 2
    assert assembly.letters == []


@pytest.mark.parametrize("ends", ["waiting", "approved", "rejected", "automatic"])
def test_the_same_again_is_never_called_again(ends):
    """Whatever has become of the first one."""
    assembly = Assembly(a_policy(auto_approve=ends == "automatic"))
    request_id, _ = submitted(assembly)
    if ends in {"approved", "rejected"}:
        assembly.decide(request_id, ends)
    calls = len(assembly.calls)
    submitted(assembly)

    assert len(assembly.calls) == calls == (ends in {"approved", "automatic"})
    assert assembly.letters == []


@pytest.mark.parametrize("second", [OTHER, a_submission(path="/x"), changed(GOOD, "entityInfo", None)])
def test_another_payload_is_a_conflict(second):
    """Also one that would be refused: it dies by its own place, and the first request can still be decided."""
    assembly = Assembly()
    request_id, _ = submitted(assembly)
    _, states = submitted(assembly, second)
    assembly.decide(request_id)

    [letter] = assembly.letters
    assert (letter.reason, letter.source.offset, letter.request_id) == ("idempotency-conflict", 2, request_id)
    assert letter.sealed in assembly.vault.held
    assert states == ["ValidateMakerAccess", "ValidatePayload"]
    assert str(assembly.events[-1].state) == "approved"


@pytest.mark.parametrize(
    "wrong",
    [{"body": {}}, {"path": "/x"}, {"path": None}, {"method": "PUT"}, {"method": None}, {"hostname": "ftp://x"}],
    ids=str,
)
def test_a_refused_first_one_keeps_the_key(wrong):
    """The first thing that approval learns counts, good or bad. Whatever its fault was, the same without it is another
    submission: were it taken for the same, its maker would wait for an event that never comes.
    """
    assembly = Assembly()
    request_id, states = submitted(assembly, a_submission(**wrong))
    again, more = submitted(assembly, GOOD)

    assert (request_id, states[-1], more[-1]) == (again, "failed", "ValidatePayload")
    assert [letter.reason for letter in assembly.letters] == ["idempotency-conflict"]


@pytest.mark.parametrize("limits", [{"can": []}, {"entities": ["1"]}, {"can": [], "entities": []}])
@pytest.mark.parametrize(("second", "reasons"), [(GOOD, []), (OTHER, ["idempotency-conflict"])])
def test_a_first_one_without_right_keeps_the_key(limits, second, reasons):
    """Refused by intake or by validation, it is known by its payload: the same ends quietly, another one dies."""
    assembly = Assembly()
    request_id, states = submitted(assembly, GOOD, **limits)
    again, more = submitted(assembly, second)

    assert (request_id, states, more[-1]) == (again, ["ValidateMakerAccess", "failed"], "ValidatePayload")
    assert [letter.reason for letter in assembly.letters] == reasons


def test_a_second_one_without_right_is_a_conflict():
    """Whatever the first has become: a refusal cannot be told of a request that goes on."""
    for limits in ({}, {"can": []}):
        assembly = Assembly()
        submitted(assembly, GOOD, **limits)
        submitted(assembly, GOOD, can=[])

        assert [letter.reason for letter in assembly.letters] == ["idempotency-conflict"]


@pytest.mark.parametrize("who", [{"user_id": 9}, {"org": "9"}])
def test_a_key_is_its_makers_own(who):
    """Another maker or org with the same key asks for another request."""
    assembly = Assembly()
    mine, _ = submitted(assembly)
    other, states = submitted(assembly, OTHER, **who)

    assert mine != other
    assert (states[-1], assembly.letters) == ("AdminTask", [])


def test_without_a_key_every_submission_is_a_request():
    """Republishing makes a new one."""
    assembly = Assembly()

    assert assembly.submit(GOOD) != assembly.submit(GOOD)
    assert [str(event.state) for event in assembly.events].count("AdminTask") == 2
