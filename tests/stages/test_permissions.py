"""The permission matrix, every cell: what the real intake, validation, approval and execution make of it.

Cells and expectations stand in `permissions`. What is refused changes nothing; what counts has its own effect and no
other. A resolution is asserted as far as intake on every cell, and in execution for what is not in doubt; the states
of a request in doubt are rows of `DOUBTS`.
"""

from __future__ import annotations

import functools
import itertools

import pytest
from builders import (
    CHECKER,
    MAKER,
    ORG,
    REQUEST_ID,
    T0,
    a_decision,
    a_decision_arrival,
    a_pending,
    a_refused,
    a_resolution,
    a_submission,
    a_token,
    a_verdict,
    an_arrival,
    an_ended,
    some_headers,
)
from stages.permissions import (
    CLAIMED,
    EXPIRED_MS,
    GOOD_MS,
    PEOPLE,
    ROLES,
    STATES,
    VERDICTS,
    WHEN_MS,
    expected_of_resolution,
    expected_of_submission,
    expected_of_verdict,
    expires_by,
    resolutions,
    verdicts,
)
from trust.minting import SECRET
from trust.minting import signed as signed_token
from wiring import (
    a_due,
    a_policy,
    a_validation,
    an_approval,
    an_execution,
    an_intake,
    data_of,
    events,
    folded,
    letters,
    nothing,
    signed,
    written,
)

from pipeline.domain.desk import read_entry
from pipeline.domain.messages import Approved, Resolution, Verdict
from pipeline.domain.request_types import RequestType
from pipeline.trust.keys import SharedSecret
from pipeline.trust.tokens import Tokens, Wanted

INTAKE, EXECUTION = an_intake(), an_execution()
NOTHING = (None,)
DIGEST = a_pending().plan.digest
DIGEST_HEADERS = {"no digest": (), "its digest": DIGEST.encode(), "another digest": b"0" * 64}


def a_bearer(person, rights):
    """The headers of what this person publishes."""
    token = a_token(
        person.user_id,
        org_id=person.org_id,
        can=rights,
        entities=person.entities,
        expires_ms=EXPIRED_MS if person.token == "expired" else GOOD_MS,
    )
    return some_headers(token=b"forged" if person.token == "forged" else token, org=str(person.header_org_id))


@functools.cache
def heard(wish):
    """What intake makes of the wish: the message that it hands on, or the reason of the dead letter."""
    value = (a_decision if wish.word in VERDICTS else a_resolution)(REQUEST_ID, wish.word)
    value |= {} if CLAIMED[wish.claimed] is None else {"requestType": CLAIMED[wish.claimed]}
    digest = DIGEST_HEADERS[wish.digest]
    headers = a_bearer(PEOPLE[wish.person], wish.rights) + ((("RW-Payload-Digest", digest),) if digest else ())
    step = folded(INTAKE, a_decision_arrival(value, headers=headers, time_ms=WHEN_MS, offset=50))
    dead = letters(step)
    assert len(dead) + len(step.handovers) == 1
    assert (events(step), step.memory, step.afterwards) == ([], (), ())
    return str(dead[0].reason) if dead else step.handovers[0]


# -- what has become of the request


def folds(stage, *records):
    """(while the last of these is under way, when all is done)"""
    memory = under_way = NOTHING
    for record in records:
        step = folded(stage, record, memory)
        under_way = written(stage, memory, step.memory)
        memory = written(stage, under_way, step.afterwards)
    return under_way, memory


