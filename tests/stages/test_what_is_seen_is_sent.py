"""What a checker saw is what is sent: the digest, from the AdminTask event through the decision to the call.

All six types. The digest is the one that is announced, never one computed here; whoever changes anything that it binds
between the desk and the call gets no call.
"""

from __future__ import annotations

import pytest
from builders import (
    HOST,
    REQUEST_ID,
    a_decision,
    a_decision_arrival,
    a_pending,
    a_submission,
    a_token,
    an_approved,
    an_arrival,
    some_headers,
)
from wiring import (
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
    written,
)

from pipeline.domain.request_types import RequestType

ELSEWHERE = "https://elsewhere.example.com"
INTAKE, VALIDATION = an_intake(), a_validation()


def announced(request_type, **switches):
    """(approval, its memory, the request's id, the digest that AdminTask tells) of a submission, by the real stages."""
    approval = an_approval(a_policy(request_type, **switches))
    [received] = folded(INTAKE, an_arrival(a_submission(request_type))).handovers
    [pending] = folded(VALIDATION, received).handovers
    step = folded(approval, pending)
    digest = next(dict(event.headers())["rw-payload-digest"] for event in events(step))
    return approval, written(approval, nothing(approval), step.memory), pending.about, digest


def decided(request_type, digest_headers, **switches):
    """What a decision with these headers comes to: "called", or why not. `digest_headers` is made from the digest."""
    approval, memory, request_id, digest = announced(request_type, **switches)
    headers = some_headers(*digest_headers(digest), token=a_token(7))
    heard = folded(INTAKE, a_decision_arrival(a_decision(request_id), headers=headers))
    if letters(heard):
        return str(letters(heard)[0].reason)
    [verdict] = heard.handovers
    step = folded(approval, verdict, memory)
    if letters(step):
        assert (step.memory, step.handovers) == ((), ())
        return str(letters(step)[0].reason)
    [approved] = step.handovers
    assert folded(an_execution(), approved).call is not None
    return "called"


def one(held):
    return [("rw-payload-digest", held)]


SPELLINGS = {
    "as announced": one,
    "in capitals": lambda digest: one(digest.upper()),
    "header in capitals": lambda digest: [("RW-PAYLOAD-DIGEST", digest)],
    "blanks around": lambda digest: one(b" " + digest + b"\n"),
}
OTHERS = {
    "without a value": lambda _: one(None),
    "empty": lambda _: one(b""),
    "blank": lambda _: one(b" \t "),
    "one digit less": lambda digest: one(digest[:-1]),
    "one digit more": lambda digest: one(digest + b"0"),
    "another first digit": lambda digest: one((b"0" if digest[:1] != b"0" else b"1") + digest[1:]),
    "another last digit": lambda digest: one(digest[:-1] + (b"0" if digest[-1:] != b"0" else b"1")),
    "the half that is remembered": lambda digest: one(digest[:32]),
    "twice in one": lambda digest: one(digest + digest),
    "with its algorithm": lambda digest: one(b"sha256:" + digest),
    "in quotes": lambda digest: one(b'"' + digest + b'"'),
    "bytes": lambda digest: one(bytes.fromhex(digest.decode())),
    "a NUL after it": lambda digest: one(digest + b"\x00"),
    "wide digits": lambda digest: one(digest.decode().translate({48 + n: 0xFF10 + n for n in range(10)}).encode()),
    "zeros": lambda _: one(b"0" * 64),
    "none": lambda _: one(b"none"),
    "long": lambda digest: one(digest * 1_000),
}


@pytest.mark.parametrize("is_required", [False, True])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("request_type", RequestType)
def test_the_announced_digest_counts(request_type, spelling, is_required):
    """In either case of letters, with or without blanks around it, for every type."""
    assert decided(request_type, SPELLINGS[spelling], require_digest=is_required) == "called"


@pytest.mark.parametrize(("is_required", "outcome"), [(False, "called"), (True, "digest-required")])
@pytest.mark.parametrize("request_type", RequestType)
def test_no_digest_is_enough_where_none_is_required(request_type, is_required, outcome):
    """Where the type requires one, a decision without the header does not count."""
    assert decided(request_type, lambda _: [], require_digest=is_required) == outcome


@pytest.mark.parametrize("is_required", [False, True])
@pytest.mark.parametrize("other", OTHERS)
def test_any_other_digest_is_refused(other, is_required):
    """Whatever is there and is not the digest of what lies on the desk, required or not; the request waits on."""
    assert decided(RequestType.GOODWILL_POINTS, OTHERS[other], require_digest=is_required) == "digest-mismatch"


