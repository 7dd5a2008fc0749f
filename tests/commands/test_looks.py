"""What people see of events: every state says something, nothing commands their terminal, nothing is shown twice."""

from __future__ import annotations

import io
import json

import pytest
from builders import ORG, REQUEST_ID, T0, a_pending, a_refused, an_origin
from rich.console import Console

from pipeline.client.board import Board
from pipeline.client.call_view import call_view
from pipeline.client.kafka import Record
from pipeline.client.looks import duration, event_line, meaning
from pipeline.client.told import Told, read_told, standing
from pipeline.domain.desk import Waiting
from pipeline.domain.events import Event, Teller
from pipeline.domain.states import PROGRESS, State

TELLER = Teller("approval")
CALL = "POST https://eu.api.example.com /internal/goodwill/"


def told(state: State, *, offset: int = 17, is_state: bool = True, comment: str = "fine", **extra) -> Told:
    """An event of this state as an observer reads it: written by the pipeline's own teller."""
    pending = a_pending()
    cause = an_origin(offset)
    if is_state and state not in PROGRESS - {State.INTOUCH_API_TASK}:
        events = TELLER.state(
            pending.request, pending.texts, state, T0, extra=extra, cause=cause, checker_id=233253, comment=comment
        )
    else:
        events = TELLER.progress(pending.request, pending.texts, state, T0, cause=cause, comment=comment)
    return read(events[0])


def read(event: Event) -> Told:
    """The event after its way through a record."""
    found = read_told(Record(0, 0, T0, event.key, event.value(), event.headers()))
    assert found is not None
    return found


def console(*, is_terminal: bool) -> Console:
    """A console that writes into a text."""
    colours = "standard" if is_terminal else None
    wherever = {"TERM": "xterm"}  # a dumb terminal, as in CI, would be given 80 columns whatever is asked for
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=160, color_system=colours, _environ=wherever)


def shown(screen: Console) -> str:
    """What was written."""
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


@pytest.mark.parametrize("state", State)
def test_every_state_says_something(state):
    """Each event becomes one line with its type, its state and a few words."""
    event = told(state, is_state=state not in PROGRESS)

    line = event_line(event).plain
    assert REQUEST_ID in line
    assert state in line
    assert meaning(event)
    assert "\n" not in line


def test_announced_call_is_shown():
    """AdminTask says which call would be made, origin and path in one piece."""
    assert "POST https://eu.api.example.com/internal/goodwill/" in meaning(told(State.ADMIN_TASK, call=CALL))


def test_doubt_is_not_progress():
    """A call whose effect is unknown is told apart from one that is handed over."""
    event = told(State.INTOUCH_API_TASK, reason="in-doubt")

    assert event.is_in_doubt
    assert "in doubt" in event_line(event).plain
    assert not told(State.INTOUCH_API_TASK, is_state=False).is_in_doubt


def test_refusal_lists_its_faults():
    """A request that was refused before the desk says which field is wrong, and how."""
    refused = a_refused()
    event = TELLER.state(
        refused.request, refused.texts, State.FAILED, T0, extra={"reason": "bad-path"}, faults=refused.faults
    )[0]

    assert meaning(read(event)) == "path: must be another (bad-path)"


def test_comment_cannot_command_a_terminal():
    """Escape sequences in what others wrote arrive as marks, not as commands."""
    event = told(State.REJECTED, comment="\x1b[2J\x07gone\r")

    line = event_line(event).plain
    assert "gone" in line
    assert not set("\x1b\x07\r") & set(line)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (3600, "1 h"), (90061, "1 d 1 h"), (-5, "0 s")]
)
def test_durations_are_short(seconds, words):
    """The two largest units that say something."""
    assert duration(seconds) == words


@pytest.mark.parametrize("value", [None, b"", b"{}", b"\xff", b'{"eventName":"requestWorkflowEvent"}'])
def test_what_is_no_event_is_none(value):
    """A record that holds no event is not shown as one."""
    assert read_told(Record(0, 0, T0, b"", value, ())) is None


@pytest.mark.parametrize("is_terminal", [True, False])
def test_event_is_shown_once(is_terminal):
    """An event that is told again after a crash is shown once."""
    screen = console(is_terminal=is_terminal)
    with Board(screen, waits_for="nothing yet") as board:
        seen = [board.show(told(State.ADMIN_TASK)), board.show(told(State.ADMIN_TASK))]

    assert seen == [True, False]
    assert shown(screen).count("waits for a checker") == 1


def test_file_gets_lines_and_no_colours():
    """Where nobody looks there is one plain line per event, with the whole requestId and the time in UTC."""
    screen = console(is_terminal=False)
    with Board(screen, waits_for="nothing yet") as board:
        board.show(told(State.APPROVED, http_status=201))

    lines = shown(screen).splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("2024-02-02T14:12:51.068Z  " + REQUEST_ID)
    assert "HTTP 201" in lines[0]
    assert "\x1b" not in lines[0]


