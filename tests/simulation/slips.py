"""Known mistakes about calls and time: tries, holds, resolutions, terms. Planted like the others (`mistakes`), each
with a world in which it can show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from simulation.faults import Faults
from simulation.intouch import DONE, NOT_NOW
from simulation.mistakes import Mistake
from simulation.seat import Parts

from pipeline.domain.calls import Intent, Parked, Trying, read_begun, read_result
from pipeline.domain.marks import Kind, Mark
from pipeline.domain.messages import Approved, Due, Resolution
from pipeline.domain.outcomes import Ending
from pipeline.domain.policy import Policies, Policy
from pipeline.domain.request_types import RequestType
from pipeline.domain.tries import Tried
from pipeline.stages import Arrival, Memory, Stage, Step


def _execution(wrong: Callable[[Stage], Stage]) -> Parts:
    """Execution with something wrong, built anew for each process."""

    def build(stages: Mapping[str, Stage]) -> Mapping[str, Stage]:
        return {**stages, "execution": wrong(stages["execution"])}

    return Parts(stages=build)


def _repeats_blindly(whole: Stage) -> Stage:
    """What may have been applied is taken for what was not."""

    def on_outcome(arrival: Arrival, memory: Memory, message: Any, outcome: Any) -> Step:
        assert whole.on_outcome is not None
        if outcome.ending is Ending.UNCLEAR:
            outcome = outcome.model_copy(update={"ending": Ending.NOT_NOW})
        return whole.on_outcome(arrival, memory, message, outcome)

    return replace(whole, on_outcome=on_outcome)


def _forgets_intents(whole: Stage) -> Stage:
    """An intent that nothing answers is taken for none."""

    def fold(arrival: Arrival, memory: Memory, message: Any) -> Step:
        is_open = memory[1] is None and isinstance(read_begun(memory[0]), Intent)
        return whole.fold(arrival, (None, None) if is_open and isinstance(message, Approved) else memory, message)

    return replace(whole, fold=fold)


def _asks_nobody(whole: Stage) -> Stage:
    """Whoever resolves is taken for somebody else than the maker."""

    def fold(arrival: Arrival, memory: Memory, message: Any) -> Step:
        if isinstance(message, Resolution):
            message = message.model_copy(update={"person_id": 99})
        return whole.fold(arrival, memory, message)

    return replace(whole, fold=fold)


def _calls_the_held_again(whole: Stage) -> Stage:
    """What was held is still taken for held when its call has begun."""

    def fold(arrival: Arrival, memory: Memory, message: Any) -> Step:
        begun, came_to = read_begun(memory[0]), read_result(memory[1])
        if isinstance(message, Due) and isinstance(begun, Intent):
            if came_to is None:
                parked = Parked(approved=begun.approved, since=begun.asked - 1, due_ms=0)
                memory = (parked.value(), None)
            elif isinstance(came_to, Trying) and came_to.held_ms is not None:
                before = begun.model_copy(update={"attempt": came_to.tried.attempt})
                memory = (before.value(), memory[1])
        return whole.fold(arrival, memory, message)

    return replace(whole, fold=fold)


def _counts_anew(whole: Stage) -> Stage:
    """The first try that a process makes of a request is the first of all."""
    met: set[bytes | None] = set()
    first: set[bytes | None] = set()

    def anew(memory: Memory) -> Memory:
        came_to = read_result(memory[1])
        if not isinstance(came_to, Trying):
            return memory
        return memory[0], came_to.model_copy(update={"tried": Tried(attempt=came_to.tried.attempt)}).value()

    def fold(arrival: Arrival, memory: Memory, message: Any) -> Step:
        is_met = arrival.key in met
        met.add(arrival.key)
        step = whole.fold(arrival, memory if is_met else anew(memory), message)
        first.update({arrival.key} if step.call and not is_met else ())
        return step

    def on_outcome(arrival: Arrival, memory: Memory, message: Any, outcome: Any) -> Step:
        assert whole.on_outcome is not None
        is_first = arrival.key in first
        first.discard(arrival.key)
        return whole.on_outcome(arrival, anew(memory) if is_first else memory, message, outcome)

    return replace(whole, fold=fold, on_outcome=on_outcome)


def _nothing_expires(stages: Mapping[str, Stage]) -> Mapping[str, Stage]:
    """Nobody looks at what waits on the desk."""
    whole = stages["approval"]

    def due(mark: Mark) -> int | None:
        assert whole.due is not None
        return None if mark.kind is Kind.WAITING else whole.due(mark)

    return {**stages, "approval": replace(whole, due=due)}


SLIPS = {
    "what waits and never expires": Mistake(
        Parts(stages=_nothing_expires),
        ("did not forget in time",),  # this is how it shows: what waits stays
        {"policies": Policies(dict.fromkeys(RequestType, Policy(expires_after_s=60)))},
    ),
    "an unclear call repeated blindly": Mistake(_execution(_repeats_blindly), ("had its effect 2 times",)),
    "a lost intent taken for none": Mistake(
        _execution(_forgets_intents), ("had its effect 2 times",), needs_faults=True
    ),
    "a resolution by the maker accepted": Mistake(
        _execution(_asks_nobody), ("was to be buried (maker-is-checker) and counted",)
    ),
    "a held request called twice after a crash": Mistake(
        _execution(_calls_the_held_again),
        ("had its effect 2 times",),
        {"intouch": ((DONE, 1),), "away_s": (0.0, 15.0), "faults": Faults(crash=0.04)},
        needs_faults=True,
    ),
    "tries that start anew after a crash": Mistake(
        _execution(_counts_anew),
        ("times, 3 are allowed",),
        {"intouch": ((DONE, 1), (NOT_NOW, 6)), "faults": Faults(crash=0.04)},
        needs_faults=True,
    ),
}
