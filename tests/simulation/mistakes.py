"""Known mistakes, planted to show that the auditor finds them: each is a piece of the product with one thing wrong.

They are subclasses and wrappers, never patches: a world is built of `Parts`, and here are parts that are wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from aiokafka.structs import TopicPartition
from simulation.faults import LATE_S, Faults
from simulation.seat import Parts

from pipeline.delivery.loading import Loaded
from pipeline.delivery.memory import Held, Shelf
from pipeline.delivery.progress import Progress
from pipeline.domain.desk import Deciding, Waiting, read_entry
from pipeline.domain.events import Event, Teller
from pipeline.domain.ids import Origin
from pipeline.domain.messages import DESK, INTENTS, RESULTS, Refused, Verdict
from pipeline.domain.states import State
from pipeline.postings import position_of
from pipeline.runner import Pump
from pipeline.stages import Arrival, Stage, Step, Write
from pipeline.underway import Batch

Change = Callable[[Arrival, Step], Step]


class Mistake(NamedTuple):
    """One thing that is wrong, what the auditor says of it, and what its world has that others have not."""

    parts: Parts
    shows_as: tuple[str, ...]  # parts of sentences: one of them must be said
    plan: Mapping[str, Any] = MappingProxyType({})
    needs_faults: bool = False  # where nothing goes wrong, it does no harm


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
    """An ending is forgotten before the world knows it; what is left of it is remembered afterwards, as ever."""
    gone = tuple(Write(write.table, None, may_be_overtaken=True) for write in step.afterwards)
    return replace(step, memory=gone) if gone and not step.call else step


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
        batch.work = [work._replace(told=[*work.told, *work.handed], handed=[]) for work in batch.work]
        await super()._carry_out(batch, before, answers)


class CommitsPastGaps(Progress):
    """Commits behind the highest finished record, whatever is unfinished before it."""

    def committable(self) -> dict[TopicPartition, int]:
        return {tp: max(lane.finished) + 1 for tp, lane in self.lanes.items() if lane.finished}


class LastWins(Loaded):
    """Loads the last record of a key, not the one with the highest position."""

    def take(self, tp: TopicPartition, records: Sequence[Any]) -> None:
        held = self.held.setdefault(tp, {})
        held.update({record.key: Held(_at(record), record.value).packed() for record in records})


class NoPositions(Shelf):
    """Holds whatever was noted last."""

    def note(self, key: bytes, at: int, value: bytes | None) -> bool:
        held = self.held(key)
        return super().note(key, max(at, held.position if held else at), value)


class LateIntentHides(Loaded):
    """Where an intent reaches the log after a later result, the intent is what counts, as if both lay in one table."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: dict[tuple[int, bytes], Any] = {}

    def take(self, tp: TopicPartition, records: Sequence[Any]) -> None:
        super().take(tp, records)
        if tp.topic == INTENTS:  # these are loaded first
            self._begun |= {(tp.partition, record.key): record for record in records}
        for key, record in {one.key: one for one in records if tp.topic == RESULTS}.items():
            begun = self._begun.get((tp.partition, key))
            if begun and begun.value and begun.time_ms > record.time_ms and _at(begun) < _at(record):
                self.held[tp].pop(key, None)
                self.held[tp._replace(topic=INTENTS)][key] = Held(_at(begun), begun.value).packed()


def _at(record: Any) -> int:
    return position_of(record.headers)


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


def _told_wrong(change: Change, *names: str) -> Parts:
    return Parts(stages=_changed(change, *names))


LATE_WRITES_WIN = {"loaded": LastWins, "shelf": NoPositions, "looks_for_late_writes": False}
PLANTED = {
    "publish before remember": Mistake(
        _told_wrong(_publish_before_remember, "approval", "execution"), ("had its effect 2 times", "has 2 endings")
    ),
    "acknowledge before publish": Mistake(
        Parts(pump=AcknowledgesFirst),
        ("went its way and was not told", "was decided and never ended"),
        needs_faults=True,
    ),
    "forget before publish": Mistake(
        _told_wrong(_forget_before_publish, "approval", "execution"),
        ("had its effect 2 times", "was decided and never ended", "did not win"),
    ),
    "no lease": Mistake(Parts(has_lease=False), ("had its effect 2 times", "has 2 endings"), needs_faults=True),
    "result hidden by a late intent": Mistake(
        Parts(loaded=LateIntentHides, looks_for_late_writes=False),
        ("was told after its ending", "are being called"),
        {"faults": Faults(crash=0.01, cut_off=0.03, hold_back=0.3, held_s=LATE_S, held_topic=INTENTS)},
        needs_faults=True,
    ),
    "commit past an unfinished record": Mistake(
        Parts(progress=CommitsPastGaps), ("was decided and never ended", "was not told"), needs_faults=True
    ),
    "ids from the hop instead of the origin": Mistake(
        _told_wrong(_ids_from_the_hop, "intake", "validation", "approval"), ("was told after",), needs_faults=True
    ),
    "intake telling failed itself": Mistake(
        _told_wrong(_intake_tells_failed, "intake", "validation"), ("failed was told after",)
    ),
    "events posted together with the handover": Mistake(
        Parts(pump=TellsWithTheHandover), ("overtook what comes after",), needs_faults=True
    ),
    "the desk reduced before its Approved is out": Mistake(
        _told_wrong(_reduce_at_once, "approval"), ("was decided and never ended",), needs_faults=True
    ),
    "a decision from before AdminTask that wins": Mistake(
        Parts(stages=_early_words_count), ("ended by a decision that nobody made",)
    ),
    "a late write that wins": Mistake(
        Parts(**LATE_WRITES_WIN),
        ("had its effect 2 times", "has 2 endings"),
        {"faults": Faults(crash=0.01, cut_off=0.03, hold_back=0.3, held_s=LATE_S, held_topic=DESK)},
        needs_faults=True,
    ),
    "a call by another method": Mistake(_told_wrong(_calls_elsewhere, "execution"), ("with another method",)),
    "a call without its query": Mistake(_told_wrong(_drops_the_query, "execution"), ("with another query",)),
    "an event with another comment": Mistake(
        _told_wrong(_says_something_else, "approval", "execution"), (": comment is 'well'",)
    ),
    "an event that does not say what came before": Mistake(
        _told_wrong(_forgets_what_came_before, "approval"), (": previousRequestState is None",)
    ),
}