def test_terminal_gets_a_table():
    """A person sees a table in which a request has one row, with its latest state."""
    screen = console(is_terminal=True)
    with Board(screen, waits_for="nothing yet") as board:
        board.show(told(State.ADMIN_TASK, offset=1))
        board.show(told(State.APPROVED, offset=2))

    table = shown(screen).rpartition("┏")[2]
    assert table.count(REQUEST_ID) == 1
    assert "approved" in table
    assert "AdminTask" not in table


REPEAT = "9" * 32


def of_repeat(event: Told) -> Told:
    """The same event as told of a repeat: another submission, with its own apiRequestId and eventId."""
    changed = {"api_request_id": REPEAT, "event_id": f"repeat-{event.event.event_id}"}
    return event._replace(event=event.event.model_copy(update=changed))


STORY = [
    told(State.VALIDATE_MAKER_ACCESS, offset=1, is_state=False),
    told(State.VALIDATE_PAYLOAD, offset=2, is_state=False),
    told(State.ADMIN_TASK, offset=3, call=CALL),
    told(State.INTOUCH_API_TASK, offset=4, is_state=False),
    told(State.APPROVED, offset=5),
]


@pytest.mark.parametrize("told_before", range(1, len(STORY) + 1))
def test_a_repeat_changes_nothing(told_before):
    """Wherever a request stands, the progress of an idempotent repeat does not move it."""
    history = [*STORY[:told_before], *map(of_repeat, STORY[:2])]

    assert standing(history) is STORY[told_before - 1]


def test_a_story_moves_on():
    """Without a repeat the last event is where a request stands; with nothing told it stands nowhere."""
    assert [standing(STORY[: count + 1]) for count in range(len(STORY))] == STORY
    assert standing([]) is None


def test_doubt_outlasts_a_repeat():
    """A request in doubt stays in doubt when its submission is repeated."""
    doubt = told(State.INTOUCH_API_TASK, offset=6, reason="in-doubt")

    assert standing([*STORY[:4], doubt, of_repeat(STORY[0])]) is doubt


def test_the_call_of_a_repeated_request_was_made():
    """`show` says what became of the call, also after a repeat."""
    view = call_view([*STORY, of_repeat(STORY[0])], None)

    assert "The call that was made, and succeeded" in [line.plain for line in view]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("refused", "The call that was tried, and failed"),
        ("retries-exhausted", "The call that was tried, and failed"),
        *(
            (reason, f"The call that was not made: {reason}")
            for reason in (
                "approval-expired",
                "bad-header",
                "bad-path",
                "digest-mismatch",
                "host-not-allowed",
                "intouch-unavailable",
            )
        ),
    ],
)
def test_nobody_searches_intouch_for_a_call_that_was_not_begun(reason, words):
    """`show` tells it from one that was tried."""
    view = call_view([*STORY[:4], told(State.FAILED, offset=5, reason=reason)], None)

    assert words in [line.plain for line in view]


def test_the_table_keeps_the_ending_through_a_repeat():
    """The row of a finished request shows its ending, also after a repeat; the repeat's events scroll by."""
    screen = console(is_terminal=True)
    with Board(screen, waits_for="nothing yet") as board:
        seen = [board.show(event) for event in [*STORY, *map(of_repeat, STORY[:2])]]

    table = shown(screen).rpartition("┏")[2]
    assert all(seen)
    assert "approved" in table
    assert "ValidatePayload" not in table


def test_nothing_is_waited_for_below_the_first_event():
    """With the first event the table stands where the words that waited for it stood."""
    screen = console(is_terminal=True)
    with Board(screen, waits_for="the worker takes a while") as board:
        board.show(told(State.ADMIN_TASK))
        seen = shown(screen)

    assert "the worker takes a while" not in seen.rpartition("waits for a checker")[2]


def test_narrow_terminal_keeps_its_table():
    """Where whole requestIds do not fit, the table shows their beginning; the columns stay whole."""
    screen = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    with Board(screen, waits_for="nothing yet") as board:
        board.show(told(State.ADMIN_TASK))

    table = shown(screen).rpartition("┏")[2]
    assert f"{REQUEST_ID[:8]}…" in table
    assert "AdminTask" in table


def test_call_hides_credentials():
    """While it lies on the desk the whole call is shown, but for its credentials, whose place is marked."""
    pending = a_pending()
    entry = Waiting(pending=pending, since_ms=T0, expires_ms=T0 + 1, placed=0)

    text = "\n".join(line.plain for line in call_view([told(State.ADMIN_TASK, call=CALL, digest="d" * 64)], entry))

    assert "will be made when a checker agrees" in text
    assert "content-type: application/json" in text
    assert json.dumps(pending.texts.read("body")) in text
    assert "hidden" in text
    assert "sealed-headers" not in text


def test_org_is_read():
    """Numbers of an event are numbers."""
    assert told(State.ADMIN_TASK).event.org_id == ORG
