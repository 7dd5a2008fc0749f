"""A tiny pure stage to try the runner and the delivery layer with; a record's value is a word and a text.

`pass` tells and hands on. `count` also remembers its offset, and shrinks nothing. `call` asks for a call, tells its
outcome and shrinks what it remembers. `bad` cannot be read. `boom` is a bug. All of them obey the replay law.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipeline.stages import Arrival, Memory, Note, Stage, Step, Unusable, Write

INBOX, OUT, EVENTS, DEAD, TABLE = "trial.inbox", "trial.out", "trial.events", "trial.dead", "trial.memory"
TOPICS = (INBOX, OUT, EVENTS, DEAD)


@dataclass(frozen=True)
class Said:
    """Something published: an event, a handover or a dead letter."""

    topic: str
    key: bytes
    text: bytes

    def value(self) -> bytes:
        return self.text

    def headers(self) -> tuple[tuple[str, bytes], ...]:
        return (("rw-kind", b"trial"),)


@dataclass(frozen=True)
class TrialCall:
    key: bytes
    text: bytes
    good_until_ms: int | None = None
    attempt: int = 1

    @property
    def host(self) -> str:
        """What stands before a slash: `a/1` goes to `a`."""
        return self.text.decode().partition("/")[0]


def read(arrival: Arrival) -> tuple[str, bytes]:
    word, _, text = (arrival.value or b"bad").partition(b" ")
    if word == b"bad":
        buried = Said(DEAD, arrival.key or b"-", b"offset %d" % arrival.offset)
        raise Unusable(Step(Note("dead", reason="no-value"), events=(buried,)))
    return word.decode(), text


def fold(arrival: Arrival, memory: Memory, message: tuple[str, bytes]) -> Step:
    word, text = message
    if word == "boom":
        raise RuntimeError("a bug in a fold")
    if word == "call":
        return _ask(arrival, memory, text)
    kept = _counted(arrival, memory) if word == "count" else ()
    return Step(Note("passed"), memory=kept, events=_said(arrival, EVENTS), handovers=_said(arrival, OUT))


def on_outcome(arrival: Arrival, _: Memory, message: tuple[str, bytes], outcome: Any) -> Step:
    # The doubles answer with bytes; the pump's own word on a call that it does not make is an `Outcome`.
    result = b"%s -> %s" % (message[1], outcome if isinstance(outcome, bytes) else outcome.ending.encode())
    return _ended(arrival, (Write(TABLE, b"result " + result),), result)


def trial_stage(name: str = "trial", source: str = INBOX, *, remembers: bool = True) -> Stage:
    return Stage(name, (source,), (TABLE,) if remembers else (), read, fold, on_outcome)


def _said(arrival: Arrival, topic: str) -> tuple[Said, ...]:
    return (Said(topic, arrival.key or b"-", b"%d/%d" % (arrival.partition, arrival.offset)),)


def _counted(arrival: Arrival, memory: Memory) -> tuple[Write, ...]:
    """Every offset of the key, in the order in which they were folded."""
    seen = json.loads(memory[0] or b"[]")
    return () if arrival.offset in seen else (Write(TABLE, json.dumps([*seen, arrival.offset]).encode()),)


def _ask(arrival: Arrival, memory: Memory, text: bytes) -> Step:
    held = memory[0]
    if held == b"over":
        return Step(Note("repeated"))
    if held is not None and held.startswith(b"result "):
        return _ended(arrival, (), held.removeprefix(b"result "))
    if held is not None:
        return _ended(arrival, (Write(TABLE, b"result parked"),), b"parked")
    call: Any = TrialCall(arrival.key or b"-", text)
    return Step(Note("asked"), memory=(Write(TABLE, b"intent"),), call=call)


def _ended(arrival: Arrival, kept: tuple[Write, ...], result: bytes) -> Step:
    said = Said(EVENTS, arrival.key or b"-", result)
    return Step(
        Note("ended"),
        memory=kept,
        events=(said,),
        handovers=(Said(OUT, said.key, result),),
        afterwards=(Write(TABLE, b"over"),),
    )
