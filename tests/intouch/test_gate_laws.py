"""Laws of the gate, for every story: its limits hold, a shut door has one trial, and no place is ever lost."""

from __future__ import annotations

import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from intouch.servers import a_call

from pipeline.domain.outcomes import Ending, Outcome
from pipeline.intouch.gate import Gate

ORIGINS = ("https://here.test", "https://there.test")
ENDS = st.builds(
    Outcome,
    ending=st.sampled_from([Ending.DONE, Ending.UNREACHED, Ending.UNCLEAR, Ending.NOT_NOW]),
    at_ms=st.just(1),
    http_status=st.sampled_from([None, 201, 429, 500, 503]),
    asked_ms=st.sampled_from([None, 0, 5000, 10**9]),
)
LONG_S = 10_000.0  # longer than any pause


class GateStory(RuleBasedStateMachine):
    """Calls come as the pump brings them (asked whether they are held, then let in), and end in any way and order."""

    calls = Bundle("calls")

    @initialize(per_origin=st.integers(1, 3), rate=st.sampled_from([0.0, 0.5, 10.0]))
    def begin(self, per_origin, rate):
        self.now_s, self.numbers = 0.0, itertools.count()
        self.per_origin, self.rate = per_origin, rate
        self.shut = dict.fromkeys(ORIGINS, False)
        self.inside = {origin: set() for origin in ORIGINS}
        self.trials = {origin: set() for origin in ORIGINS}  # of those inside, who came while the door was shut
        self.last_s = dict.fromkeys(ORIGINS, float("-inf"))
        self.gate = Gate(
            lambda: self.now_s, origins=ORIGINS[:1], per_origin=per_origin, rate=rate, tell=self.shut.__setitem__
        )

    @rule(target=calls, origin=st.sampled_from(ORIGINS), is_repeatable=st.booleans())
    def call(self, origin, is_repeatable):
        """Somebody wants to call; None where it has to wait."""
        call = a_call(origin, request_id=f"r{next(self.numbers)}", is_repeatable=is_repeatable)
        if self.gate.holds(call) or self.gate.enter(call) > 0:
            return None
        self.inside[origin].add(call.request_id)
        if self.shut[origin]:
            self.trials[origin].add(call.request_id)
        if self.rate:
            assert self.now_s - self.last_s[origin] >= 1 / self.rate - 1e-9
        self.last_s[origin] = self.now_s
        return call

    @rule(call=consumes(calls), how=ENDS)
    def end(self, call, how):
        if call is not None:
            self._leave(call, how)

    def _leave(self, call, how):
        self.gate.leave(call, how)
        self.inside[call.host].remove(call.request_id)
        self.trials[call.host].discard(call.request_id)

    @rule(by_s=st.sampled_from([0.1, 1.0, 2.0, 11.0, LONG_S]))
    def wait(self, by_s):
        self.now_s += by_s

    @invariant()
    def limits_hold(self):
        """Never more inside than may be, and never more than one that came to a shut door."""
        for origin in ORIGINS if hasattr(self, "gate") else ():
            assert len(self.inside[origin]) <= self.per_origin
            assert len(self.trials[origin]) <= 1

    @rule(origin=st.sampled_from(ORIGINS), is_repeatable=st.booleans())
    def room(self, origin, is_repeatable):
        """When time has passed and nobody finds out just now, whoever finds room is let in: no place is lost."""
        self.now_s += LONG_S
        call = a_call(origin, request_id=f"r{next(self.numbers)}", is_repeatable=is_repeatable)
        is_found_out = self.shut[origin] and bool(self.trials[origin])
        assert self.gate.holds(call) is is_found_out
        if not is_found_out:
            is_full = len(self.inside[origin]) >= self.per_origin
            assert (self.gate.enter(call) == 0) is not is_full
            if not is_full:
                self.last_s[origin] = self.now_s
                self.gate.leave(call, Outcome(ending=Ending.DONE, at_ms=1, http_status=201))


GateStory.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestGate = GateStory.TestCase
