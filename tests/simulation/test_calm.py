"""Where no process ends while it works, whatever is told has its cause in what Intouch said; and the judge can fail."""

from __future__ import annotations

import pytest
from simulation.calm import MISREAD, calm_world
from simulation.crowd import complaint, on_all_cores, together

SEEDS = 150
SEEDS_UNTIL_FOUND = 60


def test_calm_worlds() -> None:
    """No doubt without an unclear answer, no failure without a call or an Intouch that was away."""
    bad, counts, number = together(on_all_cores(calm_world, range(SEEDS)))

    assert not bad, complaint(bad)
    assert number == SEEDS
    assert counts.crashes == 0


@pytest.mark.parametrize("name", MISREAD)
def test_what_a_crash_would_explain_is_found(name: str) -> None:
    """Each answer taken for another one is found by the auditor."""
    found = next((seed for seed in range(SEEDS_UNTIL_FOUND) if calm_world(seed, MISREAD[name]).violations), None)

    assert found is not None, f"{name}: {SEEDS_UNTIL_FOUND} worlds went by without a violation"
