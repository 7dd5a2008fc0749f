"""The console script explains itself, and every ending has the exit code of the contract (section 10)."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from pipeline.__main__ import app, exit_code_of
from pipeline.client.kafka import ClientError
from pipeline.connection import ConnectionProblem
from pipeline.local.intouch import Rule, StandInError
from pipeline.local.jars import BrokerError
from pipeline.provision import ProvisionError
from pipeline.settings import SettingsError
from pipeline.topology import TopologyError


def all_commands() -> list[tuple[str, ...]]:
    """The words of every command that does something."""
    found: list[tuple[str, ...]] = []
    for name, command in get_command(app).commands.items():
        nested = getattr(command, "commands", {})
        found += [(name, inner) for inner in nested] or [(name,)]
    return found


ID = "ffcf19fb-a3fd-11ee-9fa7-4650f67465b8"
WHO = ("--user", "1", "--org", "7")
CONTRACT = {
    *[(name,) for name in ("worker", "broker", "demo", "submit", "decide", "watch", "show", "settings", "token")],
    *[
        ("intouch",),
        ("schemas",),
        ("pending", "list"),
        ("in-doubt", "list"),
        ("resolve",),
        ("keys", "new"),
        ("keys", "status"),
    ],
    *[("topics", name) for name in ("create", "check", "list")],
}


def test_commands_are_those_of_the_contract():
    """What the contract lists for now is there, and nothing else."""
    assert set(all_commands()) == CONTRACT


@pytest.mark.parametrize("command", all_commands(), ids=" ".join)
def test_help_has_an_example(command, run):
    """Every command's help says what it does and shows how it is called."""
    ran = run(*command, "--help")

    assert ran.code == 0
    assert f"request-workflow {' '.join(command)}" in ran.out.partition("Example")[2]


def test_help_explains_how_to_misbehave(run):
    """Every field of a rule stands in the help of the stand-in, and the example is a rule."""
    ran = run("intouch", "--help")

    assert all(field in ran.out for field in Rule.model_fields)
    assert Rule.model_validate_json(ran.out.partition("-d '")[2].partition("'")[0]).status == 503


def test_no_command_lists_the_commands(run):
    """Without a command the list of commands is shown, as wrong usage."""
    ran = run()

    assert ran.code == 2
    assert all(command[0] in ran.out + ran.err for command in all_commands())


def test_version_is_that_of_the_package(run):
    """--version says one version and ends well."""
    ran = run("--version")

    assert (ran.code, ran.out.count(".")) == (0, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("fly",),
        ("topics", "delete"),
        ("decide", ID, "maybe", "--message", "x", *WHO),
        ("decide", ID, "approved", *WHO),
        ("decide", "an-id", "approved", "--message", "x", *WHO),
        ("decide", ID, "approved", "--message", "x", *WHO, "--digest", "abc"),
        ("decide", ID, "approved", "--message", "x", "--org", "1", "--token", "not-a-token"),
        ("decide", ID, "approved", "--message", "x", "--org", "1" * 20, "--user", "1"),
        ("show", "an-id"),
        ("watch", "--request", "zz"),
        ("worker", "--stages", "intake,intake"),
        ("worker", "--stages", "cooking"),
        ("token", "--user", "0", "--org", "1", "--can", "make"),
        ("token", "--user", "1", "--org", "1", "--can", "fly"),
        ("submit", "file.json", *WHO, "--token", "a.fake.token"),
        ("resolve", ID, "approved", "--message", "x", *WHO),
        ("resolve", "an-id", "retry", "--message", "x", *WHO),
        ("submit", "file.json", *WHO, "--api-request-id", "short"),
        ("submit", "file.json", *WHO, "--request-id", "ab" * 16),
        ("submit", "file.json", *WHO, "--idempotency-key", " "),
        ("submit", "file.json", *WHO, "--idempotency-key", "ü" * 128),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(arguments, run):
    """What was typed wrongly ends with 2 and says what is wrong."""
    ran = run(*arguments)

    assert ran.code == 2
    assert ran.err.strip()
    assert "not-a-token" not in ran.err


@pytest.mark.parametrize(
    "kind", [SettingsError, ClientError, ConnectionProblem, ProvisionError, TopologyError, BrokerError, StandInError]
)
def test_refusal_is_1_and_its_sentence(kind, capfd):
    """What was to be expected ends with 1, and with its own sentence alone on stderr."""
    code = exit_code_of(kind("This and that is missing: do so."))

    assert (code, *capfd.readouterr()) == (1, "", "This and that is missing: do so.\n")


def test_places_of_no_use_are_told(run, tmp_path, broker):
    """A port that is taken and a folder that cannot be made or written are told in one sentence with the place."""
    port = broker.rpartition(":")[2]
    (tmp_path / "afile").write_text("")
    refused = [
        (f"127.0.0.1:{port}", run("intouch", "--port", port)),
        ("afile", run("broker", "--port", "0", "--data", "afile/kafka")),
        ("afile", run("schemas", "--folder", "afile/schemas")),
    ]

    for place, ran in refused:
        assert (ran.code, ran.out) == (1, "")
        assert place in ran.err
        assert ran.err.count("\n") == 1


def test_surprise_is_70(capfd):
    """An exception that nobody expects ends with 70 and is told in full."""
    code = exit_code_of(ZeroDivisionError("a bug"))

    assert code == 70
    assert "ZeroDivisionError: a bug" in capfd.readouterr().err


def test_help_needs_none_of_the_parts():
    """`--help` stays quick: no Kafka, Faust, HTTP or settings library is imported for it."""
    heavy = ("aiokafka", "faust", "aiohttp", "pydantic_settings", "cryptography")
    code = f"import sys, pipeline.__main__; sys.exit(' '.join(set({heavy!r}) & set(sys.modules)) or 0)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_package_is_the_script():
    """`python -m pipeline` is the console script."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "keys", "new"], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, len(done.stdout.strip())) == (0, 88)
