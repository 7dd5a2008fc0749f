"""Many worlds on all cores, and what they did together. Worlds share nothing, so each core takes the next one."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from typing import Any

from simulation.faults import Counts
from simulation.world import Verdict, simulate

CHUNK = 10


def on_all_cores(live: Callable[[Any], Verdict], worlds: Iterable[Any]) -> Iterator[Verdict]:
    """The verdicts, in the order of the worlds; `live` must be a function that another process can import."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=context) as pool:
        yield from pool.map(live, worlds, chunksize=CHUNK)


def seeds(first: int, last: int) -> Iterator[Verdict]:
    """Random worlds, `last` not included."""
    return on_all_cores(simulate, range(first, last))


def together(verdicts: Iterable[Verdict]) -> tuple[list[Verdict], Counts, int]:
    """(those with violations, what all of them did, how many they were)."""
    bad, counts, number = [], Counts(), 0
    for verdict in verdicts:
        number += 1
        bad += [verdict] if verdict.violations else []
        for field in fields(Counts):
            setattr(counts, field.name, getattr(counts, field.name) + getattr(verdict.counts, field.name))
    return bad, counts, number


def sentence(number: int, counts: Counts) -> str:
    """For people: how much was tried."""
    return (
        f"{number} worlds, {counts.effects} effects, {counts.crashes} crashes ({counts.planned} of them planned, "
        f"{counts.late} while something was forgotten), "
        f"{counts.rebalances} rebalances, "
        f"{counts.cut_offs} processes cut off, {counts.frozen} frozen, {counts.held_back} writes held back, "
        f"{counts.rewritten} written over, {counts.failed} failed, {counts.doubled} doubled, "
        f"{counts.compacted} records compacted, {counts.rewound} groups rewound, "
        f"{counts.changed} starts with other settings"
    )


def complaint(bad: list[Verdict]) -> str:
    """What went wrong, and how to see it again."""
    return "\n".join(f"make simulate SEED={one.seed}: {'; '.join(one.violations[:3])}" for one in bad[:10])
