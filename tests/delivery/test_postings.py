"""Records on their way out: Kafka's own partition, the writer's stamp, and positions that compare as they should."""

from __future__ import annotations

from itertools import pairwise

import pytest
from aiokafka.partitioner import murmur2 as clients_own
from delivery.trial import Said
from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery.memory import POSITION_MAX
from pipeline.postings import Outlet, Phase, murmur2, partition_of, position, position_header, position_of


@given(st.binary(max_size=40))
def test_the_hash_is_kafkas(key):
    """Any key hashes as the client's own, slower code does."""
    assert murmur2(key) & 0x7FFFFFFF == clients_own(key) & 0x7FFFFFFF


def test_the_partition_is_kafkas():
    """A known key lies where Kafka's default partitioner puts it."""
    assert partition_of(b"21", 1000) == (-973932308 & 0x7FFFFFFF) % 1000


def test_positions_follow_the_order_of_effects():
    """Later phases and later messages have higher positions, later owners too; and the header keeps them."""
    order = [position(offset, phase, owner) for offset in (0, 1, 10**9) for phase in Phase for owner in (0, 1, 65_535)]

    assert all(before < after for before, after in pairwise(order))
    assert [position_of(position_header(at)) for at in order] == order


def test_a_later_owner_counts_for_nothing_beside_a_later_message():
    """A group's generations may begin anew; and they grow without end."""
    assert position(4, Phase.MEMORY, 10**9) < position(5, Phase.GIVES_WAY, 0)
    assert position(4, Phase.MEMORY, 10**9) <= POSITION_MAX


def test_a_record_without_position_is_not_ours():
    """Whoever wrote into a changelog without a position is not this pipeline, and it is said so."""
    with pytest.raises(ValueError, match="rw-position"):
        position_of((("rw-kind", b"x"),))


def test_an_outlet_makes_the_whole_record():
    """Prefix, partition, the message's own headers and the stamp over its bytes, in that order."""
    outlet = Outlet("p.", 12, lambda topic, key, value: (("rw-mac", topic.encode() + key + value),))

    posting = outlet.posting(Said("events", b"key", b"text"))

    headers = (("rw-kind", b"trial"), ("rw-mac", b"eventskeytext"))
    assert posting == ("p.events", partition_of(b"key", 12), b"key", b"text", headers)
