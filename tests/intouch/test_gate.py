"""Who may call an origin now: doors that shut and open, the one trial, and the limits; on a clock that is told."""

from __future__ import annotations

import math

import pytest
from intouch.scene import AWAY, DONE, HERE, THERE, TIMED_OUT, UNAVAILABLE, Scene, ended
from intouch.servers import a_call

from pipeline.domain.outcomes import Effect, Ending, ending_of
from pipeline.domain.request_types import RequestType
from pipeline.intouch.gate import ASKED_S_MAX, PAUSE_S, PAUSE_S_MAX


@pytest.mark.parametrize("http_status", [None, 200, 400, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("ending", Ending)
def test_what_shuts_a_door(scene, ending, http_status):
    """An origin that cannot be reached, and an unreadable 503; no other ending under any status."""
    scene.play(ended(ending, http_status))

    assert scene.is_shut() is (ending is Ending.UNREACHED or (ending is Ending.UNCLEAR and http_status == 503))


@pytest.mark.parametrize(
    ("body", "is_shut"), [(b'{"errors":[{"code":8015}]}', False), (b'{"errors":[{"code":503}]}', True), (b"", True)]
)
def test_a_503_with_a_business_code_is_an_answer(scene, body, is_shut):
    """Whoever answers with a business code is there."""
    scene.play(ended(ending_of(RequestType.GOODWILL_POINTS, 503, body, None), 503))

    assert scene.is_shut() is is_shut


def test_a_door_stays_shut_for_its_pause(scene):
    """Nobody may try before it is over."""
    scene.play(AWAY)
    scene.now_s += PAUSE_S - 0.01
    before = scene.is_shut()
    scene.now_s += 0.01

    assert (before, scene.is_shut()) == (True, False)


def test_one_trial_at_a_time(scene):
    """After the pause one call finds out; the others wait for what it finds."""
    scene.play(AWAY)
    scene.now_s += PAUSE_S
    trial = scene.begin()

    assert trial is not None
    assert [scene.begin(), scene.begin(is_repeatable=False)] == [None, None]
    scene.now_s += 1000
    assert scene.begin() is None


@pytest.mark.parametrize(
    "ending", [ending for ending in Ending if ended(ending).effect in (Effect.UNKNOWN, Effect.WAIT)]
)
def test_a_trial_that_fails_shuts_the_door_again(scene, ending):
    """Unreached, timed out, or nothing readable under whatever status: the origin is not back."""
    scene.play(AWAY)
    scene.now_s += PAUSE_S
    scene.play(ended(ending))
    scene.now_s += PAUSE_S

    assert scene.is_shut()
    assert scene.told == [(HERE, True)]


@pytest.mark.parametrize(
    "how", [DONE, ended(Ending.REFUSED, 400), ended(Ending.NOT_NOW, 429), ended(Ending.REDIRECT, 302)]
)
def test_a_trial_that_gets_through_opens_the_door(scene, how):
    """Whatever the answer says, as long as it is one: all may call again, and it is told."""
    scene.play(AWAY)
    scene.now_s += PAUSE_S
    scene.play(how)

    assert not scene.is_shut()
    assert None not in [scene.begin(is_repeatable=False) for _ in range(5)]
    assert scene.told == [(HERE, True), (HERE, False)]


def pauses(scene, how, count):
    """How long the door stays shut after each of so many trials that end so."""
    found = []
    for _ in range(count):
        scene.play(how)
        began_s = scene.now_s
        while scene.is_shut():
            scene.now_s += 0.5
        found.append(scene.now_s - began_s)
    return found


def test_the_pause_doubles_up_to_a_cap(scene):
    """And begins anew once the origin was back."""
    first = pauses(scene, AWAY, 7)
    scene.play(DONE)

    assert first == [1, 2, 4, 8, 16, PAUSE_S_MAX, PAUSE_S_MAX]
    assert pauses(scene, AWAY, 2) == [1, 2]


@pytest.mark.parametrize(
    ("asked_s", "pause_s"), [(0, PAUSE_S), (7, 7), (ASKED_S_MAX, ASKED_S_MAX), (86_400, ASKED_S_MAX)]
)
def test_retry_after_keeps_the_door_shut(scene, asked_s, pause_s):
    """For as long as the origin asks for, within bounds, and never for less than the pause."""
    how = ended(Ending.UNCLEAR, 503, asked_ms=asked_s * 1000)

    assert pauses(scene, how, 1) == [pause_s]


def test_a_late_success_opens_nothing(scene):
    """A call that began before the door was shut says nothing about what came after."""
    early = scene.begin()
    scene.now_s += 1
    scene.play(AWAY)
    scene.end(early, DONE)

    assert scene.is_shut()
    scene.now_s += PAUSE_S
    assert scene.begin() is not None  # the trial is still to come
    assert scene.begin() is None


def test_late_failures_keep_the_door_shut_without_a_longer_pause(scene):
    """Many calls fail together: that is one finding, told once; the pause begins anew and does not double."""
    many = [scene.begin() for _ in range(5)]
    for call in many:
        scene.end(call, AWAY)
        scene.now_s += 0.5

    scene.now_s += PAUSE_S - 0.5
    assert not scene.is_shut()
    assert scene.told == [(HERE, True)]


def test_a_failure_that_is_no_trial_and_says_nothing_shuts_nothing(scene):
    """A timeout of one call among many is that call's affair."""
    for _ in range(5):
        scene.play(TIMED_OUT)

    assert (scene.is_shut(), scene.told) == (False, [])


def test_a_person_asks_although_the_door_is_shut(scene):
    """A retry that a person asked for enters without asking whether the origin is away, and may find out for all."""
    scene.play(AWAY)
    call = a_call(HERE, request_id="asked for")
    assert scene.gate.enter(call) == 0
    assert scene.begin() is None
    scene.end(call, DONE)

    assert not scene.is_shut()


def test_so_many_inside_and_no_more():
    """The limit of concurrency: one goes, one comes; until then nobody knows when to ask again."""
    scene = Scene().with_gate(per_origin=2)
    one, two = scene.begin(), scene.begin()
    waits_s = scene.gate.enter(a_call(HERE, request_id="third"))
    scene.end(one, DONE)

    assert None not in (one, two)
    assert waits_s == math.inf
    assert scene.begin() is not None
    assert scene.begin() is None


def test_so_many_per_second_and_no_more():
    """The limit of rate: who comes too early is told how long to wait, and a refusal uses nothing up."""
    scene = Scene().with_gate(rate=4)
    waits_s = [scene.gate.enter(a_call(HERE, request_id=f"x{number}")) for number in range(3)]
    scene.now_s += 0.25

    assert waits_s == [0, 0.25, 0.25]
    assert [scene.begin() is None for _ in range(2)] == [False, True]


def test_an_idle_origin_saves_up_no_rate():
    """After an hour without calls the next two are as far apart as ever."""
    scene = Scene().with_gate(rate=4)
    scene.play(DONE)
    scene.now_s += 3600

    assert [scene.begin() is None for _ in range(2)] == [False, True]


def test_origins_are_independent():
    """One that is away, full and too quick says nothing about another, whether it was named at the start or not."""
    scene = Scene().with_gate(origins=[HERE], per_origin=1, rate=1)
    scene.play(AWAY)
    scene.now_s += PAUSE_S
    assert scene.begin() is not None

    assert (scene.begin(), scene.is_shut(THERE)) == (None, False)
    scene.play(DONE, host=THERE)
    assert scene.told == [(HERE, True)]


def test_what_it_tells():
    """Each door that shuts and opens, once, by its origin: nothing for a door that is found shut again."""
    scene = Scene().with_gate(origins=[HERE, THERE])
    scene.play(UNAVAILABLE)
    scene.now_s += PAUSE_S
    scene.play(UNAVAILABLE)
    scene.play(AWAY, host=THERE)
    scene.now_s += 2 * PAUSE_S
    scene.play(DONE)
    scene.play(UNAVAILABLE)

    assert scene.told == [(HERE, True), (THERE, True), (HERE, False), (HERE, True)]
