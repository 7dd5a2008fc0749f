"""Reads the body of a decision or a resolution (contract, section 4). Shape only: who may decide is asked elsewhere."""

from __future__ import annotations

from typing import Any, NamedTuple

ADMIN_TASK = "AdminTask"
INTOUCH_TASK = "IntouchAPITask"
ACTIONS = {ADMIN_TASK: ("approved", "rejected"), INTOUCH_TASK: ("succeeded", "failed", "retry")}
_BY_LOWER_NAME = {name.lower(): name for name in ACTIONS}

REQUEST_ID_MAX = 64  # characters; ours have 36
MESSAGE_MAX = 20_000  # characters; it is told in events and kept on the desk
TYPE_MAX = 64  # characters; what is longer than every name is no type, and needs not be carried on whole


class Spoken(NamedTuple):
    """A well-formed decision: on which request, by which action, what, and why.

    `request_id` is None for a text that no request has as its id: nothing may be keyed by it, because it has no bound.
    """

    request_id: str | None
    action: str
    decision: str
    message: str
    request_type: str | None


def _action(name: Any) -> str | None:
    """The action of this name in any case, but in ASCII: lower() turns a Kelvin sign into a k."""
    return _BY_LOWER_NAME.get(name.lower()) if isinstance(name, str) and name.isascii() else None


def read_decision(value: dict[str, Any]) -> Spoken | str:
    """The decision, or one sentence on what is wrong with its shape, which holds nothing of the input.

    `actionName` is compared without case, `actionDecision` exactly; the message must not be blank.
    """
    request_id, action_name, request_type = value.get("requestId"), value.get("actionName"), value.get("requestType")
    if not isinstance(request_id, str) or not request_id.strip():
        return "requestId must be the text of a request's id."
    action = _action(action_name)
    if action is None:
        return f"actionName must be one of {', '.join(ACTIONS)}."
    if not isinstance(request_type, str | None):
        return "requestType must be text where it is given."
    payload = value.get("payload")
    details = payload.get(f"{action}-Payload") if isinstance(payload, dict) else None
    if not isinstance(details, dict):
        return f"payload must hold an object named {action}-Payload."
    decision, message = details.get("actionDecision"), details.get("actionMessage")
    if not isinstance(decision, str) or decision not in ACTIONS[action]:
        return f"actionDecision must be one of {', '.join(ACTIONS[action])}."
    if not isinstance(message, str) or not message.strip() or len(message) > MESSAGE_MAX:
        return f"actionMessage must be text that is not blank, of at most {MESSAGE_MAX} characters."
    claimed = None if request_type is None else request_type[:TYPE_MAX]
    return Spoken(_request_id(request_id.strip()), action, decision, message, claimed)


def _request_id(text: str) -> str | None:
    """In lower case, which is ours. Every id of ours is short and ASCII; lower() could make others longer still."""
    return text.lower() if len(text) <= REQUEST_ID_MAX and text.isascii() else None
