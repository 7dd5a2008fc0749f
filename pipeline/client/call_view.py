"""The call of one request as people may see it: what stands in its events and, while it lies there whole, on the desk.

Credentials are sealed in everything that is read here; that they exist is all that is said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from rich.text import Text

from pipeline.client.looks import call_text, harmless
from pipeline.client.told import Told, standing
from pipeline.domain.desk import Deciding, Entry, Waiting
from pipeline.domain.outcomes import Ending
from pipeline.domain.states import State
from pipeline.domain.tries import NOT_SENT, ROWS

_FATES: dict[State, str] = {
    State.VALIDATE_MAKER_ACCESS: "is not known yet",
    State.VALIDATE_PAYLOAD: "is not known yet",
    State.ADMIN_TASK: "that will be made when a checker agrees",
    State.INTOUCH_API_TASK: "that is to be made, or is being made",
    State.APPROVED: "that was made, and succeeded",
    State.REJECTED: "that was not made: rejected",
}
# Reasons of `failed` that say that nothing was sent: nobody need search Intouch for it.
_NOT_BEGUN = frozenset(
    reason for ending in NOT_SENT if (reason := ROWS[ending].reason) and ending is not Ending.TOO_LATE
)


def call_view(history: Sequence[Told], entry: Entry | None) -> Iterator[Text]:
    """Lines on the call; `history` is not empty."""
    last = standing(history)
    assert last is not None
    call = next((told.call for told in history if told.call), None)
    yield Text("")
    yield Text(f"The call {_fate(last, was_announced=call is not None)}", "bold")
    if call is not None:
        yield Text(f"  {harmless(call_text(call))}")
    attributes = last.data.request_attributes
    if attributes and attributes.query_params:
        yield Text(f"  query   {_json(attributes.query_params)}")
    yield from _headers(entry)
    if attributes and attributes.body is not None:
        yield Text(f"  body    {_json(attributes.body)}")
    if last.http_status:
        yield Text(f"  answer  HTTP {last.http_status}" + (f", {last.reason}" if last.reason else ""))
    digest = next((told.digest for told in history if told.digest), None)
    if digest:
        yield Text(f"  digest  {digest}")


def _fate(last: Told, *, was_announced: bool) -> str:
    if last.is_in_doubt:
        return "that was begun, and whose effect nobody knows"
    if last.state is State.FAILED and not was_announced:
        return "that was never made: refused before the desk"
    if last.state is State.FAILED and last.reason in _NOT_BEGUN:
        return f"that was not made: {last.reason}"
    if last.state is State.FAILED:
        return "that was tried, and failed"
    return _FATES[last.state]


def _headers(entry: Entry | None) -> Iterator[Text]:
    """The plain headers, as long as the desk holds the whole request."""
    if not isinstance(entry, Waiting | Deciding):
        return
    plan = entry.pending.plan
    for name, value in plan.headers:
        yield Text(f"  header  {harmless(name)}: {harmless(value)}")
    if plan.sealed_headers is not None:
        yield Text("  header  credentials: sealed, hidden")


def _json(value: object) -> str:
    return harmless(json.dumps(value, ensure_ascii=False))
