"""The six request types: their names in all spellings, and what the contract's table (section 3) says of each."""

from __future__ import annotations

import pytest
from expected import CALLS

from pipeline.domain.request_types import ROWS, RequestType


def spellings(name: str) -> list[str]:
    """API input, API answer, event, and a mixed case of each."""
    hyphens = name.replace("_", "-")
    return [name, hyphens, hyphens.lower(), name.lower(), name.title(), hyphens.title()]


@pytest.mark.parametrize("request_type", RequestType)
def test_all_spellings_name_the_type(request_type):
    """Three spellings, any case."""
    assert {RequestType.named(name) for name in spellings(request_type)} == {request_type}


@pytest.mark.parametrize(
    "name", ["", "GOODWILL", "GOODWILL POINTS", " GOODWILL_POINTS", "named", None, 7, ["EARN_BADGE"]]
)
def test_everything_else_names_none(name):
    """No part of a name, no blank around it, nothing that is no text."""
    assert RequestType.named(name) is None


def test_calls_are_those_of_the_contract():
    """Method and path are pinned per type."""
    assert {str(name): (row.method, row.path) for name, row in ROWS.items()} == CALLS


def test_documented_variants_are_accepted_too():
    """The status change's sample says POST, and goodwill is printed without its last slash; no other type has any."""
    variants = {name: (row.also_methods, row.also_paths) for name, row in ROWS.items()}

    assert variants == dict.fromkeys(RequestType, ((), ())) | {
        RequestType.CUSTOMER_STATUS_CHANGE: (("POST",), ()),
        RequestType.GOODWILL_POINTS: ((), ("/internal/goodwill",)),
    }


def test_what_events_tell_per_type():
    """Only a status change copies its reason and hides its checker; only a redemption may lack entityInfo."""
    status, redemption = RequestType.CUSTOMER_STATUS_CHANGE, RequestType.POINTS_REDEMPTION

    assert {name for name, row in ROWS.items() if row.tells_reason} == {status}
    assert {name for name, row in ROWS.items() if not row.tells_checker} == {status}
    assert {name for name, row in ROWS.items() if not row.needs_entity} == {redemption}
