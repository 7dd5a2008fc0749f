"""What happened and what is remembered become figures, by closed labels; what did not happen is not counted."""

from __future__ import annotations

import pytest
from builders import a_pending, a_refused, a_verdict, an_approved
from wiring import a_policy, an_approval, an_execution, folded, nothing, written

from pipeline.domain.marks import Kind
from pipeline.domain.outcomes import Ending, Outcome
from pipeline.domain.request_types import RequestType
from pipeline.metrics import Metrics
from pipeline.observing import counted_calls, counted_steps, surveyed, watched_doors
from pipeline.stages import Note, Step
from pipeline.surroundings import Standing

GOODWILL, BADGE = RequestType.GOODWILL_POINTS, RequestType.EARN_BADGE
CENSUS = {
    (Kind.WAITING, GOODWILL): Standing(3, 1_000),
    (Kind.WAITING, BADGE): Standing(1, 5_000),
    (Kind.HANDED, BADGE): Standing(7, 1),
    (Kind.SETTLED, GOODWILL): Standing(9, 1),
    (Kind.IN_DOUBT, GOODWILL): Standing(2, 1),
    (Kind.INTENT, GOODWILL): Standing(5, 1),
    (Kind.HELD, BADGE): Standing(4, 1),
    (Kind.TRYING, BADGE): Standing(6, 1),
}


@pytest.fixture
def metrics():
    return Metrics(("approval", "execution"))


def shown(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """The samples of this name that are not zero, by their labels' values."""
    samples = (sample for family in metrics.registry.collect() for sample in family.samples)
    return {tuple(each.labels.values()): each.value for each in samples if each.name == name and each.value}


def test_what_waits_on_the_desk_is_shown(metrics):
    """How many per type, and for how long the oldest has waited; what has left the desk does not count."""
    surveyed("approval", metrics, lambda: 6_500)(CENSUS)

    assert shown(metrics, "rw_pending") == {(GOODWILL,): 3, (BADGE,): 1}
    assert shown(metrics, "rw_oldest_pending_seconds") == {(GOODWILL,): 5.5, (BADGE,): 1.5}
    assert shown(metrics, "rw_in_doubt") == {}


def test_an_empty_desk_shows_nothing(metrics):
    """What was there at the last look is gone from the figures, too."""
    survey = surveyed("approval", metrics, lambda: 6_500)
    survey(CENSUS)
    survey({})

    assert (shown(metrics, "rw_pending"), shown(metrics, "rw_oldest_pending_seconds")) == ({}, {})


def test_a_clock_that_is_behind_shows_no_negative_age(metrics):
    """The desk's time is the broker's, the age is by ours."""
    surveyed("approval", metrics, lambda: 500)(CENSUS)

    assert shown(metrics, "rw_oldest_pending_seconds") == {}
    assert shown(metrics, "rw_pending") == {(GOODWILL,): 3, (BADGE,): 1}


def test_what_is_in_doubt_is_shown(metrics):
    """By type; calls under way are not in doubt."""
    survey = surveyed("execution", metrics, lambda: 6_500)
    survey(CENSUS)
    first = shown(metrics, "rw_in_doubt")
    survey({})

    assert (first, shown(metrics, "rw_in_doubt"), shown(metrics, "rw_pending")) == ({(GOODWILL,): 2}, {}, {})


def test_what_is_held_is_shown(metrics):
    """By type; what is to be tried again soon does not wait for its origin."""
    survey = surveyed("execution", metrics, lambda: 6_500)
    survey(CENSUS)
    first = shown(metrics, "rw_held")
    survey({})

    assert (first, shown(metrics, "rw_held")) == ({(BADGE,): 4}, {})


def test_doors_are_shown():
    """Which origin is away now, and how often each was found to be."""
    origin, other = "https://a.test", "https://b.test"
    metrics = Metrics(("execution",), (origin, other))
    tell = watched_doors(metrics)
    tell(origin, True)
    during = shown(metrics, "rw_breaker_open")
    tell(origin, False)
    tell(origin, True)
    tell(origin, False)

    assert (during, shown(metrics, "rw_breaker_open")) == ({(origin,): 1}, {})
    assert shown(metrics, "rw_breaker_openings_total") == {(origin,): 2}


def test_other_stages_remember_nothing(metrics):
    """Nothing is shown for them."""
    surveyed("intake", metrics, lambda: 6_500)(CENSUS)

    assert (shown(metrics, "rw_pending"), shown(metrics, "rw_in_doubt")) == ({}, {})


def test_events_are_counted(metrics):
    """By type and state, each one of a step."""
    count = counted_steps("approval", metrics)
    count(folded(an_approval(a_policy(auto_approve=True)), a_pending()))
    count(folded(an_approval(), a_refused()))

    told = {(GOODWILL, "AdminTask"): 1, (GOODWILL, "IntouchAPITask"): 1, (GOODWILL, "failed"): 1}
    assert shown(metrics, "rw_events_total") == told
    assert shown(metrics, "rw_dead_letters_total") == {}


def test_decisions_are_counted(metrics):
    """Those that count and those that are buried, by what they said; a repetition was counted before."""
    approval = an_approval()
    desk = written(approval, nothing(approval), folded(approval, a_pending()).memory)
    decided = folded(approval, a_verdict(), desk)
    count = counted_steps("approval", metrics)
    count(decided)
    count(folded(approval, a_verdict(), written(approval, desk, decided.memory)))
    count(folded(approval, a_verdict("rejected", offset=41), written(approval, desk, decided.memory)))

    assert shown(metrics, "rw_decisions_total") == {("approved", "decided"): 1, ("rejected", "dead"): 1}
    assert shown(metrics, "rw_dead_letters_total") == {("approval", "not-waiting"): 1}


def test_a_step_that_says_nothing_counts_nothing(metrics):
    """Only what the world was told is counted."""
    counted_steps("approval", metrics)(Step(Note("repeated")))

    assert (shown(metrics, "rw_events_total"), shown(metrics, "rw_decisions_total")) == ({}, {})


async def test_calls_are_counted_and_timed(metrics):
    """By type and effect, and for how long they took; the outcome is passed on as it is."""
    outcome = Outcome(ending=Ending.REFUSED, at_ms=5)
    clock = iter([10.0, 12.5])
    step = folded(an_execution(), an_approved())

    async def caller(_):
        return outcome

    assert await counted_calls(caller, metrics, lambda: next(clock))(step.call) is outcome
    assert shown(metrics, "rw_intouch_calls_total") == {(GOODWILL, "refused"): 1}
    assert shown(metrics, "rw_intouch_call_seconds_sum") == {(GOODWILL,): 2.5}
