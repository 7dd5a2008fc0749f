"""Known mistakes, planted to show that the auditor finds them: each is a piece of the product with one thing wrong.

They are subclasses and wrappers, never patches: a world is built of `Parts`, and here are parts that are wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aiokafka.structs import TopicPartition
from simulation.seat import Parts

from pipeline.delivery.loading import Loaded
from pipeline.delivery.memory import Held, Shelf
from pipeline.delivery.progress import Progress
from pipeline.domain.desk import Deciding, Waiting, read_entry
from pipeline.domain.events import Event, Teller
from pipeline.domain.ids import Origin
from pipeline.domain.messages import INTENTS, RESULTS, Refused, Verdict
from pipeline.domain.states import State
from pipeline.postings import position_of
from pipeline.runner import Pump
from pipeline.stages import Arrival, Stage, Step, Write
from pipeline.underway import Batch

Change = Callable[[Arrival, Step], Step]


def _changed(change: Change, *names: str) -> Callable[[Mapping[str, Stage]], Mapping[str, Stage]]:
    """The stages with these changed: each step that they make goes through `change`."""

    def build(stages: Mapping[str, Stage]) -> Mapping[str, Stage]:
        return {name: _wrapped(stage, change) if name in names else stage for name, stage in stages.items()}

    return build


def _wrapped(stage: Stage, change: Change) -> Stage:
    def fold(arrival: Arrival, memory: Any, message: Any) -> Step:
        return change(arrival, stage.fold(arrival, memory, message))

    def on_outcome(arrival: Arrival, memory: Any, message: Any, outcome: Any) -> Step:
        assert stage.on_outcome is not None
        return change(arrival, stage.on_outcome(arrival, memory, message, outcome))

    return replace(stage, fold=fold, on_outcome=on_outcome if stage.on_outcome else None)


def _publish_before_remember(_: Arrival, step: Step) -> Step:
    """What is to be remembered is written when everything was told."""
    return step if step.call else replace(step, memory=(), afterwards=step.memory + step.afterwards)


def _reduce_at_once(_: Arrival, step: Step) -> Step:
    """The reduction is written together with the memory, before anything is told."""
    kept = {write.table: write for write in (*step.memory, *step.afterwards)}
    return step if step.call else replace(step, memory=tuple(kept.values()), afterwards=())


def _forget_before_publish(_: Arrival, step: Step) -> Step:
    """An ending is forgotten before the world knows it."""
    if step.call or not step.afterwards:
        return step
    return replace(step, memory=tuple(Write(write.table, None) for write in step.afterwards), afterwards=())


def _ids_from_the_hop(arrival: Arrival, step: Step) -> Step:
    """Events take their ids from the internal record, which a crash upstream writes again elsewhere."""
    place = Origin(arrival.topic, arrival.partition, arrival.offset, arrival.time_ms)
    told = tuple(one._replace(cause=place) if isinstance(one, Event) else one for one in step.events)
    return replace(step, events=told)


def _intake_tells_failed(arrival: Arrival, step: Step) -> Step:
    """What intake or validation refuses is told by them, past the ledger."""
    told: tuple[Any, ...] = step.events
    for one in step.handovers:
        if isinstance(one, Refused):
            told += Teller("intake").state(
                one.request,
                one.texts,
                State.FAILED,
                arrival.time_ms,
                extra={"reason": one.faults[0].code},
                previous=one.task,
                comment="told at once",
                faults=one.faults,
            )
    return replace(step, events=told, handovers=tuple(one for one in step.handovers if not isinstance(one, Refused)))


def _calls_elsewhere(_: Arrival, step: Step) -> Step:
    """Not the method that was approved."""
    return replace(step, call=step.call._replace(method="DELETE")) if step.call else step


def _drops_the_query(_: Arrival, step: Step) -> Step:
    """Not the query that was approved."""
    return replace(step, call=step.call._replace(query="{}")) if step.call else step


def _says_something_else(_: Arrival, step: Step) -> Step:
    """Not what the checker said."""
    told = tuple(one._replace(comment="well") if isinstance(one, Event) and one.comment else one for one in step.events)
    return replace(step, events=told)


def _forgets_what_came_before(_: Arrival, step: Step) -> Step:
    """An event without previousRequestState."""
    told = tuple(one._replace(previous=None) if isinstance(one, Event) else one for one in step.events)
    return replace(step, events=told)


class AcknowledgesFirst(Pump):
    """Acknowledges a batch before what follows from it is durable."""

    async def _carry_out(self, batch: Batch, before: Batch, answers: Any) -> None:
        self.around.source.finish([work.record for work in batch.work])
        await super()._carry_out(batch, before, answers)


class TellsWithTheHandover(Pump):
    """Posts events and handovers together: the next stage may tell before this one's events are there."""

    async def _carry_out(self, batch: Batch, before: Batch, answers: Any) -> None:
        await self._durable(answers)
        await before.told.wait()
        handed = await self._post([put for work in batch.work for put in work.handed])
        told = await self._post([put for work in batch.work for put in work.told])
        batch.told.set()
        batch.handed.set()
        await self._durable([*told, *handed])
        await before.shrunk.wait()
        answers = await self._shrink(batch.work)
        batch.shrunk.set()
        await self._durable(answers)
        self._finish(batch)


