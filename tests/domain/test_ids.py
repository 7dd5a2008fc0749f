"""Ids go back to what is durable: the same origin gives the same id, another one another, in the documented form."""

from __future__ import annotations

import uuid

from builders import T0, an_origin
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain import ids
from pipeline.domain.states import State

ORIGINS = st.builds(
    ids.Origin,
    topic=st.sampled_from(["requests.submitted", "decisions.submitted"]),
    partition=st.integers(0, 200),
    offset=st.integers(0, 2**63 - 1),
    time_ms=st.integers(0, 2**42),
)
REQUEST = "2659d3c0-c1d5-11ee-aa2f-4324409ad1e3"
KEYED = "c6e3f575-4893-10a4-afce-b6e325c58dac"
EVENT = "299c121a-75af-478f-8cd2-a5ba3633919c"
API = "0aea4b466a103ef12de6de203c3669a4"
GREGORIAN_OFFSET = 0x01B21DD213814000  # RFC 9562, section 5.1


@given(ORIGINS)
def test_request_id_is_a_version_1_uuid_of_the_brokers_time(origin):
    """Its time is the submission's, to the millisecond; lower case, RFC variant."""
    made = uuid.UUID(ids.request_id(origin))

    assert str(made) == ids.request_id(origin)
    assert (made.version, made.variant) == (1, uuid.RFC_4122)
    assert made.time == origin.time_ms * 10_000 + GREGORIAN_OFFSET


@given(ORIGINS, ORIGINS)
def test_two_origins_have_two_request_ids(one, other):
    """Records at different places never share an id, although they may share a time."""
    assert (ids.request_id(one) == ids.request_id(other)) == (one == other)


def test_clock_and_node_are_a_hash_of_the_place():
    """Neighbours differ, and a time that differs changes neither."""
    here, next_to_it = (uuid.UUID(ids.request_id(an_origin(offset))) for offset in (17, 18))
    later = uuid.UUID(ids.request_id(an_origin(17, time_ms=T0 + 1)))

    assert here.time == next_to_it.time
    assert (here.clock_seq, here.node) != (next_to_it.clock_seq, next_to_it.node)
    assert (here.clock_seq, here.node) == (later.clock_seq, later.node)


@given(st.integers(0, 10**18), st.integers(1, 2**63 - 1), st.binary(min_size=1, max_size=255))
def test_keyed_request_id_has_the_form_of_version_1(org_id, maker_id, key):
    """With a key the id has the same form, and is the same for the same three."""
    made = uuid.UUID(ids.keyed_request_id(org_id=org_id, maker_id=maker_id, key=key))

    assert (made.version, made.variant) == (1, uuid.RFC_4122)
    assert str(made) == ids.keyed_request_id(org_id=org_id, maker_id=maker_id, key=key)


def test_keyed_ids_differ_by_org_maker_and_key():
    """One maker's key says nothing about another's, nor about another org's."""
    told = [(0, 1, b"k"), (1, 1, b"k"), (0, 2, b"k"), (0, 1, b"K")]

    assert len({ids.keyed_request_id(org_id=org, maker_id=maker, key=key) for org, maker, key in told}) == 4


def test_parts_cannot_be_shifted_into_each_other():
    """Each part stands behind its length: org 1 with maker 23 is not org 12 with maker 3."""
    shifted = [(1, 23, b"4"), (12, 3, b"4"), (1, 2, b"34"), (123, 4, b"")]

    assert len({ids.keyed_request_id(org_id=org, maker_id=maker, key=key) for org, maker, key in shifted}) == 4


def test_ids_do_not_change_between_versions():
    """Ids are promises to consumers and to replays: a change of their making would tell every event again."""
    origin = ids.Origin("requests.submitted", 3, 17, 1_706_883_171_068)

    assert ids.request_id(origin) == REQUEST
    assert ids.keyed_request_id(org_id=51250, maker_id=232134, key=b"k-1") == KEYED
    assert ids.event_id(REQUEST, State.ADMIN_TASK, origin) == EVENT
    assert ids.api_request_id(origin) == API


@given(ORIGINS, st.sampled_from(State), st.integers(0, 9))
def test_event_id_is_a_version_4_uuid(origin, state, attempt):
    """The documented form, the same every time."""
    made = uuid.UUID(ids.event_id("r", state, origin, attempt))

    assert (made.version, made.variant) == (4, uuid.RFC_4122)
    assert str(made) == ids.event_id("r", state, origin, attempt)


def test_event_ids_differ_by_request_state_cause_and_attempt():
    """Whatever tells two events apart makes two ids; the time of the cause does not."""
    origin = an_origin()
    made = [
        ids.event_id("r", "approved", origin, 1),
        ids.event_id("s", "approved", origin, 1),
        ids.event_id("r", "failed", origin, 1),
        ids.event_id("r", "approved", an_origin(18), 1),
        ids.event_id("r", "approved", origin._replace(topic="decisions.submitted"), 1),
        ids.event_id("r", "approved", origin._replace(partition=4), 1),
        ids.event_id("r", "approved", origin, 2),
    ]

    assert len(set(made)) == len(made)
    assert ids.event_id("r", "approved", origin._replace(time_ms=0), 1) == made[0]


@given(ORIGINS, ORIGINS)
def test_derived_api_request_id_is_32_hex_digits_of_the_place(one, other):
    """A submission that brought none is found by one of its own."""
    assert len(bytes.fromhex(ids.api_request_id(one))) == 16
    assert (ids.api_request_id(one) == ids.api_request_id(other)) == (one[:3] == other[:3])


def test_place_names_the_record():
    """The key of a dead letter without a requestId: topic/partition/offset."""
    assert an_origin(5).place == "requests.submitted/3/5"
