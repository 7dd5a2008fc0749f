"""`make simulate SEED=n` plays one world again; `make soak FROM=a TO=b` plays a range, which can be continued."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer
from simulation.crowd import complaint, seeds, sentence, together
from simulation.world import Verdict, simulate

app = typer.Typer(add_completion=False, help=__doc__)
EVERY = 500  # worlds between two lines of progress


@app.command("simulate")
def play(seed: int) -> None:
    """Play one world and say what it did and what was wrong."""
    verdict = simulate(seed)
    typer.echo(sentence(1, verdict.counts))
    for violation in verdict.violations:
        typer.echo(f"violation: {violation}")
    raise typer.Exit(1 if verdict.violations else 0)


@app.command()
def soak(
    first: Annotated[int, typer.Option("--from", help="first seed")],
    last: Annotated[int, typer.Option("--to", help="behind the last seed")],
) -> None:
    """Play all worlds of a range on all cores."""
    bad, counts, number = together(_with_progress(first, last))
    typer.echo(sentence(number, counts))
    if bad:
        typer.echo(complaint(bad))
        raise typer.Exit(1)
    typer.echo(f"no violation in the seeds {first} to {last - 1}")


def _with_progress(first: int, last: int) -> list[Verdict]:
    began, found = time.monotonic(), []
    for number, verdict in enumerate(seeds(first, last), start=1):
        found.append(verdict)
        if verdict.violations:
            typer.echo(complaint([verdict]), err=True)
        if number % EVERY == 0 or number == last - first:
            rate = number / (time.monotonic() - began)
            typer.echo(f"{number} of {last - first} worlds, {rate:.0f}/s", err=True)
    return found


if __name__ == "__main__":
    sys.exit(app())
