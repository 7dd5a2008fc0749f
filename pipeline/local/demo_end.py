"""What the demo shows of calls and endings: the call as Intouch saw it, and the table that closes the story."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.client.looks import ID_START, STYLES, clock
from pipeline.client.told import Told
from pipeline.local.demo_cast import Role
from pipeline.local.intouch import SeenCall

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


def call_line(call: SeenCall) -> Text:
    """What was called, and what was answered."""
    effect = "done" if call.applied else "nothing was done"
    return Text.assemble(
        ("  ⇒ Intouch sees ", "bold cyan"), _target(call), (f"  → HTTP {call.status}, {effect}", "cyan")
    )


def body_line(call: SeenCall) -> Text:
    """The body as it was sent, on one line."""
    return Text(f"    {call.body}", "bright_black")


def _target(call: SeenCall) -> str:
    return f"{call.method} {call.path}" + (f"?{call.query}" if call.query else "")


def full_call(call: SeenCall) -> RenderableType:
    """One call as Intouch saw it, header by header; the stand-in masks credentials."""
    lines = [Text("\nThe call as Intouch saw it", "bold"), Text(f"  {_target(call)}")]
    lines += [Text(f"  {name}: {value}") for name, value in call.headers if name.lower() not in _OWN_HEADERS]
    lines += [Text(f"  {line}") for line in json.dumps(json.loads(call.body), indent=2).splitlines()]
    lines += [Text(f"  → HTTP {call.status} at {clock(call.at_ms)}\n", "bright_black")]
    return Group(*lines)


def summary(parts: Iterable[Part]) -> Table:
    """One row per request: what was wished, what the checker said, how it ended, and whether that was announced."""
    table = Table(title="What became of each request", title_justify="left", title_style="bold")
    for column in ("request", "type", "wish", "checker said", "ended"):
        table.add_column(column, no_wrap=column != "wish")
    for part in parts:
        table.add_row(
            f"{part.last.request_id[:ID_START]}…" if part.last else "never told",
            part.role.request_type,
            part.role.title,
            part.role.word,
            _ending(part),
        )
    return table


def _ending(part: Part) -> Text:
    state = Text(part.last.state, STYLES[part.last.state]) if part.last else Text("never told", "bold red")
    if part.is_as_announced:
        return state.append(", as announced", "default")
    return state.append(f", NOT {part.role.ends}", "bold white on red")
