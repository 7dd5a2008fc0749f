"""Nothing lost, nothing done twice, through every crash that can be drawn or enumerated; and the judge can fail.

A failing world prints the command that plays it again.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from simulation.crowd import complaint, on_all_cores, seeds, sentence, together
from simulation.mistakes import PLANTED
from simulation.plans import harsh_plan
from simulation.scripted import at_point, crash_points, quiet_points
from simulation.slips import SLIPS, Slip
from simulation.world import simulate

SEEDS = 2_000
SEEDS_UNTIL_FOUND = 400
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


@pytest.mark.parametrize("name", [*PLANTED, *SLIPS])
def test_planted_mistakes_are_found(name: str) -> None:
    """Each known mistake, swapped in for the right piece, is found by the auditor."""
    slip = SLIPS.get(name) or Slip(PLANTED[name], {})
    found = next((seed for seed in range(SEEDS_UNTIL_FOUND) if _finds(seed, slip)), None)

    assert found is not None, f"{name}: {SEEDS_UNTIL_FOUND} worlds went by without a violation"


def _finds(seed: int, slip: Slip) -> bool:
    return bool(simulate(seed, harsh_plan(random.Random(seed), slip.parts, **slip.plan)).violations)
