"""Folds are total: nothing that a maker or a checker with a good token can write raises out of any stage.

An exception that leaves a fold ends the process at this record, again after every restart: a poison pill. So the
documented samples and the builders' good ones are changed at any place to anything, and all of it is read, folded and
written by the stages that would get it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from builders import (
    CHECKER,
    REQUEST_ID,
    a_decision,
    a_decision_arrival,
    a_pending,
    a_resolution,
    a_submission,
    a_token,
    an_arrival,
    some_headers,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lookalikes import look_alikes
from wiring import a_validation, an_approval, an_execution, an_intake, events, folded, letters, nothing, said, written

from pipeline.domain.desk import read_entry
from pipeline.domain.jsontext import read_json
from pipeline.domain.messages import APPROVAL_INBOX, EXECUTION_INBOX, REQUESTS_RECEIVED, Message
from pipeline.domain.policy import WITH_POINTS, Policies, Policy
from pipeline.domain.request_types import RequestType
from pipeline.stages import Memory, Step

SAMPLES = Path(__file__).parents[2] / "topics" / "samples" / "api"
TYPES = {"000": "goodwill-points", "001": "customer-status-change", "003": "earn-badge"}
DOCUMENTED = [
    json.loads((SAMPLES / f"{number}_request.json").read_text()) | {"requestType": name}
    for number, name in TYPES.items()
]
SUBMISSIONS = [*map(a_submission, RequestType), *DOCUMENTED]
DECISIONS = [a_decision(REQUEST_ID), a_decision(REQUEST_ID, "rejected"), a_resolution(REQUEST_ID, "retry")]
DECISIONS += [decision | {"requestType": "goodwill-points"} for decision in DECISIONS]
POLICIES = Policies({kind: Policy(max_points=100, require_digest=True) for kind in WITH_POINTS})

INTAKE = an_intake()
READERS = {
    REQUESTS_RECEIVED: a_validation(POLICIES),
    APPROVAL_INBOX: an_approval(POLICIES),
    EXECUTION_INBOX: an_execution(),
}
DESK = folded(READERS[APPROVAL_INBOX], a_pending()).memory[0].value

# -- samples, changed

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)  # half surrogate pairs, too
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**399, -(10**400), 2**63, 5e-324, 1e308, -0.0])
SCALARS = st.none() | st.booleans() | NUMBERS | ANY_TEXT
VALUES = st.recursive(SCALARS, lambda kept: st.lists(kept) | st.dictionaries(ANY_TEXT, kept), max_leaves=6)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every node, the root's first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for step, child in inner for place in places(child, (*way, step)))]


def at(value: Any, way: tuple[Any, ...]) -> Any:
    return at(value[way[0]], way[1:]) if way else value


def put(value: Any, way: tuple[Any, ...], new: Any) -> Any:
    """A copy with this at one place."""
    if not way:
        return new
    copied = value.copy()
    copied[way[0]] = put(value[way[0]], way[1:], new)
    return copied


@st.composite
def mutants(draw: st.DrawFn, goods: list[Any]) -> bytes:
    """One of them, with up to three nodes changed: to any JSON, any text, a text that looks alike, or a key more."""
    value = draw(st.sampled_from(goods))
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.sampled_from(places(value)[1:] or [()]))
        held = at(value, way)
        new = VALUES
        if isinstance(held, str):
            new |= ANY_TEXT.map(held.__add__) | look_alikes(held)
        if isinstance(held, dict):
            new |= st.dictionaries(ANY_TEXT, VALUES, max_size=2).map(held.__or__)
        value = put(value, way, draw(new))
    return json.dumps(value).encode()


# -- everything that follows from a record


def following(step: Step) -> list[Step]:
    """The step and those of the stages that it hands over to, each of them said."""
    steps = [step]
    for message in step.handovers:
        assert isinstance(message, Message)
        steps += following(folded(READERS[message.topic], message, held_by(message)))
    assert all(said(one) for one in steps)
    return steps


def held_by(message: Message) -> Memory:
    """The desk holds the builders' request; of all others nothing is known."""
    is_there = message.topic == APPROVAL_INBOX and message.about == REQUEST_ID and message.kind == "verdict"
    return (DESK,) if is_there else nothing(READERS[message.topic])


KEYS = st.sampled_from([(), (("Idempotency-Key", b"k"),)])
ENTITIES = st.sampled_from([None, [], ["50682289"]])


@settings(max_examples=400)
@given(mutants(SUBMISSIONS), KEYS, ENTITIES)
@example(json.dumps(a_submission(hostname="http\u017f://x")).encode(), (), None)
def test_any_submission_comes_to_something(value, more, entities):
    """It is told and reaches the desk or its refusal, or it is buried; whatever is said is one unambiguous JSON."""
    steps = following(folded(INTAKE, an_arrival(value, headers=some_headers(*more, token=a_token(entities=entities)))))

    told = [event for step in steps for event in events(step)]
    assert all(isinstance(read_json(event.value().decode()), dict) for event in told)
    if letters(steps[0]):
        assert (len(steps), told) == (1, [])
    else:
        [kept] = [write.value for write in steps[-1].memory]
        assert read_entry(kept) is not None
        assert written(READERS[APPROVAL_INBOX], (kept,), steps[-1].afterwards)


@settings(max_examples=300)
@given(mutants(DECISIONS), ENTITIES, st.sampled_from([None, b"", b"\xff", b"0" * 64]))
@example(json.dumps(a_decision("\u0130" * 64)).encode(), None, None)
def test_any_decision_counts_or_is_buried(value, entities, digest):
    """Exactly one of the two, wherever it ends."""
    more = () if digest is None else (("rw-payload-digest", digest),)
    headers = some_headers(*more, token=a_token(CHECKER, entities=entities))
    steps = following(folded(INTAKE, a_decision_arrival(value, headers=headers)))

    buried = [letter for step in steps for letter in letters(step)]
    assert len(buried) + len(steps[-1].memory) == 1
    assert all(len(letter.key) <= 100 for letter in buried)
