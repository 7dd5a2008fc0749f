"""A gate on a clock that is told: calls begin and end as a test says, and what the gate told is noted."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from intouch.servers import a_call

from pipeline.domain.outcomes import Ending, Outcome
from pipeline.intouch.gate import Gate

HERE, THERE = "https://here.test", "https://there.test"
NUMBERS = itertools.count(1)


@dataclass
class Scene:
    """A gate, its clock, and what it told."""

    now_s: float = 1000.0
    told: list[tuple[str, bool]] = field(default_factory=list)
    gate: Gate = field(init=False)

    def with_gate(self, **limits):
        self.gate = Gate(lambda: self.now_s, tell=lambda *told: self.told.append(told), **limits)
        return self

    def begin(self, host=HERE, *, is_repeatable=True):
        """The call, if it may begin; None where it had better wait. As the pump asks."""
        call = a_call(host, request_id=f"r{next(NUMBERS)}", is_repeatable=is_repeatable)
        return None if self.gate.holds(call) or self.gate.enter(call) > 0 else call

    def end(self, call, how):
        self.gate.leave(call, how)

    def play(self, how, **call):
        """A call that begins and ends so at once."""
        begun = self.begin(**call)
        assert begun is not None
        self.end(begun, how)

    def is_shut(self, host=HERE, *, is_repeatable=True):
        return self.gate.is_away(host, is_repeatable=is_repeatable)


def ended(ending, http_status=None, **changed):
    return Outcome(ending=ending, http_status=http_status, at_ms=1, **changed)


AWAY = ended(Ending.UNREACHED)
UNAVAILABLE = ended(Ending.UNCLEAR, 503)
DONE = ended(Ending.DONE, 201)
TIMED_OUT = ended(Ending.UNCLEAR)
