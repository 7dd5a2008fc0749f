"""Nothing lost, nothing done twice, through every crash that can be drawn or enumerated; and the judge can fail.

A failing world prints the command that plays it again.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from simulation.crowd import complaint, on_all_cores, seeds, sentence, together
from simulation.faults import Faults
from simulation.mistakes import PLANTED, Mistake
from simulation.plans import harsh_plan
from simulation.scripted import at_point, crash_points, quiet_points
from simulation.seat import Parts
from simulation.slips import SLIPS
from simulation.world import Verdict, simulate

SEEDS = 2_000
SEEDS_UNTIL_FOUND = 400
QUIET_SEEDS = 4
MISTAKES = PLANTED | SLIPS
UNSTEADY = (76, 107, 151, 291, 488)  # not the same each time, while a process's tasks ended in the order of a set


@pytest.mark.timeout(600)
def test_random_worlds(figure: Callable[[str], None]) -> None:
    """No seed ends in a violation."""
    bad, counts, number = together(seeds(0, SEEDS))
    figure(f"simulation, random: {sentence(number, counts)}")

    assert not bad, complaint(bad)
    assert number == SEEDS
    assert counts.crashes > SEEDS


def test_a_seed_is_one_world() -> None:
    """The same seed does the same each time and in each process, or no finding could be looked at again."""
    told = {(one.seed, str(one.counts)) for one in on_all_cores(simulate, UNSTEADY * 6)}

    assert len(told) == len(UNSTEADY)


@pytest.mark.timeout(600)
def test_every_crash_point(figure: Callable[[str], None]) -> None:
    """Whatever a request's fate, a crash before or after any of its effects changes nothing of it; nor do two."""
    quiet = quiet_points()
    effects = [verdict.counts.effects for verdict in on_all_cores(at_point, quiet)]
    points = [point for one, count in zip(quiet, effects, strict=True) for point in crash_points(one, count)]
    bad, counts, number = together(on_all_cores(at_point, points))
    figure(f"simulation, every crash point: {sentence(number, counts)}")

    assert not bad, "\n".join(f"{verdict.seed}: {verdict.violations[:3]}" for verdict in bad[:10])
    assert number == len(points)
    assert counts.planned == sum(len(point.crash_at) for point in points)  # each of them came to pass


@pytest.mark.parametrize("name", MISTAKES)
def test_planted_mistakes_are_found(name: str) -> None:
    """Each known mistake, swapped in for the right piece, is found by what it breaks; without it no world is bad."""
    mistake = MISTAKES[name]
    for seed in range(SEEDS_UNTIL_FOUND):
        told = _in_harsh_world(seed, mistake).violations
        assert not _in_harsh_world(seed, mistake._replace(parts=Parts())).violations
        if any(sentence in violation for violation in told for sentence in mistake.shows_as):
            return
    pytest.fail(f"{name}: {SEEDS_UNTIL_FOUND} worlds went by, and nothing {' and nothing '.join(mistake.shows_as)}")


@pytest.mark.parametrize("name", [name for name, mistake in MISTAKES.items() if mistake.needs_faults])
def test_what_needs_a_fault_is_silent_without_one(name: str) -> None:
    """It is the fault that brings it out: such a mistake is a whole pipeline with one thing wrong, not a broken one."""
    quiet = MISTAKES[name]._replace(plan={**MISTAKES[name].plan, "faults": Faults()})
    told = [_in_harsh_world(seed, quiet).violations for seed in range(QUIET_SEEDS)]

    assert not any(told), told


def _in_harsh_world(seed: int, mistake: Mistake) -> Verdict:
    return simulate(seed, harsh_plan(random.Random(seed), mistake.parts, **mistake.plan))
