"""The local broker itself: it keeps its data through ends of all kinds and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.local.broker import LocalBroker
from pipeline.local.jars import BrokerError, ensure_jars
from pipeline.local.ports import answers, free_port, is_free
from pipeline.provision import compare, create_missing
from pipeline.settings import Settings
from pipeline.topology import wanted_topics

STARTER = """
import sys
from pathlib import Path
from pipeline.local.broker import LocalBroker
broker = LocalBroker().start()
print(broker.bootstrap, broker.log.parent, flush=True)
sys.stdin.read()
"""


def eventually(condition: Callable[[], bool], *, within_s: float = 30) -> bool:
    """Whether the condition comes true before the deadline; asked 20 times a second."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.05)
    return True


def listening(address: str) -> bool:
    """Whether a Kafka answers at host:port."""
    host, _, port = address.rpartition(":")
    return answers(host, int(port))


@pytest.mark.parametrize("end", [LocalBroker.halt, LocalBroker.kill])
def test_data_outlives_the_broker(broker, prefix, end) -> None:  # noqa: ARG001 - skips where no broker can be had
    """After an orderly end and after kill -9 the same topics are there again, at the same address."""
    with LocalBroker() as local:
        address = local.bootstrap
        settings = Settings.model_validate(
            {"kafka_bootstrap_servers": (address,), "topic_prefix": prefix, "topic_partitions": 1}
        )
        wanted = wanted_topics(settings)
        asyncio.run(create_missing(settings, wanted))

        end(local)
        assert not listening(address)
        local.restart()

        assert local.bootstrap == address
        assert asyncio.run(compare(settings, wanted)) == []


def test_nothing_is_left_when_the_starter_is_killed(broker) -> None:  # noqa: ARG001 - skips where none can be had
    """A kill -9 of the program that started it ends the broker and removes its folder."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdin is not None
    assert starter.stdout is not None
    address, folder = starter.stdout.readline().split()
    assert listening(address)

    starter.kill()
    starter.wait(30)
    starter.stdin.close()
    starter.stdout.close()

    assert eventually(lambda: not listening(address) and not Path(folder).exists())


SERVER = """
from pipeline.local.broker import serve
import tempfile
print(tempfile.gettempdir(), flush=True)
serve(port=0, data=None, announce=lambda address: print(address, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["starting", "running"])
def test_an_interrupt_ends_the_command_cleanly(broker, monkeypatch, tmp_path: Path, number, moment: str) -> None:  # noqa: ARG001 - skips where none can be had
    """Ctrl-C and SIGTERM end the foreground broker with exit 0 at any moment; its folder is gone, nobody listens."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    with server:
        assert server.stdout is not None
        assert server.stdout.readline().strip() == str(tmp_path)
        address = server.stdout.readline().strip() if moment == "running" else ""
        assert eventually(lambda: any(tmp_path.iterdir()))

        server.send_signal(number)

        assert server.wait(30) == 0
    assert eventually(lambda: not any(tmp_path.iterdir()))
    assert not address or not listening(address)


async def test_it_runs_inside_async_code(broker) -> None:  # noqa: ARG001 - skips where no broker can be had
    """`async with` starts and stops it without blocking the loop; its folder is gone afterwards."""
    async with LocalBroker() as local:
        folder = local.log.parent
        assert listening(local.bootstrap)

    assert not folder.exists()


def test_a_folder_has_one_broker(broker, tmp_path: Path) -> None:  # noqa: ARG001 - skips where none can be had
    """A second broker on the data of a running one is refused before it writes there; afterwards the folder is free."""
    with LocalBroker(data=tmp_path) as first:
        before = (tmp_path / "server.properties").read_text()
        second = LocalBroker(data=tmp_path)

        with pytest.raises(BrokerError, match="is in use by another broker"):
            second.start()

        assert (tmp_path / "server.properties").read_text() == before
        assert listening(first.bootstrap)
    with second:
        assert listening(second.bootstrap)


def test_a_taken_port_is_told(broker) -> None:
    """A port that was asked for by number and is taken ends the start in one sentence, with nothing left behind."""
    local = LocalBroker(port=int(broker.rpartition(":")[2]))

    with pytest.raises(BrokerError, match=r"^Port [0-9]+ is taken"):
        local.start()

    assert not local.running


def test_a_restart_waits_for_its_port(broker, tmp_path: Path) -> None:  # noqa: ARG001 - skips where none can be had
    """A port that the killed broker still holds for a moment does not keep it from coming back.

    Found by chaos: Kafka's memory is freed after its keeper is gone, and its port after that.
    """
    local = LocalBroker(data=tmp_path).start()
    address = local.bootstrap
    local.kill()
    port = int(address.rpartition(":")[2])
    assert eventually(lambda: is_free(port))
    held = socket.create_server(("127.0.0.1", port))
    freeing = threading.Timer(1.0, held.close)
    freeing.start()

    local.start()

    assert listening(address)
    assert local.bootstrap == address
    freeing.join(10)
    local.stop()


def test_free_ports_are_below_those_of_outgoing_connections() -> None:
    """A port is never one that the kernel may give to a client, and never one that is excluded."""
    first = free_port()

    assert 20000 <= first < 30000
    assert free_port(first) != first


@pytest.mark.parametrize(("missing", "told"), [("java", "install a JRE"), ("mvn", "install Maven")])
def test_what_is_missing_is_told(monkeypatch, tmp_path: Path, missing: str, told: str) -> None:
    """Without java or mvn one sentence says what to install and how to use another broker."""
    if missing == "mvn":
        (tmp_path / "java").write_text("#!/bin/sh\n")
        (tmp_path / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BrokerError, match=f"^{missing} was not found.*{told}.*RW_KAFKA_BOOTSTRAP_SERVERS"):
        ensure_jars(tmp_path / "jars")

    assert not (tmp_path / "jars").exists()


def test_a_failing_fetch_leaves_no_kafka(monkeypatch, tmp_path: Path) -> None:
    """When Maven fails its error is told and nothing lies where the jars belong."""
    for name, text in {"java": "#!/bin/sh\n", "mvn": "#!/bin/sh\necho '[ERROR] no network'\nexit 1\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    with pytest.raises(BrokerError, match=r"exit 1.*no network"):
        ensure_jars(tmp_path / "jars")

    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("jars")] == ["jars.lock"]
