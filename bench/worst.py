"""What the worst records cost: every stage's time and memory for one record, by inputs made to hurt: `make worst`.

The records go through the real stages with the real keys, from the public record to the ending, as far as they get.
Time is the processor's, of reading, folding and writing all that follows, the best of a few runs; memory is the peak of
what Python asked for meanwhile. Nothing is asserted here: the limits have tests of their own.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple

import typer
from rich.table import Table

from bench.entries import Scene, Stand
from bench.hostile import Hostile, hostile_records
from bench.remember import figures, own_settings, progress
from pipeline.client.speaking import decision
from pipeline.domain.messages import Message, Pending
from pipeline.domain.outcomes import Ending, Outcome
from pipeline.stages import Arrival, Step

MB, MS = 1e6, 1e3
ROWS = 25


class Cost(NamedTuple):
    """Of one record in one stage: what the record was, and what became of it in the stage's own word."""

    name: str
    stage: str
    ms: float
    mb: float
    outcome: str


class Cast:
    """Follows one public record through the stages, and approves it where it waits."""

    def __init__(self, scene: Scene, runs: int) -> None:
        self._scene, self._runs = scene, runs

    def costs(self, hostile: Hostile) -> Iterator[Cost]:
        """Of every stage that it reaches."""
        first = self._scene.arrival(hostile.topic, None, hostile.value, hostile.headers)
        queue: deque[tuple[str, Arrival]] = deque([(hostile.name, first)])
        while queue:
            name, arrival = queue.popleft()
            stand = self._scene.stand(arrival)
            yield self._measured(name, stand, stand.fold)
            step = stand.fold()
            queue += [(name, self._scene.internal(one)) for one in step.handovers if isinstance(one, Message)]
            stand.keep(step.memory)
            if step.call is not None:
                done = Outcome(ending=Ending.DONE, at_ms=arrival.time_ms + 900, http_status=200)
                yield self._measured(name, stand, lambda stand=stand, done=done: stand.answer(done))  # type: ignore[misc]
            elif isinstance(stand.message, Pending):
                said = decision(stand.message.about, "approved", self._scene.checker, message="yes")
                queue.append((name, self._scene.arrival(said.topic, None, said.value, said.headers)))

    def _measured(self, name: str, stand: Stand, fold: Callable[[], Step]) -> Cost:
        best = min(self._timed(stand, fold) for _ in range(self._runs))
        gc.collect()
        tracemalloc.start()
        began = tracemalloc.get_traced_memory()[0]
        step = fold()
        written = stand.written(step)
        peak = tracemalloc.get_traced_memory()[1] - began
        tracemalloc.stop()
        del written
        note = step.note
        return Cost(name, stand.stage.name, best * MS, peak / MB, f"{note.outcome} {note.reason or ''}")

    @staticmethod
    def _timed(stand: Stand, fold: Callable[[], Step]) -> float:
        began = time.process_time()
        stand.written(fold())
        return time.process_time() - began


def show(costs: list[Cost], rows: int) -> None:
    """The worst by time, and the worst by memory."""
    by: dict[str, Callable[[Cost], Any]] = {"time": lambda cost: cost.ms, "memory": lambda cost: cost.mb}
    for what, key in by.items():
        table = Table("record", "stage", "ms", "MB", "what became of it", title=f"The worst by {what}")
        for cost in sorted(costs, key=key, reverse=True)[:rows]:
            table.add_row(cost.name, cost.stage, f"{cost.ms:.1f}", f"{cost.mb:.1f}", cost.outcome)
        figures.print(table)


def main(
    only: Annotated[str, typer.Argument(help="Only records with this in their name.")] = "",
    *,
    runs: Annotated[int, typer.Option(min=1, help="Take the best of so many.")] = 3,
    rows: Annotated[int, typer.Option(min=1, help="Show so many of the worst.")] = ROWS,
) -> None:
    """Print the worst records by time and by memory."""
    scene = Scene(own_settings())
    cast = Cast(scene, runs)
    costs: list[Cost] = []
    for hostile in hostile_records(scene.maker):
        if only in hostile.name:
            progress.print(hostile.name)
            costs += cast.costs(hostile)
    show(costs, rows)


if __name__ == "__main__":
    typer.run(main)
