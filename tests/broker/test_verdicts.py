"""What judges a chaos run beside the auditor can find something: each rule is shown a run that breaks it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from broker.deaths import audit_deaths, audit_log, is_explained
from broker.judge import audit_rows
from broker.remains import FITS, Kept, audit_memory
from simulation.stories import Told

from pipeline.domain.marks import Kind
from pipeline.local.intouch import SeenCall

MARK = f"plain-{'a' * 32}"
KILLED = -signal.SIGKILL
UNSEEN = "Task exception was never retrieved\nfuture: <Task finished name='Task-398'"


def a_line(level: str = "critical", event: str = "fatal", **more: Any) -> str:
    return json.dumps({"level": level, "event": event} | more)


@pytest.mark.parametrize(
    "error",
    [
        "LeaseLost: rw-execution: the group went on without us",
        "LoadingStalled: no changelog record for 60 s",
        "KafkaConnectionError: Connection at 127.0.0.1:9092 closed",
        "UnknownMemberIdError: [Error 25]",
        "NotCoordinatorForGroupError",
        "ConnectionResetError: [Errno 104]",
    ],
)
def test_what_faults_explain(error: str) -> None:
    """A worker that was frozen, or whose broker was away, may end by these; its end is no violation."""
    assert is_explained(error)
    assert not list(audit_log("worker0.log", [a_line(error=error)], 70))


@pytest.mark.parametrize(
    "error",
    [
        "TypeError",
        "ForeignRecord: desk, partition 0",
        "MessageSizeTooLargeError",
        "TopicAuthorizationFailedError",
        "IllegalStateError: no partitions",
        "FileNotFoundError: [Errno 2]",
        "KafkaError",
        "",
    ],
)
def test_what_no_fault_explains(error: str) -> None:
    """A worker that ended by a bug, or that does not say by what, is a violation, with its line."""
    assert not is_explained(error)

    [found] = audit_log("worker0.log", [a_line(level="info", event="ready"), a_line(error=error)], 70)

    assert "worker0.log ended by what no fault explains" in found


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("Traceback (most recent call last):\n", None),
        (a_line("error", "Task exception was never retrieved"), None),
        (a_line("error", f"{UNSEEN} exception=TypeError()>"), None),
        (a_line("error", f"{UNSEEN} exception=IllegalStateError('Partition p is not assigned')>"), None),
        (a_line(event="not drained in time: ending as if killed, what is in work comes again"), 75),
        (a_line("info", "ready"), 70),
        ("RW_SEAL_KEYS is missing\n", 1),
    ],
)
def test_an_end_that_is_not_designed(line: str, code: int | None) -> None:
    """A traceback, an exception that nobody saw, a drain that did not end, an end without a reason."""
    assert list(audit_log("worker0.log", [line], code))


def test_an_exception_that_nobody_waits_for() -> None:
    """A broker that went away: a task of the client may end unseen."""
    assert not list(
        audit_log("worker0.log", [a_line("error", f"{UNSEEN} exception=KafkaConnectionError('closed')>")], 0)
    )


def test_a_broker_that_is_away_refuses_a_start() -> None:
    """Exit code 1 with this sentence is no violation."""
    assert not list(audit_log("worker0.log", ["No Kafka broker can be used, see RW_KAFKA_BOOTSTRAP_SERVERS\n"], 1))


@pytest.mark.parametrize(
    "codes", [[-signal.SIGSEGV, KILLED, 0], [KILLED, KILLED, 0], [KILLED, 0, 0], [2, KILLED], [KILLED, 0, -15]]
)
def test_an_exit_code_that_nobody_caused(codes: list[int], tmp_path: Path) -> None:
    """One killed and one told to leave: another signal, another kill, another leave and another code are found."""
    log = tmp_path / "worker0.log"
    log.write_text("")

    for left in (0, -signal.SIGTERM):  # before it could hear it, too
        assert not audit_deaths([(log, KILLED), (log, left)], kills=1, leaves=1)
    assert audit_deaths([(log, code) for code in codes], kills=1, leaves=1)


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        ("approved", Kept(Kind.DECIDING)),
        ("approved", Kept(Kind.HANDED, None, Kind.FINISHED)),
        ("approved", Kept(Kind.SETTLED, Kind.INTENT, Kind.RESULT)),
        ("approved", Kept(Kind.SETTLED, Kind.INTENT, Kind.FINISHED)),
        ("approved", Kept()),
        ("failed", Kept(Kind.DECLINED)),
        ("rejected", Kept(Kind.DECIDING)),
        ("IntouchAPITask", Kept(Kind.HANDED, Kind.INTENT)),
        ("AdminTask", Kept(Kind.WAITING)),
        ("AdminTask", Kept(Kind.HANDED, Kind.INTENT, Kind.TRYING)),
    ],
)
def test_what_is_remembered_and_does_not_fit(state: str, kept: Kept) -> None:
    """Half done, forgotten, or never ending: found, whatever was told; so is an entry of which nothing was told."""
    fine = {name: next(iter(fits)) for name, fits in FITS.items()}

    assert not audit_memory({name: name for name in fine}, fine)
    assert len(audit_memory({"r": state}, {"r": kept})) == 1
    assert len(audit_memory({}, {"r": kept})) == 1


@pytest.mark.parametrize(
    ("method", "path", "mark"),
    [
        ("PUT", "/internal/goodwill/", MARK),
        ("POST", "/internal/goodwill", MARK),
        ("POST", "/internal/goodwill/", f"plain-{'b' * 32}"),
        ("POST", "/internal/goodwill/", "no mark"),
    ],
)
def test_a_call_of_another_type(method: str, path: str, mark: str) -> None:
    """A call that is not its type's, or that nobody was told of, is found."""
    event = {"data": {"requestType": "GOODWILL_POINTS", "body": MARK}}
    told = [Told("state", None, json.dumps(event).encode())]

    assert not audit_rows([a_call("POST", "/internal/goodwill/", MARK)], told)
    assert len(audit_rows([a_call(method, path, mark)], told)) == 1


def a_call(method: str, path: str, mark: str) -> SeenCall:
    return SeenCall(method, path, "", [], json.dumps({"referenceId": mark}), 0)