class CommitsPastGaps(Progress):
    """Commits behind the highest finished record, whatever is unfinished before it."""

    def committable(self) -> dict[TopicPartition, int]:
        return {tp: max(lane.finished) + 1 for tp, lane in self.lanes.items() if lane.finished}


class LastWins(Loaded):
    """Loads the last record of a key, not the one with the highest position."""

    def take(self, tp: TopicPartition, records: Sequence[Any]) -> None:
        held = self.held.setdefault(tp, {})
        held.update({record.key: Held(position_of(record.headers), record.value).packed() for record in records})


class NoPositions(Shelf):
    """Holds whatever was noted last."""

    def note(self, key: bytes, at: int, value: bytes | None) -> bool:
        held = self.held(key)
        return super().note(key, max(at, held.position if held else at), value)


def _one_table(stages: Mapping[str, Stage]) -> Mapping[str, Stage]:
    """Execution keeps intents and results in one table, so that one can hide the other."""
    whole = stages["execution"]

    def apart(memory: Any) -> Any:
        is_intent = (
            memory[0] is not None and b'"kind":"trying"' not in memory[0] and b'"kind":"result"' not in memory[0]
        )
        return (memory[0], None) if is_intent else (None, memory[0])

    def together(step: Step) -> Step:
        def one(writes: tuple[Write, ...]) -> tuple[Write, ...]:
            kept = [write for write in writes if write.value is not None or len(writes) == 1]
            return tuple(Write(RESULTS, write.value) for write in kept)

        return replace(step, memory=one(step.memory), afterwards=one(step.afterwards))

    def fold(arrival: Arrival, memory: Any, message: Any) -> Step:
        return together(whole.fold(arrival, apart(memory), message))

    def on_outcome(arrival: Arrival, memory: Any, message: Any, outcome: Any) -> Step:
        assert whole.on_outcome is not None
        return together(whole.on_outcome(arrival, apart(memory), message, outcome))

    assert whole.tables == (INTENTS, RESULTS)
    return {**stages, "execution": replace(whole, tables=(RESULTS,), fold=fold, on_outcome=on_outcome)}


def _early_words_count(stages: Mapping[str, Stage]) -> Mapping[str, Stage]:
    """A verdict from before AdminTask is known only by its place in the inbox; a crash of intake gives it another."""
    whole = stages["approval"]

    def fold(arrival: Arrival, memory: Any, message: Any) -> Step:
        desk = read_entry(memory[0])
        if isinstance(message, Verdict) and isinstance(desk, Waiting | Deciding):
            seen = message.origin._replace(time_ms=max(message.origin.time_ms, desk.since_ms + 1))
            message = message.model_copy(update={"origin": seen})
        return whole.fold(arrival, memory, message)

    return {**stages, "approval": replace(whole, fold=fold)}


LATE_WRITES_WIN = {"loaded": LastWins, "shelf": NoPositions, "looks_for_late_writes": False}
PLANTED: dict[str, Parts] = {
    "publish before remember": Parts(stages=_changed(_publish_before_remember, "approval", "execution")),
    "acknowledge before publish": Parts(pump=AcknowledgesFirst),
    "forget before publish": Parts(stages=_changed(_forget_before_publish, "approval", "execution")),
    "no lease": Parts(has_lease=False),
    "result hidden by a late intent": Parts(stages=_one_table, **LATE_WRITES_WIN),
    "commit past an unfinished record": Parts(progress=CommitsPastGaps),
    "ids from the hop instead of the origin": Parts(
        stages=_changed(_ids_from_the_hop, "intake", "validation", "approval")
    ),
    "intake telling failed itself": Parts(stages=_changed(_intake_tells_failed, "intake", "validation")),
    "events posted together with the handover": Parts(pump=TellsWithTheHandover),
    "the desk reduced before its Approved is out": Parts(stages=_changed(_reduce_at_once, "approval")),
    "a decision from before AdminTask that wins": Parts(stages=_early_words_count),
    "a late write that wins": Parts(**LATE_WRITES_WIN),
    "a call by another method": Parts(stages=_changed(_calls_elsewhere, "execution")),
    "a call without its query": Parts(stages=_changed(_drops_the_query, "execution")),
    "an event with another comment": Parts(stages=_changed(_says_something_else, "approval", "execution")),
    "an event that does not say what came before": Parts(stages=_changed(_forgets_what_came_before, "approval")),
}
