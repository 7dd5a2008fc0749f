"""Log lines: one JSON object each, also the libraries' own, and never a secret."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from pipeline.log_repeats import QUIET_S, REMEMBERED, Repeats
from pipeline.logs import REDACTED, redact, redact_named

JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjMifQ.c2lnbmF0dXJl"


def lines_of(program: str, log_format: str = "json", level: str = "info") -> list[str]:
    """What a fresh interpreter writes to stderr when it runs this program with logs configured."""
    start = f"from pipeline.logs import configure_logs\nconfigure_logs({log_format!r}, {level!r})\n"
    start += "import logging, structlog\nlog = structlog.get_logger()\n"
    done = subprocess.run(
        [sys.executable, "-c", start + program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_line_is_one_json_object() -> None:
    """The event, its level, its time and its facts stand in one line."""
    (line,) = lines_of("log.info('folded', stage='intake', ms=1.5, request_id=None)")

    told = json.loads(line)
    assert list(told)[:3] == ["timestamp", "level", "event"]
    assert told.pop("timestamp").endswith("Z")
    assert told == {"event": "folded", "level": "info", "stage": "intake", "ms": 1.5, "request_id": None}


def test_libraries_come_out_the_same_way() -> None:
    """A line of the standard library's logging is JSON, too, with its logger's name."""
    (line,) = lines_of("logging.getLogger('aiokafka.conn').error('lost %s', 'broker')")

    told = json.loads(line)
    assert (told["event"], told["level"], told["logger"]) == ("lost broker", "error", "aiokafka.conn")


@pytest.mark.parametrize(("level", "count"), [("info", 1), ("debug", 3), ("warning", 0)])
def test_the_level_decides(level: str, count: int) -> None:
    """Lines below the level are not written, and the libraries' small talk only with debug."""
    program = "log.debug('a')\nlog.info('b')\nlogging.getLogger('faust').info('c')"

    assert len(lines_of(program, level=level)) == count


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_line(text: str = "Unable connect to node %s", *, name: str = "aiokafka") -> logging.LogRecord:
    """A line of a library."""
    return logging.LogRecord(name, logging.ERROR, "client.py", 1, text, ("1",) if "%s" in text else (), None)


def test_a_flood_is_one_line_with_its_count() -> None:
    """The same line comes out once in a while, and says how often it was held back; others are not held back by it."""
    clock = Clock()
    repeats = Repeats(clock)
    told = [repeats.filter(a_line()) for _ in range(300)]
    others = [repeats.filter(a_line("Unable to update metadata")), repeats.filter(a_line(name="aiokafka.conn"))]
    clock.now = QUIET_S
    again = a_line()

    assert told == [True] + [False] * 299
    assert others == [True, True]
    assert repeats.filter(again)
    assert again.__dict__["repeated"] == 299


def test_what_is_rare_has_no_count() -> None:
    """A line that was not held back comes out as it is."""
    clock = Clock()
    repeats = Repeats(clock)
    repeats.filter(a_line())
    clock.now = QUIET_S
    again = a_line()

    assert repeats.filter(again)
    assert "repeated" not in again.__dict__


def test_a_new_brokers_first_words_are_no_error() -> None:
    """That a young broker has no coordinator yet is told only when it does not stop."""
    clock = Clock()
    repeats = Repeats(clock)
    text = "Group Coordinator Request failed: [Error 15] GroupCoordinatorNotAvailableError"
    at_first = [repeats.filter(a_line(text)) for _ in range(4)]
    clock.now = QUIET_S
    later = a_line(text)

    assert at_first == [False] * 4
    assert repeats.filter(later)
    assert later.__dict__["repeated"] == 4


def test_different_lines_do_not_fill_the_memory() -> None:
    """Of lines that are all different only the latest are remembered."""
    repeats = Repeats(Clock())
    for number in range(2 * REMEMBERED):
        assert repeats.filter(a_line(f"line {number}"))

    assert not repeats.filter(a_line(f"line {2 * REMEMBERED - 1}"))
    assert repeats.filter(a_line("line 0"))


