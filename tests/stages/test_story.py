"""Whatever arrives in whatever order, with crashes between any two effects: one ending, one effect, one path.

The world of `world`, at random and with every single crash point; and what it must be able to find.
"""

from __future__ import annotations

import itertools

import pytest
from builders import HOST, MAKER, T0, a_pending, a_refused, a_submission, a_verdict, an_operators_resolution, an_origin
from hypothesis import event, given, settings
from hypothesis import strategies as st
from stages.world import HABITS, PHASES, World, audit

from pipeline.domain.messages import Message
from pipeline.domain.request_types import RequestType
from pipeline.domain.states import State

TERM_MS = 2_592_000_000
SECOND = an_origin(18, time_ms=T0 + 5)
KINDS = (RequestType.GOODWILL_POINTS, RequestType.EARN_BADGE, RequestType.CUSTOMER_STATUS_CHANGE)
ONCE = RequestType.GOODWILL_POINTS
DOUBT = State.INTOUCH_API_TASK


def pool(kind: RequestType) -> dict[str, Message | None]:
    """What may arrive; None: time passes."""
    other = a_submission(kind, pathParams={"a": 1})
    return {
        "pending": a_pending(kind),
        "other payload": a_pending(kind, submission=other, origin=SECOND, original="sealed"),
        "refused": a_refused(),
        "refused copy": a_refused(origin=SECOND, original="sealed"),
        "approve": a_verdict(offset=40),
        "reject": a_verdict("rejected", offset=41),
        "by the maker": a_verdict(offset=42, person_id=MAKER),
        "of another org": a_verdict(offset=43, org_id=1),
        "too late": a_verdict(offset=44, after_ms=2 * TERM_MS),
        "early": a_verdict("rejected", offset=45, after_ms=-1000),
        "succeeded": an_operators_resolution(offset=60),
        "failed": an_operators_resolution("failed", offset=61, after_ms=0),
        "retry": an_operators_resolution("retry", offset=62),
        "another retry": an_operators_resolution("retry", offset=63),
        "resolved by the maker": an_operators_resolution(offset=64, person_id=MAKER),
        "time": None,
    }


NAMES = st.sampled_from([*pool(ONCE), *["pending", "approve", "succeeded", "retry", "another retry", "time"] * 2])
STARTS = st.sampled_from([["pending", "approve", "time"], ["pending", "approve"], ["pending"], []])
WORLDS = st.fixed_dictionaries(
    {
        "habits": st.lists(st.sampled_from(HABITS), min_size=1, max_size=4),
        "crashes": st.lists(st.sampled_from((*PHASES, None, None, None)), max_size=30),
        "again": st.integers(0, 4),
        "clock_ms": st.sampled_from([0, -5000, 0, 5000, 0, 0, 0, 10**9]),
        "shut": st.lists(st.booleans(), max_size=12),
        "hosts": st.sampled_from([(HOST,)] * 9 + [()]),
        "is_automatic": st.booleans(),
        "kind": st.sampled_from(KINDS),
    }
)


@settings(max_examples=600)
@given(STARTS, st.lists(NAMES, max_size=8), WORLDS)
def test_one_ending_one_effect_one_path(start, names, facts):
    """For any sequence, any crashes, any answers, any outage, any clock and either policy."""
    world, messages = World(**facts), pool(facts["kind"])

    world.live([messages[name] for name in (*start, *names)])

    path = audit(world)
    event(f"{path[-1] if path else 'nothing'} after {min(world.intouch.calls, 3)} calls, {len(world.words)} words")


ENDS = ("approved", "rejected", "refused", "late", "automatic")
CALLED = {"approved", "automatic"}  # with the others Intouch has nothing to do


def sequence(ends: str, kind: RequestType, *more: str) -> list[Message | None]:
    """The messages of a request that ends so."""
    messages = pool(kind)
    verdict = {"rejected": messages["reject"], "late": messages["too late"]}.get(ends, messages["approve"])
    if ends == "refused":
        return [messages["refused"]]
    return [messages["pending"], verdict, None, *(messages[name] for name in more)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("ends", "habit"), [pair for pair in itertools.product(ENDS, HABITS) if pair[0] in CALLED or pair[1] == "done"]
)
def test_every_crash_point_of_every_ending(ends, habit, kind):
    """Die after each effect in turn, once or twice in a row: the path is the usual one, or a doubt in its place."""
    facts = {"habits": [habit], "kind": kind, "is_automatic": ends == "automatic"}
    calm = World(**facts)
    calm.live(sequence(ends, kind))
    usual = audit(calm)

    for first in range(5):
        for phase in PHASES:
            for again in (None, "memory", "call"):
                world = World(**facts, crashes=[None] * first + [phase, again], again=1)
                world.live(sequence(ends, kind))
                path = audit(world)
                assert path in (usual, [*usual[:2], DOUBT])
                assert path == usual or kind is ONCE or habit not in {"done", "refused"}


RESOLVED = {
    ("succeeded",): [State.APPROVED],
    ("failed",): [State.FAILED],
    ("retry", "failed"): [DOUBT, State.FAILED],
    ("retry", "another retry", "succeeded"): [DOUBT, DOUBT, State.APPROVED],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", RESOLVED)
def test_every_crash_point_of_every_resolution(said, kind):
    """Die after each effect in turn, the earlier records coming again or not: the path is always the same."""
    usual = [State.ADMIN_TASK, DOUBT, DOUBT, *RESOLVED[said]]
    for first in range(14):
        for phase in PHASES:
            for again in (0, 3):
                crashes = [None] * first + [phase]
                world = World(["broken"], crashes=crashes, again=again, kind=kind, shut=[False])
                world.live(sequence("approved", kind, *["time"] * 5, *said))

                assert audit(world) == usual


def test_a_crash_around_the_call_leaves_a_doubt():
    """The one honest limit: where a call may not be repeated, an intent without a result is never called again."""
    for phase, calls in (("memory", 0), ("call", 1)):
        world = World(["done"], crashes=[None, None, phase])
        world.live(sequence("approved", ONCE))

        assert audit(world) == [State.ADMIN_TASK, DOUBT, DOUBT]
        assert world.intouch.calls == calls


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_crash_around_a_call_that_may_be_repeated_leaves_none(kind):
    """It is made again, and has one effect."""
    for phase, calls in (("memory", 1), ("call", 2)):
        world = World(["done"], crashes=[None, None, phase], kind=kind)
        world.live(sequence("approved", kind))

        assert audit(world) == [State.ADMIN_TASK, DOUBT, State.APPROVED]
        assert (world.intouch.calls, len(world.intouch.effects)) == (calls, 1)


def test_an_outage_of_many_looks_ends_when_the_origin_is_back():
    """Held, asked for again and again, and made once."""
    world = World(["unreached", "unreached", "done"], shut=[True] * 4)
    world.live(sequence("approved", ONCE))

    assert audit(world)[-1] is State.APPROVED
    assert (world.intouch.calls, len(world.intouch.effects)) == (3, 1)
