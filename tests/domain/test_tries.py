"""What follows from the end of a call: the table of the contract (section 8), every cell of it, and its arithmetic."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import pytest
from builders import T0, an_outcome
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.outcomes import Ending
from pipeline.domain.repeats import Manner
from pipeline.domain.tries import ROWS, Terms, Tried, what_follows, what_follows_a_retry

TERMS = Terms(max_attempts=4, retry_for_ms=60_000, hold_ms=3_600_000)
APPROVED_MS = T0
FIRST_MS = T0 + 500
SOON_MS, HELD_MS = T0 + 1000, APPROVED_MS + TERMS.hold_ms

# A approved, F failed, R tried again, H held, D in doubt; T: approved as already there where the call is about one item
# or customer, else in doubt. Columns: repeatable with tries left, repeatable with none left, other with tries left,
# other with none left; on a first attempt or after tries that had no effect | after one that may have had its effect.
TABLE = {
    "done": "AAAA | AAAA",
    "refused": "FFFF | FFFF",
    "already-there": "FFFF | TTTT",
    "not-now": "RFRF | RDRD",
    "redirect": "FFFF | DDDD",
    "unreached": "HHHH | HHHH",
    "unreached, held for too long": "FFFF | DDDD",
    "unclear": "RDDD | RDDD",
    "lost": "RDDD | RDDD",
    "host-not-allowed": "FFFF | DDDD",
    "bad-path": "FFFF | DDDD",
    "bad-header": "FFFF | DDDD",
    "digest-mismatch": "FFFF | DDDD",
    "approval-expired": "FFFF | DDDD",
    "too-late": "FFFF | DDDD",
}
REASONS = {
    "already-there": "refused",
    "not-now": "retries-exhausted",
    "too-late": "retries-exhausted",
    "unreached, held for too long": "intouch-unavailable",
}
BEFORE = {
    "nothing": Tried(),
    "no effect": Tried(attempt=2, tries=1, first_ms=FIRST_MS),
    "maybe an effect": Tried(attempt=2, tries=1, first_ms=FIRST_MS, is_ambiguous=True),
}


class Way(NamedTuple):
    """How far the tries have come: when this one ended, the wait before the next one, and the tries before."""

    is_left: bool
    after_ms: int = 200
    wait_ms: int = 0
    tries: int | None = None


RETRY_FOR_MS = TERMS.retry_for_ms
WAYS = [
    Way(is_left=True),
    Way(is_left=True, tries=TERMS.max_attempts - 2),
    Way(is_left=False, tries=TERMS.max_attempts - 1),
    Way(is_left=True, after_ms=RETRY_FOR_MS),
    Way(is_left=False, after_ms=RETRY_FOR_MS + 1),
    Way(is_left=True, after_ms=200, wait_ms=RETRY_FOR_MS - 200),
    Way(is_left=False, after_ms=200, wait_ms=RETRY_FOR_MS - 199),
]


def ended(row, before, way):
    """The outcome and what is known of the tries after it; the first of them began at `FIRST_MS`."""
    ending = Ending(row.partition(",")[0])
    at_ms = HELD_MS if "held" in row else FIRST_MS + way.after_ms
    if way.tries is not None:
        before = before.model_copy(update={"tries": way.tries, "first_ms": FIRST_MS})
    outcome = an_outcome(ending, at_ms, began_ms=FIRST_MS, wait_ms=way.wait_ms)
    return outcome, before.and_one(before.attempt + 1, outcome)


def expected(row, before, way, manner):
    """What the table above says, as (what is done, reason)."""
    half = TABLE[row].split(" | ")[BEFORE[before].is_ambiguous]
    letter = half[2 * (not manner.is_repeatable) + (not way.is_left)]
    if letter == "T":
        letter, reason = ("A", "already-there") if manner.is_single else ("D", None)
    else:
        reason = REASONS.get(row, row)
    acts = {"A": "approved", "F": "failed", "R": "try again", "H": "held", "D": "in doubt"}
    reasons = {"A": reason if reason == "already-there" else None, "F": reason, "D": "in-doubt"}
    return acts[letter], reasons.get(letter)


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("row", TABLE)
def test_what_follows(row, before):
    """Each ending, after each kind of tries, for each way in which tries are left or run out, and each manner."""
    for way, repeatable, single in itertools.product(WAYS, (True, False), (True, False)):
        manner = Manner(is_repeatable=repeatable, is_single=single)
        outcome, tried = ended(row, BEFORE[before], way)

        follows = what_follows(outcome, tried, manner, TERMS, APPROVED_MS)

        assert (follows.act, follows.reason) == expected(row, before, way, manner), (way, manner)


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("row", TABLE)
def test_what_follows_a_retry(row, before):
    """The one attempt that a person asked for is the last: instead of another or of being held it is in doubt again."""
    for way, repeatable, single in itertools.product(WAYS, (True, False), (True, False)):
        manner = Manner(is_repeatable=repeatable, is_single=single)
        outcome, tried = ended(row, BEFORE[before], way)
        act, reason = expected(row, before, way, manner)

        follows = what_follows_a_retry(outcome, tried, manner, TERMS, APPROVED_MS)

        wants = ("in doubt", "in-doubt") if act in {"try again", "held"} else (act, reason)
        assert (follows.act, follows.reason) == wants, (way, manner)


def test_every_ending_has_its_row():
    """In the code and in the table above."""
    assert set(ROWS) == set(Ending) == {Ending(row.partition(",")[0]) for row in TABLE}


@pytest.mark.parametrize(("late_ms", "is_held"), [(-1, True), (0, False), (1, False)])
def test_the_hold_term_counts_from_the_approval(late_ms, is_held):
    """Not from the first attempt, and however many tries there were."""
    outcome = an_outcome(Ending.UNREACHED, HELD_MS + late_ms)
    tried = Tried(attempt=99, tries=99, first_ms=T0).and_one(100, outcome)

    follows = what_follows(outcome, tried, Manner(is_repeatable=True), TERMS, APPROVED_MS)

    assert follows.act == ("held" if is_held else "failed")


SENT = {Ending.DONE, Ending.REFUSED, Ending.ALREADY_THERE, Ending.NOT_NOW, Ending.REDIRECT, Ending.UNCLEAR, Ending.LOST}


@pytest.mark.parametrize("ending", Ending)
def test_what_counts_as_a_try(ending):
    """Only what may have left: that alone uses up attempts, and starts the time to retry when it began."""
    tried = Tried().and_one(1, an_outcome(ending, SOON_MS, began_ms=FIRST_MS))

    assert tried == Tried(
        attempt=1,
        tries=int(ending in SENT),
        first_ms=FIRST_MS if ending in SENT else None,
        is_ambiguous=ending in {Ending.UNCLEAR, Ending.LOST},
    )


@given(st.lists(st.sampled_from(Ending), min_size=1, max_size=8))
def test_tries_add_up(endings):
    """Whatever came in whatever order: the numbers grow, the first beginning stays, and a doubt is never forgotten."""
    tried = Tried()
    for number, ending in enumerate(endings, start=1):
        tried = tried.and_one(number, an_outcome(ending, T0 + 10 * number, began_ms=T0 + 10 * number - 5))

    sent = [number for number, ending in enumerate(endings, start=1) if ending in SENT]
    assert (tried.attempt, tried.tries) == (len(endings), len(sent))
    assert tried.first_ms == (T0 + 10 * sent[0] - 5 if sent else None)
    assert tried.is_ambiguous is any(ending in {Ending.UNCLEAR, Ending.LOST} for ending in endings)


def test_a_try_without_a_beginning_began_when_it_ended():
    """An older client or a double may not say when."""
    assert Tried().and_one(1, an_outcome(Ending.NOT_NOW, SOON_MS)).first_ms == SOON_MS


def test_time_that_was_held_is_no_time_to_retry():
    """It moves the first beginning on; where nothing was sent yet there is nothing to move."""
    tried = Tried(attempt=1, tries=1, first_ms=FIRST_MS)

    assert tried.later(5000) == Tried(attempt=1, tries=1, first_ms=FIRST_MS + 5000)
    assert Tried(attempt=1).later(5000) == Tried(attempt=1)


@pytest.mark.parametrize(("first_ms", "until_ms"), [(FIRST_MS, FIRST_MS + RETRY_FOR_MS), (None, None)])
def test_the_time_to_retry(first_ms, until_ms):
    """So long after the first try that was sent; before one there is nothing to be late for."""
    assert Tried(first_ms=first_ms).until_ms(TERMS) == until_ms
