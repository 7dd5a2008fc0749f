"""The replay law (design, section 4) by property: folded again on any later memory of its key, a message says the same.

What is told may be told again, byte for byte, and nothing is written twice; on what `afterwards` left, nothing is told.
Two allowances, both in the contract: a loser's reason may differ when it is told again, and losers and conflicts still
say their dead letter when everything else is silent.
"""

from __future__ import annotations

import json

from builders import (
    MAKER,
    T0,
    a_decision,
    a_decision_arrival,
    a_pending,
    a_refused,
    a_submission,
    a_verdict,
    an_arrival,
    an_ended,
    an_origin,
    some_headers,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from stages.repetition import Inbox
from wiring import (
    a_policy,
    a_validation,
    an_approval,
    an_intake,
    folded,
    said,
    signed,
)

from pipeline.domain.desk import read_entry
from pipeline.domain.messages import Approved, Ended
from pipeline.domain.remnants import Settled

TERM_MS = 2_592_000_000
OTHER, SAME = an_origin(18, time_ms=T0 + 5), an_origin(19, time_ms=T0 + 6)
POOL = {
    "pending": a_pending(is_keyed=True, original="sealed-1"),
    "other payload": a_pending(
        submission=a_submission(pathParams={"a": 1}), origin=OTHER, is_keyed=True, original="sealed-2"
    ),
    "same payload": a_pending(origin=SAME, is_keyed=True, original="sealed-3"),
    "refused": a_refused(is_keyed=True, original="sealed-1"),
    "refused alike": a_refused(is_keyed=True, original="sealed-1").model_copy(
        update={"digest": a_pending().plan.digest}
    ),
    "other refused": a_refused(origin=OTHER, is_keyed=True, original="sealed-2"),
    "approve": a_verdict(offset=40),
    "reject": a_verdict("rejected", offset=41),
    "own": a_verdict(offset=42, person_id=MAKER),
    "stranger": a_verdict(offset=43, org_id=1),
    "wrong type": a_verdict(offset=44, request_type="x"),
    "out of scope": a_verdict(offset=45, entities=("1",)),
    "wrong digest": a_verdict(offset=46, digest="0" * 64),
    "right digest": a_verdict(offset=47, digest=a_pending().plan.digest),
    "late": a_verdict(offset=48, after_ms=2 * TERM_MS),
    "later": a_verdict("rejected", offset=49, after_ms=3 * TERM_MS),
    "own and late": a_verdict(offset=50, after_ms=2 * TERM_MS, person_id=MAKER),
    "other clock": a_verdict(offset=51, after_ms=-1000),
}
# A batch is folded as a whole before anything of it is reduced, as the runner does it.
BATCHES = st.lists(st.lists(st.sampled_from(sorted(POOL)), min_size=1, max_size=4), min_size=1, max_size=4)


@settings(max_examples=300)
@given(BATCHES, st.booleans(), st.booleans(), st.booleans())
def test_approval_says_the_same_again(batches, is_automatic, wants_digest, overlaps):
    """Pending, refusals, copies, keyed repetitions, verdicts of all kinds and endings, in any order and any batches.

    With `overlaps`, a batch is folded before the one ahead of it is reduced, and the request may end meanwhile.
    """
    inbox = Inbox(an_approval(a_policy(auto_approve=is_automatic, require_digest=wants_digest)))
    has_left, done = False, 0
    for names in batches:
        ahead = inbox.past[done:] if overlaps else []
        done = len(inbox.past)
        if has_left:
            inbox.fold(an_ended())
        steps = [inbox.fold(POOL[name]) for name in names]
        inbox.reduce(ahead)
        if not overlaps:
            inbox.reduce(inbox.past[done:])
            done = len(inbox.past)
        has_left = has_left or any(isinstance(post, Approved) for step in steps for post in step.handovers)
    inbox.reduce(inbox.past[done:])

    entry = read_entry(inbox.memory[0])
    left = [post for _, step in inbox.past for post in step.handovers]
    assert len({post.value() for post in left}) <= 1
    assert has_left == (isinstance(entry, Settled) and entry.ruling == "approved")


SUBMISSIONS = st.sampled_from([a_submission(), a_submission(hostname="x"), a_submission(body=None), {}, [], "x"])
KEYS = st.sampled_from(
    [(), (("Idempotency-Key", b"k"),), (("X-CAP-REQUEST-ID", b"a" * 32),), (("Idempotency-Key", b""),)]
)


@given(SUBMISSIONS, KEYS, st.integers(0, 10**6))
def test_intake_and_validation_say_the_same_again(submission, more, late_ms):
    """They remember nothing: the same record gives the same bytes, whenever and by whomever it is read."""
    arrival = an_arrival(json.dumps(submission).encode(), headers=some_headers(*more))
    first, again = (folded(an_intake(), arrival._replace(seen_ms=seen)) for seen in (T0, T0 + late_ms))

    assert said(first) == said(again)
    assert (again.memory, again.afterwards) == ((), ())
    for message in first.handovers:
        copies = [signed(message, offset=offset, time_ms=T0 + offset * late_ms) for offset in (1, 2)]
        one, other = (folded(a_validation(), copy) for copy in copies)
        assert said(one) == said(other)
        assert (one.memory, one.afterwards) == ((), ())


@given(st.sampled_from(["approved", "rejected"]), st.integers(0, 10**6))
def test_decisions_say_the_same_again(decision, late_ms):
    """A verdict is the same message whenever its record is read: approval knows it by its origin."""
    arrival = a_decision_arrival(a_decision("r", decision))

    assert said(folded(an_intake(), arrival)) == said(folded(an_intake(), arrival._replace(seen_ms=late_ms)))


def test_an_ending_that_is_told_twice_is_one_ending():
    """Execution repeats Ended after a crash; the first one's time stays."""
    inbox = Inbox(an_approval())
    steps = [inbox.fold(POOL["pending"]), inbox.fold(POOL["approve"])]
    inbox.reduce(inbox.past)
    inbox.fold(an_ended(T0 + 5000))
    inbox.fold(Ended(**(an_ended().model_dump() | {"at_ms": T0 + 9000})))

    entry = read_entry(inbox.memory[0])
    assert isinstance(entry, Settled)
    assert (entry.ended_ms, len(steps)) == (T0 + 5000, 2)
