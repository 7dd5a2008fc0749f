"""A group whose leader assigned by incomplete metadata: it gave nothing to anybody, and must find out by itself.

Found by chaos: a broker that had just come back knew none of its topics, the two workers that joined then were ready
without a single partition, and stood still until the client's next look at the metadata, 5 minutes later.
"""

from __future__ import annotations

from delivery.kafka import Kafka, Worker


async def test_topics_that_appear_are_taken_up(broker, prefix, tmp_path):
    """A worker whose group was formed while the broker knew no topic works soon after the broker knows them."""
    kafka = Kafka(broker, prefix)
    with Worker(kafka, tmp_path / "only") as only:
        assert await only.said("ready")
        async with kafka:
            await kafka.put([b"pass x"])
            events = await kafka.events(1, within_s=20)

    assert len(events) == 1
