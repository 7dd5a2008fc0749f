"""Maker, checker and observer by hand, on a real broker: what they publish lies there, what is told they show."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from builders import HOST, MAKER, ORG, PASSWORD, REQUEST_ID, a_pending, a_submission, a_verdict
from wiring import an_approval, folded, signed, written

from pipeline.client.kafka import Record
from pipeline.domain.decisions import read_decision
from pipeline.domain.transport import Transport, read_transport
from pipeline.postings import position_header


def transport_of(record: Record, *, is_decision: bool = False) -> Transport:
    """The record's headers as intake reads them."""
    found = read_transport(record.headers, is_decision=is_decision)
    assert not isinstance(found, str)
    return found


def test_submission_lies_where_intake_reads(run, topics, tmp_path):
    """`submit` publishes the body with org, token and the printed apiRequestId, and foretells the requestId."""
    (tmp_path / "wish.json").write_text(json.dumps(a_submission()))

    ran = run("submit", "wish.json", "--org", str(ORG), "--user", str(MAKER), **topics.variables)

    [record] = topics.records("requests.submitted")
    said = dict(line.split() for line in ran.out.splitlines())
    transport = transport_of(record)
    assert ran.code == 0
    assert json.loads(record.value or b"") == a_submission()
    assert (transport.org_id, transport.api_request_id) == (ORG, said["apiRequestId"])
    assert transport.token.count(b".") == 2
    assert transport.token.decode() not in ran.out + ran.err
    assert said["requestId"].count("-") == 4
    assert "No worker reads it now" in ran.err


def test_decision_lies_where_intake_reads(run, topics):
    """`decide` publishes the documented decision with the checker's token and the digest."""
    ran = run(
        *("decide", REQUEST_ID.upper(), "rejected", "--message", "no reason given", "--digest", "0" * 64),
        *("--org", str(ORG), "--token", "a.fake.token"),
        **topics.variables,
    )

    [record] = topics.records("decisions.submitted")
    spoken, transport = read_decision(json.loads(record.value or b"")), transport_of(record, is_decision=True)
    assert ran.code == 0
    assert not isinstance(spoken, str)
    assert (spoken.request_id, spoken.decision, spoken.message) == (REQUEST_ID, "rejected", "no reason given")
    assert (transport.token, transport.digest) == (b"a.fake.token", "0" * 64)


def test_token_comes_from_a_file(run, topics, tmp_path):
    """--token-file keeps the token off the command line."""
    (tmp_path / "maker.jwt").write_text("a.token.of-a-file\n")
    (tmp_path / "wish.json").write_text(json.dumps(a_submission()))

    run("submit", "wish.json", "--org", "7", "--token-file", "maker.jwt", **topics.variables)

    [record] = topics.records("requests.submitted")
    assert transport_of(record).token == b"a.token.of-a-file"


def test_submission_comes_from_stdin(topics, tmp_path):
    """`submit -` publishes what is piped into it, with the type in front."""
    text = b'{"points": 20.10}'
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "submit",
        "-",
        "--type",
        "goodwill-points",
        "--user",
        "1",
        "--org",
        "7",
    ]

    done = subprocess.run(
        command, cwd=tmp_path, env=topics.variables, input=text, capture_output=True, timeout=60, check=False
    )

    [record] = topics.records("requests.submitted")
    assert done.returncode == 0, done.stderr
    assert record.value == b'{"requestType":"GOODWILL_POINTS","points": 20.10}'


@pytest.mark.parametrize("name", ["not-there.json", "."])
def test_unreadable_file_is_named(name, run, secret):
    """A file that cannot be read ends with 1 and its name; no broker is asked."""
    ran = run(
        "submit",
        name,
        "--user",
        "1",
        "--org",
        "7",
        RW_JWT_HS256_SECRET=secret,
        RW_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1",
    )

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"{name} cannot be read")


def test_pending_shows_what_waits(run, topics):
    """A request on the desk is listed with maker, org, since when, and its call; never its credentials."""
    topics.place()

    ran = run("pending", "list", **topics.variables)

    assert ran.code == 0
    assert ran.out.startswith(REQUEST_ID)
    assert f"POST {HOST}/internal/goodwill/" in ran.out
    assert f"org={ORG}  maker={MAKER}  since=2024-02-02T14:12:51.078Z" in ran.out
    assert "sealed" not in ran.out