@functools.cache
def memories(*, wants_digest):
    """A desk in each state, each made by the real stage."""
    stage, auto = approval(wants_digest=wants_digest), an_approval(a_policy(auto_approve=True))
    brief = an_approval(a_policy(expires_after_s=1, require_digest=wants_digest))
    agreed, declined = (a_verdict(word, digest=DIGEST, offset=30) for word in VERDICTS)
    forgotten = folds(stage, a_pending(), declined, a_due(stage, T0 + 10 * 365 * 86_400_000))
    found = {"unknown": NOTHING, "forgotten": forgotten[1]}
    found["refused, being told"], found["refused"] = folds(stage, a_refused())
    found["waiting"] = folds(stage, a_pending())[1]
    found["waiting, term over"] = folds(brief, a_pending())[1]
    found["approved, being told"], found["approved"] = folds(stage, a_pending(), agreed)
    found["executed"] = folds(stage, a_pending(), agreed, an_ended())[1]
    found["rejected, being told"], found["rejected"] = folds(stage, a_pending(), declined)
    found["expired, being told"], found["expired"] = folds(brief, a_pending(), a_due(brief, T0 + 1_500))
    found["auto-approved, being told"], found["auto-approved"] = folds(auto, a_pending())
    return found


@functools.cache
def approval(*, wants_digest):
    """The stage under this policy."""
    return an_approval(a_policy(require_digest=wants_digest))


def test_the_states_are_what_they_are_called():
    """Each memory of the matrix is the one that its name says, and no state is missing."""
    found = {name: read_entry(memory[0]) for name, memory in memories(wants_digest=False).items()}

    assert set(found) == set(STATES)
    assert [name for name, entry in found.items() if entry is None] == ["unknown", "forgotten"]
    assert [name for name, entry in found.items() if type(entry).__name__ == "Waiting"] == [
        name for name, state in STATES.items() if state.is_waiting
    ]
    for name in ("approved", "rejected", "expired"):
        assert {found[f"{name}, being told"].ruling, found[name].ruling} == {name}


def ruled(step, memory):
    """What the step made of the request: the decision that counts now, "expired", or "" where it stays as it was."""
    ruling = read_entry(written(approval(wants_digest=False), memory, step.memory)[0])
    told = [data_of(event)["currentRequestState"] for event in events(step)]
    if not step.memory:
        return ""
    assert told == ["IntouchAPITask" if ruling.ruling == "approved" else "rejected"]
    assert [type(message) for message in step.handovers] == ([Approved] if ruling.ruling == "approved" else [])
    return ruling.ruling


def cell(wish, state, *, wants_digest):
    """(what it came to, what became of the request)"""
    message, memory = heard(wish), memories(wants_digest=wants_digest)[state]
    if isinstance(message, str):
        return message, ""
    assert isinstance(message, Verdict)
    step = folded(approval(wants_digest=wants_digest), message, memory)
    became, dead = ruled(step, memory), letters(step)
    if not dead:
        return became, became
    [letter] = dead
    assert (letter.source, letter.request_id, letter.org_id) == (message.origin, REQUEST_ID, message.org_id)
    assert step.handovers == ()
    assert len(events(step)) == 0 or became or state == "expired, being told"
    return str(letter.reason), became


@pytest.mark.parametrize("wants_digest", [False, True])
@pytest.mark.parametrize("state", STATES)
def test_every_verdict(state, wants_digest):
    """Who may decide this request, cell by cell: the reason, or the effect; a loser leaves the request untouched."""
    wrong = []
    for wish in verdicts():
        expected = expected_of_verdict(wish, STATES[state], wants_digest=wants_digest)
        became = "expired" if expires_by(wish, STATES[state]) else expected if expected in VERDICTS else ""
        found = cell(wish, state, wants_digest=wants_digest)
        if found != (expected, became):
            wrong.append((wish, found, (expected, became)))

    assert wrong == []


# What execution remembers, and whether that is a doubt. A state in which a request is in doubt is one more row.
DOUBTS = {"nothing known": (nothing(EXECUTION), False)}


