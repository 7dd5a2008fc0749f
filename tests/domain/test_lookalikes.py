"""Whatever is compared without case is compared in ASCII: no letter that only looks like the right one passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from builders import BODIES, a_decision, changed
from hypothesis import given
from hypothesis import strategies as st
from lookalikes import look_alikes

from pipeline.domain.checks import check_body, check_target
from pipeline.domain.decisions import ACTIONS, Spoken, read_decision
from pipeline.domain.headers import is_json_type
from pipeline.domain.origins import AllowList
from pipeline.domain.request_types import ROWS, RequestType
from pipeline.domain.requests import Wish
from pipeline.domain.transport import Transport, read_transport

OWNERS = ("Loyalty", "Journeys", "Milestones", "Historical_Import")
HEADERS = ("X-CAP-API-AUTH-ORG-ID", "X-CAP-REQUEST-ID", "rw-payload-digest")


def passes_as_type(text: str) -> bool:
    return RequestType.named(text) is not None


def passes_as_method(text: str) -> bool:
    return any(not check_target(row, Wish(method=text), AllowList()) for row in ROWS.values())


def passes_as_action(text: str) -> bool:
    decision = a_decision("some-request")
    both = decision["payload"] | {"IntouchAPITask-Payload": {"actionDecision": "retry", "actionMessage": "x"}}
    return isinstance(read_decision(decision | {"actionName": text, "payload": both}), Spoken)


def passes_as_owner(text: str) -> bool:
    kind = RequestType.EARN_BADGE
    return not check_body(ROWS[kind], changed(BODIES[kind], "triggeredBy.ownerType", text))


def passes_as_header(text: str) -> bool:
    read = read_transport([(text, b"0123456789abcdef" * 2)], is_decision=True)
    return read != Transport(0, b"", None, None, None)


COMPARED: list[tuple[Callable[[str], bool], tuple[str, ...]]] = [
    (passes_as_type, tuple(RequestType)),
    (passes_as_method, ("POST", "PUT")),
    (is_json_type, ("application/json", "application/json;charset=utf-8")),
    (passes_as_action, tuple(ACTIONS)),
    (passes_as_owner, OWNERS),
    (passes_as_header, HEADERS),
]


@pytest.mark.parametrize(("passes", "texts"), COMPARED, ids=lambda part: getattr(part, "__name__", ""))
def test_case_does_not_matter(passes, texts):
    """The texts themselves pass, in every case."""
    assert all(passes(spelled) for text in texts for spelled in (text, text.lower(), text.upper(), text.swapcase()))


@given(st.sampled_from([(passes, text) for passes, texts in COMPARED for text in texts]), st.data())
def test_letters_that_only_look_right_do_not_pass(compared, data):
    """A dotless i, a long s, a Kelvin sign, full-width letters: some comparisons take them for right."""
    passes, text = compared
    spelled = data.draw(look_alikes(text))

    assert passes(spelled) == spelled.isascii()


@pytest.mark.parametrize(
    ("passes", "text"),
    [
        (passes_as_type, "goodw\u0131ll-points"),
        (passes_as_type, "goodwill-point\u017f"),
        (passes_as_type, "I\u00dfUE_BADGE"),
        (passes_as_method, "po\u017ft"),
        (is_json_type, "application/j\u017fon"),
        (is_json_type, "application/json\u2003"),
        (passes_as_action, "AdminTas\u212a"),
        (passes_as_header, "X-CAP-REQUE\u017fT-ID"),
        (lambda name: read_transport([(name, b"x")], is_decision=False).token == b"x", "X-CAP-UI-AUTH-TO\u212aEN"),
    ],
)
def test_letters_that_passed_once(passes, text):
    """Each of these, but the header with the long s, was taken for the right text."""
    assert not passes(text)
