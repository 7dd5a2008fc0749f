"""Time in execution: an ending is forgotten when its term is over; what is under way or in doubt never is.

Every memory x a Due before, at and after its time. What waits for another try or its origin has tests of its own.
"""

from __future__ import annotations

import itertools

import pytest
from builders import REQUEST_ID, T0, an_approved, an_outcome
from wiring import REMEMBER_MS, a_due, an_execution, folded, nothing, said, signed, written

from pipeline.domain.calls import read_result
from pipeline.domain.marks import read_mark
from pipeline.domain.messages import RESULTS
from pipeline.domain.noted import Noted
from pipeline.domain.outcomes import Ending
from pipeline.domain.remnants import Finished
from pipeline.stages import Write

EXECUTION = an_execution()
APPROVED = an_approved()
NOTHING = nothing(EXECUTION)
BEGUN = written(EXECUTION, NOTHING, folded(EXECUTION, APPROVED).memory)
ENDED_MS = T0 + 3000
OVER_MS = ENDED_MS + REMEMBER_MS
FAR_MS = T0 + 1000 * REMEMBER_MS


def told(ending):
    """The step that follows from the end of the call."""
    assert EXECUTION.on_outcome is not None
    return EXECUTION.on_outcome(signed(APPROVED), BEGUN, APPROVED, an_outcome(ending, ENDED_MS))


def remembered(step):
    return written(EXECUTION, BEGUN, step.memory)


DONE, REFUSED, DOUBT = told(Ending.DONE), told(Ending.REFUSED), told(Ending.UNCLEAR)
UNTOLD = {"done, not told": DONE, "refused, not told": REFUSED, "in doubt": DOUBT}
LASTING = {"nothing": NOTHING, "under way": BEGUN} | {name: remembered(step) for name, step in UNTOLD.items()}
FINISHED = {
    name: written(EXECUTION, remembered(step), step.afterwards) for name, step in (("done", DONE), ("refused", REFUSED))
}


@pytest.mark.parametrize("name", UNTOLD)
def test_time_does_not_change(name):
    """What is not told, or nobody knows, stays for however long that takes: a Due tells it again, and that is all."""
    step = folded(EXECUTION, a_due(EXECUTION, FAR_MS), LASTING[name])

    assert (said(step), step.afterwards) == (said(UNTOLD[name]), UNTOLD[name].afterwards)
    assert (step.memory, step.call) == ((), None)
    assert (step.note.outcome, step.note.request_id) == (Noted.REPEATED, REQUEST_ID)


def test_where_nothing_is_known_time_changes_nothing():
    """A stranger's Due for a request that was never here."""
    step = folded(EXECUTION, a_due(EXECUTION, FAR_MS), NOTHING)

    assert (said(step), step.memory, step.afterwards, step.call) == ([], (), (), None)


@pytest.mark.parametrize("name", FINISHED)
def test_a_due_before_its_time_does_nothing(name):
    """The broker's time of the record decides, not the clock of who posted it."""
    step = folded(EXECUTION, a_due(EXECUTION, OVER_MS - 1), FINISHED[name])

    assert (said(step), step.memory, step.afterwards, step.call) == ([], (), (), None)


@pytest.mark.parametrize(("name", "late_ms"), list(itertools.product(FINISHED, [0, 1, REMEMBER_MS])))
def test_an_ending_is_forgotten(name, late_ms):
    """By a tombstone, a term after the call had ended, and nobody is told."""
    step = folded(EXECUTION, a_due(EXECUTION, OVER_MS + late_ms), FINISHED[name])

    assert step.memory == (Write(RESULTS, None, may_be_overtaken=True),)
    assert (said(step), step.afterwards, step.call) == ([], (), None)
    assert (step.note.outcome, step.note.request_id) == (Noted.FORGOTTEN, REQUEST_ID)
    assert written(EXECUTION, FINISHED[name], step.memory) == NOTHING


def test_the_same_due_again_finds_nothing():
    """After a crash behind the tombstone: nothing is written twice."""
    again = folded(EXECUTION, a_due(EXECUTION, OVER_MS), NOTHING)

    assert (again.memory, said(again)) == ((), [])


def test_an_ending_is_repeated_to_nobody_while_it_is_remembered():
    """The same Approved, a moment before its ending is forgotten, makes no second call and tells nothing."""
    step = folded(EXECUTION, signed(APPROVED, time_ms=OVER_MS - 1, seen_ms=OVER_MS - 1), FINISHED["done"])

    assert (step.call, said(step), step.memory) == (None, [], ())
    assert isinstance(read_result(FINISHED["done"][1]), Finished)


@pytest.mark.parametrize("name", [*LASTING, *FINISHED])
def test_who_looks_through_memory_sees_the_same_time(name):
    """From the marks alone, `due` says when a Due has an effect."""
    memory = (LASTING | FINISHED)[name]
    times = {EXECUTION.due(read_mark(value)) for value in memory if value is not None}

    assert times - {None} == ({OVER_MS} if name in FINISHED else set())
