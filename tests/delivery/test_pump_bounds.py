"""What one record or one micro-batch may take: of a topic, and of the loop."""

from __future__ import annotations

import json

import pytest
from delivery.trial import DEAD, EVENTS, OUT, TABLE, Said, TrialCall

from pipeline.domain.messages import DEAD_LETTERS
from pipeline.postings import POSTING_BYTES_MAX
from pipeline.stages import Note, Step, Write

LARGE = b"x" * (POSTING_BYTES_MAX + 1)
SMALL = {"memory": (Write(TABLE, b"small"),), "handovers": (Said(OUT, b"k", b"small"),)}
TOO_LARGE = {
    TABLE: {"memory": (Write(TABLE, LARGE),)},
    EVENTS: {"events": (Said(EVENTS, b"k", LARGE),)},
    OUT: {"events": (Said(EVENTS, b"k", b"small"),), "handovers": (Said(OUT, b"k", LARGE),)},
    DEAD: {"events": (Said(DEAD, b"k", LARGE),)},
    "a call": {"memory": (Write(TABLE, LARGE),), "call": TrialCall(b"k", b"x"), "handovers": ()},
    "a reduction": {"afterwards": (Write(TABLE, LARGE),)},
}


@pytest.mark.parametrize("where", TOO_LARGE)
async def test_what_no_topic_takes_stops_nobody(world, where):
    """A fold that says more than a topic takes costs its record a dead letter, nothing of it is remembered, told or
    called, and the record behind it goes on.

    The story: a public record of 0.9 MB with 400,000 tiny headers made a dead letter of more than 3 MB. The client
    refused to send it, the worker ended with 70, and so it did after each restart, for ever.
    """

    def fold(arrival, *_):
        if arrival.offset == 1:
            return Step(Note("passed", "r2"), events=(Said(EVENTS, b"k", b"good"),))
        return Step(Note("passed", "r1"), **{**SMALL, **TOO_LARGE[where]})

    quick = world(fold=fold)
    quick.feed("pass heavy", "pass good")
    await quick.until(lambda: len(quick.finished) == 2)

    letter, good = quick.log
    said = json.loads(letter.value)
    assert (letter.topic, good.value) == (f"t.{DEAD_LETTERS}", b"good")
    assert (said["reason"], said["requestId"], said["sealed"], len(said["sha256"])) == ("too-large", "r1", None, 64)
    assert (said["source"]["offset"], quick.steps[0].note.outcome) == (0, "dead")
    assert (quick.calls, list(quick.table.shelf.items()), quick.fatal) == ([], [], [])


async def test_what_a_topic_just_takes_is_posted(world):
    """The bound is inclusive, and counts key, value and headers."""
    text = b"x" * (POSTING_BYTES_MAX - len(b"krw-kindtrial"))
    quick = world(fold=lambda *_: Step(Note("passed"), events=(Said(EVENTS, b"k", text),)))
    quick.feed("pass x")
    await quick.until(lambda: bool(quick.finished))

    assert [len(posting.value) for posting in quick.log] == [len(text)]
