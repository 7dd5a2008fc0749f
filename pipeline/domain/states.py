"""The life of a request as a table: state x move -> state. Whatever affects that life stands here, and nothing else.

Two rules. A request is in one state, and a state that the table gives no moves ends it: one ending per request. A
pair that is not in the table cannot happen: looking it up raises `KeyError`, which is a bug of ours, not bad input.

One thing does not fit the table and is confessed here: `approved` means approved *and executed*, and `failed` after a
decision means that the checker approved and the call went wrong. So both endings of a call say that the request came
from the desk (`AdminTask`), whatever state it was in meanwhile. That is what the documents print [S].
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """As events spell it. The first two and IntouchAPITask are progress, named like the documented tasks."""

    VALIDATE_MAKER_ACCESS = "ValidateMakerAccess"  # intake looks at the maker
    VALIDATE_PAYLOAD = "ValidatePayload"  # validation looks at the call
    ADMIN_TASK = "AdminTask"  # lies on the desk, waits for a checker
    INTOUCH_API_TASK = "IntouchAPITask"  # handed over to be called, or in doubt
    APPROVED = "approved"  # approved and executed
    REJECTED = "rejected"  # by a checker, or expired on the desk
    FAILED = "failed"  # refused before the desk, or the call went wrong


class Move(StrEnum):
    """What happens to a request."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"
    SUCCEED = "succeed"
    FAIL = "fail"
    DOUBT = "doubt"


FIRST = State.VALIDATE_MAKER_ACCESS

TABLE: dict[State, dict[Move, State]] = {
    State.VALIDATE_MAKER_ACCESS: {Move.ACCEPT: State.VALIDATE_PAYLOAD, Move.REFUSE: State.FAILED},
    State.VALIDATE_PAYLOAD: {Move.ACCEPT: State.ADMIN_TASK, Move.REFUSE: State.FAILED},
    State.ADMIN_TASK: {
        Move.APPROVE: State.INTOUCH_API_TASK,
        Move.REJECT: State.REJECTED,
        Move.EXPIRE: State.REJECTED,
    },
    State.INTOUCH_API_TASK: {
        Move.SUCCEED: State.APPROVED,
        Move.FAIL: State.FAILED,
        Move.DOUBT: State.INTOUCH_API_TASK,
    },
    State.APPROVED: {},
    State.REJECTED: {},
    State.FAILED: {},
}

PROGRESS = frozenset({State.VALIDATE_MAKER_ACCESS, State.VALIDATE_PAYLOAD, State.INTOUCH_API_TASK})


def after(state: State, move: Move) -> State:
    """Where the move leads; `KeyError` for a move that this state does not know."""
    return TABLE[state][move]


def told_previous(state: State, move: Move) -> State | None:
    """`previousRequestState` of the event that this move causes (contract, section 5)."""
    if after(state, move) is State.ADMIN_TASK:
        return None
    if move in (Move.SUCCEED, Move.FAIL):
        return State.ADMIN_TASK
    return state


def diagram() -> str:
    """The table as a Mermaid state diagram, for the README."""
    lines = ["stateDiagram-v2", f"    [*] --> {FIRST}"]
    for state, moves in TABLE.items():
        lines += [f"    {state} --> {target}: {move}" for move, target in moves.items()]
        lines += [] if moves else [f"    {state} --> [*]"]
    return "\n".join(lines)
