"""Who finds out whether an origin is back, where that may leave a call in doubt: what has least to lose goes first."""

from __future__ import annotations

import itertools

import pytest
from intouch.scene import AWAY, HERE, TIMED_OUT, UNAVAILABLE, ended

from pipeline.domain.outcomes import Ending
from pipeline.intouch.gate import ONCE_WAITS_S, ONCE_WAITS_S_MAX, PAUSE_S, PAUSE_S_MAX, TRIED_WAITS_S

SENT = [UNAVAILABLE, TIMED_OUT, ended(Ending.UNCLEAR, 500)]


@pytest.mark.parametrize("how", SENT, ids=["503", "timeout", "500"])
def test_repeatable_calls_have_a_head_start(scene, how):
    """Where a call that was sent found the door shut, another might end in doubt, too: one that may be repeated goes
    first, if there is any in time. (A trial's timeout let any other call go next, and each would have ended in doubt.)
    """
    scene.play(UNAVAILABLE)
    scene.now_s += PAUSE_S
    scene.play(how)
    scene.now_s += 2 * PAUSE_S

    assert (scene.is_shut(is_repeatable=False), scene.is_shut(is_repeatable=True)) == (True, False)
    scene.now_s += ONCE_WAITS_S
    assert scene.begin(is_repeatable=False) is not None


def test_an_hour_of_503_leaves_few_in_doubt(scene):
    """Where only calls wait that may not be repeated, each that finds out is in doubt for it: so ever fewer do (it was
    one every half minute). When the origin is back it is all as before.
    """
    scene.play(UNAVAILABLE)
    tried = []
    while scene.now_s < 1000 + 3600:
        if not scene.is_shut(is_repeatable=False):
            tried.append(scene.now_s)
            scene.play(UNAVAILABLE, is_repeatable=False)
        scene.now_s += 1
    waits = [after - before for before, after in itertools.pairwise(tried)]

    assert 8 < len(tried) < 20
    assert max(waits) <= ONCE_WAITS_S_MAX + PAUSE_S_MAX + 1
    scene.now_s += ONCE_WAITS_S_MAX + PAUSE_S_MAX
    scene.play(ended(Ending.DONE, 201), is_repeatable=False)
    scene.play(UNAVAILABLE)
    scene.now_s += PAUSE_S + ONCE_WAITS_S
    assert not scene.is_shut(is_repeatable=False)


def test_another_finds_out_next_time(scene):
    """One that was tried before lets the others go first: six times 503 to the same one would leave it in doubt."""
    scene.play(UNAVAILABLE)
    scene.now_s += PAUSE_S
    shut = [scene.gate.is_away(HERE, is_repeatable=True, attempt=attempt) for attempt in (1, 2)]
    scene.now_s += TRIED_WAITS_S
    assert [*shut, scene.gate.is_away(HERE, is_repeatable=True, attempt=2)] == [False, True, False]


def test_where_nothing_was_sent_any_call_may_find_out(scene):
    """It costs no doubt: no head start for an origin that cannot be reached."""
    for how in (UNAVAILABLE, AWAY):
        scene.play(how)
        scene.now_s += 2 * PAUSE_S

    assert scene.begin(is_repeatable=False) is not None