def test_the_digest_twice_is_refused():
    """Two readers could take either, even where both say the same."""
    assert decided(RequestType.EARN_BADGE, lambda digest: one(digest) + one(digest)) == "bad-header"


def test_the_digest_of_another_request_is_refused():
    """Of another type, and of the same type by another maker."""
    _, _, _, other = announced(RequestType.ISSUE_BADGE)
    theirs = a_pending(RequestType.EARN_BADGE, maker_id=5).plan.digest.encode()

    assert decided(RequestType.EARN_BADGE, lambda _: one(other)) == "digest-mismatch"
    assert decided(RequestType.EARN_BADGE, lambda _: one(theirs)) == "digest-mismatch"


@pytest.mark.parametrize("request_type", RequestType)
def test_an_automatic_approval_announces_its_digest(request_type):
    """Nobody is asked, and everybody can see what is sent."""
    assert announced(request_type, auto_approve=True)[3] == announced(request_type)[3]


def _request(name, value):
    return lambda p: p.model_copy(update={"request": p.request.model_copy(update={name: value})})


def _plan(name, value):
    return lambda p: p.model_copy(update={"plan": p.plan.model_copy(update={name: value})})


def _text(name, value):
    return lambda p: p.carrying(p.texts._replace(**{name: value}))


def _body(change):
    return lambda p: p.carrying(p.texts._replace(body=change(p.texts.body)))


TAMPERED = {
    "org": _request("org_id", 1),
    "maker": _request("maker_id", 1),
    "method": _plan("method", "DELETE"),
    "origin": _plan("host", ELSEWHERE),
    "scheme": _plan("host", HOST.replace("https", "http")),
    "path": _plan("path", "/internal/goodwill/../x"),
    "path parameters": _text("path_params", '{"a":1}'),
    "query": _text("query", '{"a":"1"}'),
    "a header more": _plan("headers", (("A", "b"),)),
    "a header's value": lambda p: _plan("headers", (*p.plan.headers, ("X-CAP-API-AUTH-ORG-ID", "7")))(p),
    "entity": _text("entity", '{"tillId":"1"}'),
    "no entity": _text("entity", ""),
    "a key of the body more": _body(lambda body: body[:-1] + ',"more":null}'),
    "another body": _body(lambda _: '{"points":1000000}'),
    "an empty body": _body(lambda _: "{}"),
    "a list around the body": _body(lambda body: f"[{body}]"),
    "a letter that looks the same": _body(lambda body: body.replace("e", "\u0435", 1)),
    "the digest": _plan("digest", "0" * 64),
    "no digest": _plan("digest", ""),
    "the digest in capitals": lambda p: _plan("digest", p.plan.digest.upper())(p),
}


@pytest.mark.parametrize("part", TAMPERED)
@pytest.mark.parametrize("request_type", RequestType)
def test_nothing_else_is_sent(request_type, part):
    """Whichever part differs from what was approved, for whichever type: no call, and `failed` says so. Left as it was,
    it is called; every origin is allowed here, so that nothing but the digest stands in the way.
    """
    execution = an_execution(hosts=(HOST, ELSEWHERE, HOST.replace("https", "http")))
    pending = a_pending(request_type)

    step = folded(execution, an_approved(TAMPERED[part](pending)))

    assert folded(execution, an_approved(pending)).call is not None
    assert step.call is None
    [event] = events(step)
    assert data_of(event)["currentRequestState"] == "failed"
    assert dict(event.headers())["rw-reason"] == b"digest-mismatch"


@pytest.mark.parametrize("request_type", RequestType)
def test_another_types_approval_is_not_sent(request_type):
    """A request that is called another type than was approved."""
    pending = a_pending(request_type)
    for other in set(RequestType) - {request_type}:
        step = folded(an_execution(), an_approved(_request("request_type", other)(pending)))

        assert step.call is None
        assert dict(events(step)[0].headers())["rw-reason"] == b"digest-mismatch"


def test_the_builders_and_the_stages_agree():
    """The pending request that these tests change has the digest that validation gives the same submission."""
    for request_type in RequestType:
        *_, request_id, digest = announced(request_type)

        assert a_pending(request_type).plan.digest.encode() == digest
        assert request_id == REQUEST_ID
