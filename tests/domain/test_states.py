"""The life of a request: every state x every move, against the contract's picture (section 2), not against the code."""

from __future__ import annotations

import itertools

import pytest

from pipeline.domain.states import FIRST, PROGRESS, TABLE, Move, State, after, diagram, told_previous

# Contract, section 2, as drawn; the third is previousRequestState of the event that the move causes (section 5).
CONTRACT = {
    ("ValidateMakerAccess", "accept"): ("ValidatePayload", "ValidateMakerAccess"),
    ("ValidateMakerAccess", "refuse"): ("failed", "ValidateMakerAccess"),
    ("ValidatePayload", "accept"): ("AdminTask", None),
    ("ValidatePayload", "refuse"): ("failed", "ValidatePayload"),
    ("AdminTask", "approve"): ("IntouchAPITask", "AdminTask"),
    ("AdminTask", "reject"): ("rejected", "AdminTask"),
    ("AdminTask", "expire"): ("rejected", "AdminTask"),
    ("IntouchAPITask", "succeed"): ("approved", "AdminTask"),
    ("IntouchAPITask", "fail"): ("failed", "AdminTask"),
    ("IntouchAPITask", "doubt"): ("IntouchAPITask", "IntouchAPITask"),
}
PAIRS = list(itertools.product(State, Move))


@pytest.mark.parametrize(("state", "move"), PAIRS)
def test_every_state_and_move(state, move):
    """A move leads where the contract says; one that it does not draw raises, for the state and for what is told."""
    if (state, move) not in CONTRACT:
        with pytest.raises(KeyError):
            after(state, move)
        with pytest.raises(KeyError):
            told_previous(state, move)
        return

    assert (after(state, move), told_previous(state, move)) == CONTRACT[state, move]


def test_table_has_a_row_for_every_state():
    """A state without a row would raise for another reason than an illegal move."""
    assert set(TABLE) == set(State)


def test_three_states_end_a_request():
    """approved, rejected and failed know no move: one ending per request."""
    assert {state for state, moves in TABLE.items() if not moves} == {State.APPROVED, State.REJECTED, State.FAILED}


def test_every_state_is_reached_from_the_first():
    """No state lies apart."""
    reached = {FIRST}
    for _ in State:
        reached |= {target for state in reached for target in TABLE[state].values()}

    assert reached == set(State)


def test_names_are_the_documented_ones():
    """States are spelled as events spell them; three of them are progress."""
    assert [str(state) for state in State] == [
        "ValidateMakerAccess",
        "ValidatePayload",
        "AdminTask",
        "IntouchAPITask",
        "approved",
        "rejected",
        "failed",
    ]
    assert {"ValidateMakerAccess", "ValidatePayload", "IntouchAPITask"} == PROGRESS


def test_diagram_shows_every_move_and_every_ending():
    """The README's picture is drawn from the table: an arrow per move, one in, one out per ending."""
    lines = diagram().splitlines()

    arrows = {f"    {state} --> {target}: {move}" for (state, move), (target, _) in CONTRACT.items()}
    ends = {f"    {state} --> [*]" for state in ("approved", "rejected", "failed")}
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> ValidateMakerAccess"]
    assert set(lines[2:]) == arrows | ends
    assert len(lines) == 2 + len(arrows) + len(ends)