@pytest.mark.parametrize(("level", "count"), [("info", 4), ("debug", 6)])
def test_a_flood_is_held_back_but_not_from_debuggers(level: str, count: int) -> None:
    """Libraries are held back, our own lines never, and with debug nothing is."""
    program = "for _ in range(2):\n  for name in ('aiokafka', 'faust'): logging.getLogger(name).error('x')\n"
    program += "  structlog.get_logger().error('ours')"

    assert len(lines_of(program, level=level)) == count


def test_a_base_class_that_talks_under_our_name_is_quiet() -> None:
    """Lines that Faust's base classes write with our modules' names are small talk, too; their warnings are not."""
    program = "logger = logging.getLogger('pipeline.delivery.link')\nlogger.info('stopping')\nlogger.warning('late')"

    (line,) = lines_of(program)

    assert json.loads(line)["event"] == "late"


def test_console_is_for_people() -> None:
    """The console format is a plain line without colours where nobody looks at a terminal."""
    (line,) = lines_of("log.info('folded', stage='intake', token='x')", log_format="console")

    assert "folded" in line
    assert "stage=intake" in line
    assert "token=[redacted]" in line.replace("'", "")
    assert "\x1b" not in line


def test_a_traceback_shows_no_local_variables_and_no_secret() -> None:
    """An exception is one line; neither a local variable nor a secret in its message is in it."""
    program = f"""
def fail():
    canary = 'local' + 'canary'
    raise RuntimeError('sent Bearer {"a" * 20} and {JWT}')
try:
    fail()
except RuntimeError:
    log.exception('broken')
"""
    (line,) = lines_of(program)

    told = json.loads(line)
    assert "RuntimeError" in told["exception"]
    assert "localcanary" not in line
    assert "a" * 20 not in told["exception"].splitlines()[-1]
    assert JWT not in told["exception"].splitlines()[-1]


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "X-CAP-UI-AUTH-TOKEN",
        "client_secret",
        "sasl_plain_password",
        "Set-Cookie",
        "seal_keys",
        "api-key",
    ],
)
def test_a_secret_name_hides_its_value(name: str) -> None:
    """What stands under such a name is taken out as a whole, at any depth, text or not."""
    assert redact_named(name, "canary") == REDACTED
    assert redact({"headers": {name: ["canary"]}}) == {"headers": {name: REDACTED}}
    assert redact({"inner": [{name: b"canary"}]}) == {"inner": [{name: REDACTED}]}


@pytest.mark.parametrize(
    "text",
    [
        JWT,
        f"token is {JWT}.",
        "Basic dXNlcjpjYW5hcnk=",
        "sent bearer canary-canary",
        "password=canary",
        "{'secret': 'canary canary'}",
        "authorization: canary",
    ],
)
def test_a_secret_text_is_taken_out(text: str) -> None:
    """What looks like a token, like HTTP credentials or like a named secret does not stay."""
    left = redact(text)

    assert REDACTED in left
    assert not any(part in left for part in ("canary", "dXNlcjp", "eyJ"))


@pytest.mark.parametrize("value", [None, True, 3, 1.5, "rw-intake joined", {"stage": "intake", "ms": 2}, ["a", 1]])
def test_what_is_no_secret_stays(value: object) -> None:
    """Plain facts come out as they went in."""
    assert redact(value) == value


def test_depth_is_bounded() -> None:
    """Something nested without end does not hang the log."""
    endless: list[object] = []
    endless.append(endless)

    assert REDACTED in str(redact(endless))


def test_bytes_and_objects_become_text_first() -> None:
    """A secret inside of bytes or of an object's repr is found."""
    assert "canary" not in str(redact({"value": b'{"password": "canary"}', "problem": ValueError("secret=canary")}))