@pytest.mark.parametrize("state", DOUBTS)
def test_every_resolution(state):
    """Who may say what became of a call, cell by cell; what intake lets through carries who it was."""
    memory, is_in_doubt = DOUBTS[state]
    wrong = []
    for wish in resolutions():
        found, person = heard(wish), PEOPLE[wish.person]
        if not isinstance(found, str):
            assert isinstance(found, Resolution)
            assert (found.person_id, found.org_id, found.decision) == (person.user_id, person.org_id, wish.word)
            assert found.request_type == CLAIMED[wish.claimed]
            step = folded(EXECUTION, found, memory)
            found = str(letters(step)[0].reason) if letters(step) else wish.word
            assert is_in_doubt or (step.memory, step.handovers, step.call, events(step)) == ((), (), None, [])
        expected = expected_of_resolution(wish, is_in_doubt=is_in_doubt)
        if found != expected:
            wrong.append((wish, found, expected))

    assert wrong == []


def made(request_type, person, rights, *, is_enabled):
    """What a submission comes to: the reason of its dead letter, the codes of its `failed`, or AdminTask."""
    value = a_submission(request_type)
    step = folded(INTAKE, an_arrival(value, headers=a_bearer(person, rights), time_ms=WHEN_MS))
    if letters(step):
        assert step.handovers == ()
        return (str(letters(step)[0].reason),)
    validation = a_validation(a_policy(request_type, enabled=is_enabled))
    while step.handovers:
        [message] = step.handovers
        assert (message.request.maker_id, message.request.org_id) == (person.user_id, person.org_id)
        stage = validation if message.topic in validation.sources else an_approval()
        step = folded(stage, message)
    [event] = events(step)
    data = data_of(event)
    return tuple(error["code"] for error in data.get("errors", ())) or (data["currentRequestState"],)


@pytest.mark.parametrize("is_enabled", [True, False])
@pytest.mark.parametrize("request_type", RequestType)
def test_every_submission(request_type, is_enabled):
    """Who may ask for what, cell by cell: on the desk, `failed` with all its codes, or dead."""
    wrong = []
    for person, rights in itertools.product(PEOPLE, ROLES):
        expected = expected_of_submission(PEOPLE[person], rights, is_enabled=is_enabled)
        found = made(request_type, PEOPLE[person], rights, is_enabled=is_enabled)
        if found != expected:
            wrong.append((person, rights, found, expected))

    assert wrong == []


def test_the_matrix_is_whole(figure):
    """At least 1,000 cells; how many there are is printed, and each of the contract's reasons is among them."""
    decided = [(wish, state, wants) for wish in verdicts() for state in STATES for wants in (False, True)]
    told = {expected_of_verdict(wish, STATES[state], wants_digest=wants) for wish, state, wants in decided}
    judged = sum(not isinstance(heard(wish), str) for wish, _, _ in decided)
    counts = {
        "verdicts": len(decided),
        "resolutions": sum(1 for _ in resolutions()) * len(DOUBTS),
        "submissions": len(PEOPLE) * len(ROLES) * len(RequestType) * 2,
    }
    figure(f"permission matrix: {sum(counts.values()):,} cells ({counts}), {judged:,} of the verdicts reach the desk")

    assert min(counts.values()) >= 1_000
    assert told == {
        *("approved", "rejected", "bad-token", "org-mismatch", "no-right", "unknown-request", "wrong-org"),
        *("wrong-type", "not-waiting", "maker-is-checker", "out-of-scope", "digest-required", "digest-mismatch"),
    }


@pytest.mark.parametrize("sub", [CHECKER, str(CHECKER), MAKER, str(MAKER)])
def test_nobody_becomes_two_by_spelling(sub):
    """A checker's id that is the maker's, as a number or as its text, is the maker; judged on real tokens."""
    reader = Tokens(SharedSecret(SECRET), Wanted())
    claims = {"sub": sub, "orgId": ORG, "permissions": ["CanCheckRequest"], "exp": WHEN_MS // 1000 + 60}
    arrival = a_decision_arrival(a_decision(REQUEST_ID), headers=some_headers(token=signed_token(claims)))
    [verdict] = folded(an_intake(read_token=reader.read), arrival).handovers

    step = folded(approval(wants_digest=False), signed(verdict), memories(wants_digest=False)["waiting"])

    assert [str(letter.reason) for letter in letters(step)] == (["maker-is-checker"] if int(sub) == MAKER else [])