def test_terminal_shows_whole_ids(topics, tmp_path):
    """On a terminal what waits is a table, and its requestIds are whole, to be copied into `decide`."""
    topics.place()
    ours, theirs = os.openpty()

    command = [sys.executable, "-m", "pipeline", "pending", "list"]
    environment = topics.variables | {"TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=theirs, timeout=60, check=False)

    os.close(theirs)
    out = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0
    assert REQUEST_ID in out
    assert "┃" in out


def test_pending_believes_the_highest_position(run, topics):
    """A late write of a worker that lost its partition does not bring a decided request back."""
    entry = topics.place(position=8)
    topics.publish("approval.desk", REQUEST_ID.encode(), None, position_header(24))
    topics.publish("approval.desk", REQUEST_ID.encode(), entry, position_header(16))

    ran = run("pending", "list", **topics.variables)

    assert (ran.code, ran.out) == (0, "")
    assert "Nothing waits" in ran.err


def test_pending_of_another_org_is_empty(run, topics):
    """--org shows that org's requests only."""
    topics.place()

    assert run("pending", "list", "--org", "7", **topics.variables).out == ""


def test_show_tells_history_and_call(run, topics):
    """`show` gives the events in their order, and the call with its credentials hidden."""
    desk = an_approval()
    topics.place()
    memory = written(desk, (None,), folded(desk, a_pending()).memory)
    topics.tell(folded(desk, signed(a_verdict("rejected"), offset=1), memory))

    ran = run("show", REQUEST_ID, **topics.variables)

    assert ran.code == 0
    assert 0 < ran.out.index("AdminTask") < ran.out.index("rejected")
    assert "The call that was not made: rejected" in ran.out
    assert '"points": 20' in ran.out
    assert "credentials: sealed, hidden" in ran.out
    assert PASSWORD not in ran.out


def test_show_of_an_unknown_request_is_refused(run, topics):
    """A requestId that no event tells of ends with 1 and says what to look at."""
    ran = run("show", REQUEST_ID, **topics.variables)

    assert (ran.code, ran.out) == (1, "")
    assert REQUEST_ID in ran.err


@pytest.mark.parametrize(
    "arguments", [("watch",), ("pending", "list"), ("submit", "wish.json", "--user", "1", "--org", "7")]
)
def test_missing_topic_is_said(arguments, run, broker, prefix, tmp_path, secret):
    """Without topics a command ends with 1, and says which is missing and what makes it."""
    (tmp_path / "wish.json").write_text(json.dumps(a_submission()))

    ran = run(*arguments, RW_KAFKA_BOOTSTRAP_SERVERS=broker, RW_TOPIC_PREFIX=prefix, RW_JWT_HS256_SECRET=secret)

    assert ran.code == 1
    assert f"no topic {prefix}" in ran.err
    assert "topics create" in ran.err


@pytest.mark.parametrize("wish", [(), ("--request", REQUEST_ID), ("--request", "A" * 32)], ids=["all", "id", "api id"])
@pytest.mark.parametrize("is_json", [True, False])
def test_watch_follows_until_it_is_interrupted(wish, is_json, topics, tmp_path):
    """`watch` shows what is told after it began, as bytes or as lines, and Ctrl-C ends it well."""
    command = [sys.executable, "-m", "pipeline", "watch", *wish, *(["--json"] if is_json else [])]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=topics.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert b"Watching" in watching.stderr.readline()  # it has its places: what comes now is new
        topics.place()
        line = watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        rest, err = watching.communicate(timeout=20)

    [event] = folded(an_approval(), a_pending()).events
    assert (line == event.value() + b"\n") if is_json else (REQUEST_ID.encode() in line)
    assert (watching.returncode, rest, err) == (0, b"", b"")


def test_watch_does_not_show_others(topics, tmp_path):
    """With --request only that request is shown."""
    topics.place()
    command = [sys.executable, "-m", "pipeline", "watch", "--from-beginning", "--json", "--request", "b" * 32]
    with subprocess.Popen(
        command, cwd=tmp_path, env=topics.variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as watching:
        assert watching.stderr is not None
        watching.stderr.readline()
        topics.publish("events", REQUEST_ID.encode(), b"no event at all")  # behind the other in the same partition
        said = watching.stderr.readline()
        watching.send_signal(signal.SIGINT)
        out, _ = watching.communicate(timeout=20)

    assert b"holds no event" in said
    assert out == b""
