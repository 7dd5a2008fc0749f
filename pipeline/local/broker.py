"""A real Kafka (KRaft, one node) on this machine, for development, the demo and the tests.

Kafka itself and not a stand-in, because what has to be shown is how the real one behaves. What it is told to be stands
in `_PROPERTIES`; the jars come from `jars.py`, and `keeper.py` sees to it that nothing is left behind. Never imported
by the worker. Measured: 5 s from start to first answer, about 240 MB resident.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Self

from pipeline.local import keeper
from pipeline.local.jars import BrokerError, ensure_jars, find_java

HOST = "127.0.0.1"
START_S_MAX = 90.0
STOP_S_MAX = 30.0
_TRIES = 3  # ports that the kernel called free may be taken before Kafka binds them
_JAVA = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
# The controller refuses a broker that comes back after kill -9 until its old session is over: 9 s by default.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
log.cleaner.dedupe.buffer.size=8388608
"""


class LocalBroker:
    """One broker. `port` 0 asks for a free one; without `data` it lives in a temporary folder that `stop` removes.

    All methods block (seconds); from async code use `async with`, or `asyncio.to_thread`. They raise BrokerError.
    """

    def __init__(self, *, port: int = 0, data: Path | None = None) -> None:
        self._wanted_port = port
        self._port = port
        self._temporary = data is None
        self._data = data
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, `127.0.0.1:port`; known once it was started."""
        return f"{HOST}:{self._port}"

    @property
    def log(self) -> Path:
        """The file with what Kafka said (warnings and errors), inside the data folder."""
        return self._folder() / "broker.log"

    @property
    def running(self) -> bool:
        """Whether Kafka's process lives."""
        return self._keeper is not None and self._keeper.poll() is None

    def start(self) -> Self:
        """Start, or start again on the same data and port after `kill` or `halt`; returns once Kafka answers."""
        if self.running:
            return self
        java, jars = find_java(), ensure_jars()
        for tries_left in reversed(range(_TRIES)):
            known = self._port if (self._folder() / "log").exists() else 0
            self._port = known or self._wanted_port or free_port()
            try:
                self._launch(java, jars)
                self._wait_ready()
            except BrokerError:
                self._signal(signal.SIGKILL)
                if not tries_left or known or self._wanted_port:
                    raise
                shutil.rmtree(self._folder() / "log", ignore_errors=True)
            else:
                break
        return self

    def halt(self) -> None:
        """End Kafka in good order and keep the data; kills it after 30 s."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End Kafka at once, as `kill -9` does; the data stays."""
        self._signal(signal.SIGKILL)

    def restart(self) -> Self:
        """Halt it, if it runs, and start it on the same data and port."""
        self.halt()
        return self.start()

    def stop(self) -> None:
        """End Kafka in good order and remove what was temporary."""
        self.halt()
        if self._temporary and self._data is not None:
            shutil.rmtree(self._data, ignore_errors=True)
            self._data = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def _folder(self) -> Path:
        if self._data is None:
            self._data = Path(tempfile.mkdtemp(prefix="request-workflow-kafka-"))
        return self._data

    def _launch(self, java: str, jars: Path) -> None:
        data = self._folder()
        data.mkdir(parents=True, exist_ok=True)
        properties = data / "server.properties"
        properties.write_text(
            _PROPERTIES.format(host=HOST, port=self._port, controller=free_port(self._port), data=data.resolve())
        )
        run = [java, *_JAVA, "-cp", f"{jars}/*"]
        if not (data / "log" / "meta.properties").exists():
            self._format([java, "-cp", f"{jars}/*"], properties)
        kept = [sys.executable, "-I", "-S", keeper.__file__, str(data) if self._temporary else "-"]
        with self.log.open("ab") as log:
            self._keeper = subprocess.Popen(
                [*kept, *run, "kafka.Kafka", str(properties)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for us; we end the broker after its clients
            )

    def _format(self, run: list[str], properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [*run, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
        with self.log.open("ab") as log:
            ended = subprocess.run(command, stdout=log, stderr=log, timeout=START_S_MAX, check=False)
        if ended.returncode != 0:
            raise BrokerError(f"Kafka could not prepare {properties.parent}: {self._last_line()}")

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_S_MAX
        while not answers(HOST, self._port):
            if not self.running:
                raise BrokerError(f"Kafka ended at its start: {self._last_line()} (look into {self.log})")
            if time.monotonic() > deadline:
                raise BrokerError(f"Kafka did not answer within {START_S_MAX:.0f} s: look into {self.log}.")
            time.sleep(0.05)

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        telling = [line for line in lines if "ERROR" in line or "xception" in line]
        return (telling or lines or ["it said nothing"])[-1].strip()[:300]

    def _signal(self, number: signal.Signals) -> None:
        """Send the signal to Kafka and its keeper, wait until both are gone, and kill what is not."""
        if self._keeper is None:
            return
        for sent, patience_s in ((number, STOP_S_MAX), (signal.SIGKILL, STOP_S_MAX)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._keeper.pid, sent)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._keeper.wait(patience_s)
                break
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        self._keeper = None


def free_port(*taken: int) -> int:
    """A port that the kernel lets us bind, outside the range it gives to outgoing connections.

    A client that retries a port inside that range can end up connected to itself, which keeps a broker that comes back
    from binding it.
    """
    for _ in range(200):
        port = 20000 + secrets.randbelow(10000)
        with socket.socket() as trial, contextlib.suppress(OSError):
            trial.bind((HOST, port))
            if port not in taken:
                return port
    raise BrokerError("No free port between 20000 and 29999: name one with --port.")


def answers(host: str, port: int, *, timeout_s: float = 2.0) -> bool:
    """Whether a Kafka there answers a metadata request and names a broker, itself: only then can topics be created.

    By hand (Metadata, version 1, no topics), because the clients we have are asynchronous and log each refusal.
    """
    request = struct.pack(">hhih5si", 3, 1, 1, 5, b"ready", 0)
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as answer:
                _size, _correlation, brokers = struct.unpack(">iii", answer.read(12))
    except (OSError, struct.error):
        return False
    return bool(brokers > 0)


def serve(*, port: int, data: Path | None, announce: Callable[[str], None]) -> None:
    """Run a broker until SIGINT or SIGTERM; `announce` is told the address once it answers. Raises BrokerError.

    For the console script, on the main thread. It ends with BrokerError, too, when Kafka ends by itself.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    with contextlib.suppress(KeyboardInterrupt), LocalBroker(port=port, data=data) as broker:
        announce(broker.bootstrap)
        while broker.running:
            time.sleep(0.2)
        raise BrokerError(f"Kafka ended by itself: look into {broker.log}.")


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """`python -m pipeline.local.broker --fetch`: have the jars in place, for `make setup`."""
    if arguments != ["--fetch"]:
        sys.stderr.write("usage: python -m pipeline.local.broker --fetch   (to run one: request-workflow broker)\n")
        return 2
    try:
        ensure_jars()
    except BrokerError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
