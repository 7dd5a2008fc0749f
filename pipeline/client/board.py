"""The observer's view: event lines that scroll by, and below them, on a terminal, a table of requests and their states.

Where the output is no terminal there are plain lines and no table. Used by `watch` and the demo. Nothing is read here.
"""

from __future__ import annotations

from collections import OrderedDict
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.client.looks import ID_START, clock, event_line, event_row, harmless, state_text
from pipeline.client.told import Told

ROWS = 12  # the latest requests; a table that grows out of the screen cannot be redrawn
WIDE = 120  # columns in which whole requestIds fit, to be copied into `decide`
REMEMBERED = 1_000
SEEN = 20_000
REDRAWS_PER_S = 8


class Board:
    """Shows events as they come. Use as a context manager: it gives the terminal back however it is left."""

    def __init__(self, console: Console, *, waits_for: str, keeps_table: bool = True) -> None:
        """`waits_for` stands where the table will be; `keeps_table`: its last state stays on the screen."""
        self._console = console
        self._waits_for = waits_for
        self._shown = 0
        self._first_seen: dict[str, int] = {}  # which event was a request's first here
        self._requests: OrderedDict[str, Told] = OrderedDict()  # the latest change last
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._live = Live(
            console=console,
            refresh_per_second=REDRAWS_PER_S,
            get_renderable=self._table,
            transient=not keeps_table,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _problem: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, words: RenderableType) -> None:
        """Something of our own between the events."""
        self._console.print(words)

    def quote(self, text: Text) -> None:
        """A line of which the beginning is enough: cut where the screen ends."""
        self._console.print(text, no_wrap=True, overflow="ellipsis")

    def show(self, told: Told) -> bool:
        """Show an event and note it for the table; False for one that was shown before: told again after a crash."""
        if told.event.event_id in self._seen:
            return False
        self._seen[told.event.event_id] = None
        self._shown += 1
        self._first_seen.setdefault(told.request_id, self._shown)
        if told.moves_on(self._requests.get(told.request_id)):
            self._requests[told.request_id] = told
            self._requests.move_to_end(told.request_id)
        if len(self._seen) > SEEN:
            self._seen.popitem(last=False)
        if len(self._requests) > REMEMBERED:
            del self._first_seen[self._requests.popitem(last=False)[0]]
        if self._console.is_terminal:
            if self._shown == 1:
                self._live.refresh()  # or the words that waited for it would be drawn once more, below it
            self._console.print(event_row(told))
        else:
            self._console.print(event_line(told), soft_wrap=True)
        return True

    def _table(self) -> RenderableType:
        """The requests that changed last, in the order in which they appeared, so that no row jumps about."""
        if not self._requests:
            return Text(self._waits_for, "bright_black")
        latest = list(self._requests.values())[-ROWS:]
        is_wide = self._console.width >= WIDE
        table = Table(border_style="bright_black")
        for column in ("request", "type", "maker", "checker", "state", "since"):
            table.add_column(column, no_wrap=True)
        for told in sorted(latest, key=lambda one: self._first_seen[one.request_id]):
            data = told.data
            table.add_row(
                harmless(told.request_id if is_wide else f"{told.request_id[:ID_START]}…"),
                data.request_type,
                str(data.requester_id),
                str(data.checker_id or ""),
                state_text(told),
                clock(data.update_time),
            )
        more = len(self._requests) - ROWS
        return Group(table, Text(f"and {more} that changed before these", "bright_black")) if more > 0 else table
