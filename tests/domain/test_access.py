"""Who may make, check and resolve: default deny, and four eyes whatever the spelling."""

from __future__ import annotations

import pytest
from builders import ENTITY, a_token
from wiring import read_token

from pipeline.domain.access import CAN_CHECK, CAN_MAKE, CAN_RESOLVE, are_different, entities_of, in_scope, may


@pytest.mark.parametrize("right", [CAN_MAKE, CAN_CHECK, CAN_RESOLVE])
def test_a_right_is_had_by_its_own_name_only(right):
    """No claim, no right; one right does not include another."""
    claims = read_token(a_token(can=[right]))

    assert [may(claims, other) for other in (CAN_MAKE, CAN_CHECK, CAN_RESOLVE)] == [
        other == right for other in (CAN_MAKE, CAN_CHECK, CAN_RESOLVE)
    ]


def test_rights_have_the_documented_names():
    """Contract, section 6."""
    assert (CAN_MAKE, CAN_CHECK, CAN_RESOLVE) == ("CanMakeRequest", "CanCheckRequest", "CanResolve")


@pytest.mark.parametrize("key", ENTITY)
def test_one_shared_entity_is_enough(key):
    """Concept, zone, store or till: one of the request's must be among the token's."""
    assert in_scope({"other", ENTITY[key]}, ENTITY)
    assert in_scope({ENTITY[key]}, {**ENTITY, key: int(ENTITY[key])})


@pytest.mark.parametrize("entity_info", [{}, None, [], "50682289", {"tillId": True}, {"tillId": 1.5}, {"other": "5"}])
def test_a_limited_token_needs_an_entity(entity_info):
    """Without a readable entityInfo nothing is in the scope of a token that is limited, whatever it lists."""
    assert not in_scope({"True", "1", "1.5", "5", "50682289"}, entity_info)


def test_a_token_without_entities_is_not_limited():
    """None is no limit; an empty list is one that nothing meets."""
    assert in_scope(None, {})
    assert not in_scope((), ENTITY)


def test_entities_are_compared_as_text():
    """Ints and texts are the same id; what is neither is none."""
    assert entities_of({"tillId": 1, "storeId": "2", "zoneId": None, "conceptId": False}) == {"1", "2"}


def test_maker_and_checker_differ():
    """Nobody decides what they asked for."""
    assert are_different(1, 2)
    assert not are_different(1, 1)
