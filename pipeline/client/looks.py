"""How events look to people: colours per state, one line per event, times. Words only; nothing is read or decided here.

The same words on a terminal and in a file; a terminal gets colours, shorter ids and words that wrap in their place.
"""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.client.told import Told
from pipeline.domain.states import State

PLAIN_WIDTH = 160  # of tables in a file or a pipe, where nobody knows how wide the reader's window is
ID_START = 8
TYPE_WIDTH = 22
STATE_WIDTH = 19

STYLES: dict[State, str] = {
    State.VALIDATE_MAKER_ACCESS: "bright_black",
    State.VALIDATE_PAYLOAD: "bright_black",
    State.ADMIN_TASK: "yellow",
    State.INTOUCH_API_TASK: "cyan",
    State.APPROVED: "bold green",
    State.REJECTED: "bold magenta",
    State.FAILED: "bold red",
}
MEANINGS: dict[State, str] = {
    State.VALIDATE_MAKER_ACCESS: "intake looks at the maker",
    State.VALIDATE_PAYLOAD: "validation looks at the call",
    State.ADMIN_TASK: "waits for a checker",
    State.INTOUCH_API_TASK: "handed over to be called",
    State.APPROVED: "approved and executed",
    State.REJECTED: "rejected",
    State.FAILED: "failed",
}


def make_console(*, stderr: bool = False) -> Console:
    """A console that does not squeeze tables when nobody looks."""
    console = Console(stderr=stderr, highlight=False, emoji=False, markup=False)
    if not console.is_terminal:
        console = Console(stderr=stderr, highlight=False, emoji=False, markup=False, width=PLAIN_WIDTH)
    return console


def harmless(text: str) -> str:
    """The text without control characters: a comment must not command the terminal of whoever reads it."""
    return "".join(one if one.isprintable() else "�" for one in text)


def clock(epoch_ms: int) -> str:
    """The time of day here, to the millisecond."""
    return datetime.fromtimestamp(epoch_ms / 1000).astimezone().strftime("%H:%M:%S.%f")[:-3]


def stamp(epoch_ms: int) -> str:
    """Date and time in UTC, to the millisecond, as files like it."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def moment(epoch_ms: int) -> str:
    """Date and time, UTC."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")


def duration(seconds: float) -> str:
    """In the two largest units that say something: `3 d 4 h`, `5 min 12 s`, `9 s`."""
    left = max(0, int(seconds))
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts[:2]) or "0 s"


def state_text(told: Told) -> Text:
    """The state in its colour; a call whose effect is unknown stands out."""
    if told.is_in_doubt:
        return Text("in doubt", "bold white on red")
    return Text(told.state, STYLES[told.state])


def call_text(call: str) -> str:
    """`METHOD origin path` of the header rw-call as people write it."""
    method, _, place = call.partition(" ")
    return f"{method} {place.replace(' ', '', 1)}"


def meaning(told: Told) -> str:
    """What the event says, in a few words of a sentence: who, why, which call."""
    if told.is_in_doubt:
        return "nobody knows whether Intouch did it: a person is needed"
    data, state = told.data, told.state
    if state is State.ADMIN_TASK:
        return f"{MEANINGS[state]}: {call_text(told.call)}" if told.call else MEANINGS[state]
    if state is State.INTOUCH_API_TASK and data.comment:
        checker = f"checker {data.checker_id}" if data.checker_id else "a checker"
        return f"{MEANINGS[state]}, {checker} says “{data.comment}”"
    if state is State.REJECTED:
        said = f"checker {data.checker_id} says “{data.comment}”" if data.checker_id else f"“{data.comment}”"
        return said if told.reason is None else f"nobody decided in time ({told.reason})"
    if state is State.FAILED:
        return _failure(told)
    answered = f" (HTTP {told.http_status})" if told.http_status else ""
    return MEANINGS[state] + answered


def _failure(told: Told) -> str:
    if told.data.errors:
        return "; ".join(f"{fault.field}: {fault.message} ({fault.code})" for fault in told.data.errors)
    answered = f", HTTP {told.http_status}" if told.http_status else ""
    return f"approved, but the call went wrong ({told.reason or 'no reason told'}{answered})"


def event_line(told: Told) -> Text:
    """One event as one line, for files: date and time in UTC, and the whole requestId."""
    line = Text(f"{stamp(told.data.update_time)}  {harmless(told.request_id)}  ", _style(told))
    line.append(f"{told.data.request_type:<{TYPE_WIDTH}}  ")
    state = state_text(told)
    line.append_text(state)
    line.append(" " * max(1, STATE_WIDTH + 2 - len(state)))
    line.append(harmless(meaning(told)))
    return line


def event_row(told: Told) -> Table:
    """One event as people look at it: time of day here, the beginning of the requestId, words that wrap in place."""
    row = Table.grid(padding=(0, 2, 0, 0))
    for width in (len("00:00:00.000"), ID_START, TYPE_WIDTH, STATE_WIDTH):
        row.add_column(width=width, no_wrap=True)
    row.add_column(overflow="fold")
    style = _style(told)
    row.add_row(
        Text(clock(told.data.update_time), "bright_black"),
        Text(harmless(told.request_id)[:ID_START], style),
        Text(told.data.request_type, style),
        state_text(told),
        Text(harmless(meaning(told)), style),
    )
    return row


def _style(told: Told) -> str:
    return "bright_black" if told.is_progress else ""
