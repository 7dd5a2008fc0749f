"""What the demo shows of calls and endings: the call as Intouch saw it, and the table that closes the story."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.client.looks import ID_START, STYLES, clock
from pipeline.client.told import Told
from pipeline.local.demo_cast import Role
from pipeline.local.intouch import SeenCall

BODY_CHARACTERS = 100
_OWN_HEADERS = ("host", "content-length", "connection")  # the connection's; the others are the maker's


@dataclass(slots=True)
class Part:
    """A role on the stage, the apiRequestId of its submission, and what was last told of it."""

    role: Role
    api_request_id: str
    last: Told | None = None

    def take(self, told: Told) -> None:
        """The latest event; an ending stays."""
        if self.last is None or not self.last.is_ending:
            self.last = told

    @property
    def is_as_announced(self) -> bool:
        """It ended as its role says, and for that reason."""
        if self.last is None or not self.last.is_ending:
            return False
        return (self.last.state, self.last.reason) == (self.role.ends, self.role.reason)


def call_lines(call: SeenCall) -> Iterator[Text]:
    """A call in two lines: what was asked, and what was answered."""
    query = f"?{call.query}" if call.query else ""
    body = call.body if len(call.body) <= BODY_CHARACTERS else f"{call.body[:BODY_CHARACTERS]}…"
    effect = "done" if call.applied else "nothing was done"
    yield Text.assemble(("  ⇒ Intouch sees ", "bold cyan"), f"{call.method} {call.path}{query}")
    yield Text.assemble(("    ", ""), (f"{body}  → HTTP {call.status}, {effect}", "bright_black"))


def full_call(call: SeenCall) -> RenderableType:
    """One call as Intouch saw it, header by header; the stand-in masks credentials."""
    query = f"?{call.query}" if call.query else ""
    lines = [Text("\nThe call as Intouch saw it", "bold"), Text(f"  {call.method} {call.path}{query}")]
    lines += [Text(f"  {name}: {value}") for name, value in call.headers if name.lower() not in _OWN_HEADERS]
    lines += [Text(f"  {line}") for line in json.dumps(json.loads(call.body), indent=2).splitlines()]
    lines += [Text(f"  → HTTP {call.status} at {clock(call.at_ms)}\n", "bright_black")]
    return Group(*lines)


def summary(parts: Iterable[Part]) -> Table:
    """One row per request: what was wished, what the checker said, how it ended, and whether that was announced."""
    table = Table(title="What became of each request", title_justify="left", title_style="bold")
    for column in ("request", "type", "wish", "checker said", "announced", "ended", ""):
        table.add_column(column, no_wrap=column != "wish")
    for part in parts:
        role, last = part.role, part.last
        table.add_row(
            f"{last.request_id[:ID_START]}…" if last else "never told",
            role.request_type,
            role.title,
            role.word,
            role.ends,
            Text(last.state, STYLES[last.state]) if last else Text("-"),
            Text("as announced", "green") if part.is_as_announced else Text("NOT AS ANNOUNCED", "bold white on red"),
        )
    return table
