"""What became a dead letter is found by its request, or by the place that was told when it was published."""

from __future__ import annotations

import pytest
from builders import REQUEST_ID, T0

from pipeline.domain.deadletters import DeadLetter
from pipeline.domain.ids import Origin
from pipeline.domain.reasons import DeadReason

NOBODYS = DeadLetter(DeadReason.BAD_TOKEN, "intake", Origin("requests.submitted", 1, 41, T0), T0, "sealed-canary")
LATE = DeadLetter(
    reason=DeadReason.NOT_WAITING,
    stage="approval",
    source=Origin("decisions.submitted", 0, 7, T0),
    dead_at_ms=T0,
    sealed="sealed-canary",
    request_id=REQUEST_ID,
    org_id=7,
)


@pytest.fixture
def dead(topics):
    """Topics in which one record of nobody's and one late decision have died; the latter is told twice."""
    for letter in (NOBODYS, LATE, LATE):
        topics.publish("dead-letters", letter.key, letter.value(), letter.headers())
    return topics


def test_show_lists_the_dead_letters_of_a_request(run, dead):
    """A request that nothing else tells of: its dead letter says why, once; the id may be spelled anyhow."""
    ran = run("show", REQUEST_ID.replace("-", "").upper(), **dead.variables)

    assert ran.code == 0
    assert ran.out.count("not-waiting") == 1
    assert "decisions.submitted/0/7" in ran.out
    assert DeadReason.NOT_WAITING.sentence in ran.out
    assert "canary" not in ran.out
    assert "It is about" not in ran.out


def test_show_lists_them_below_the_history(run, dead):
    """History and call come first."""
    dead.place()

    ran = run("show", REQUEST_ID, **dead.variables)

    assert ran.code == 0
    assert 0 < ran.out.index("AdminTask") < ran.out.index("The call that") < ran.out.index("not-waiting")


@pytest.mark.parametrize(
    ("place", "reason"), [("requests.submitted/1/41", "bad-token"), ("decisions.submitted/0/7", "not-waiting")]
)
def test_show_finds_the_dead_letter_of_a_place(run, dead, place, reason):
    """What `submit` or `decide` told is enough to find the dead letter, also where no request is known."""
    ran = run("show", place, **dead.variables)

    assert ran.code == 0
    assert reason in ran.out
    assert place in ran.out


def test_show_of_a_place_without_a_dead_letter(run, dead):
    """Nothing found is 1, and what that can mean is said."""
    ran = run("show", "requests.submitted/1/40", **dead.variables)

    assert (ran.code, ran.out) == (1, "")
    assert "was taken" in ran.err
