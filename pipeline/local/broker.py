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
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO, Self

from pipeline.local import keeper
from pipeline.local.claim import claim
from pipeline.local.jars import BrokerError, ensure_jars, find_java
from pipeline.local.ports import HOST, answers, free_port, is_free

START_S_MAX = 90.0
STOP_S_MAX = 30.0
FREED_S_MAX = 10.0
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
# A second listener that wants a login, for those who have to show what becomes of a wrong password.
_LOGIN = """\
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller},SASL_PLAINTEXT://{host}:{sasl}
advertised.listeners=PLAINTEXT://{host}:{port},SASL_PLAINTEXT://{host}:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\\
  org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
"""


class LocalBroker:
    """One broker. `port` 0 asks for a free one; without `data` it lives in a temporary folder that `stop` removes.
    With `login`, a user and a password, it also listens at `sasl_bootstrap` (SASL_PLAINTEXT, PLAIN).

    All methods block (seconds); from async code use `async with`, or `asyncio.to_thread`. They raise BrokerError.
    """

    def __init__(self, *, port: int = 0, data: Path | None = None, login: tuple[str, str] | None = None) -> None:
        self._wanted_port = port
        self._port = port
        self._temporary = data is None
        self._data = data
        self._login = login
        self._sasl_port = 0
        self._keeper: subprocess.Popen[bytes] | None = None
        self._claimed: IO[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients, `127.0.0.1:port`; known once it was started."""
        return f"{HOST}:{self._port}"

    @property
    def sasl_bootstrap(self) -> str:
        """The address that wants the login; known once it was started."""
        return f"{HOST}:{self._sasl_port}"

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
        try:
            self._start_somewhere(java, jars)
        except BaseException:  # Ctrl-C, too: what was begun is ended, and nothing is left
            self._signal(signal.SIGKILL)
            self._discard()
            raise
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
        self._discard()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def _start_somewhere(self, java: str, jars: Path) -> None:
        """On the known port where there is data, else on the wanted one, else on free ones until one stays free."""
        known = self._port if (self._folder() / "log").exists() else 0
        for tries_left in reversed(range(_TRIES)):
            self._port = known or self._wanted_port or free_port()
            try:
                self._launch(java, jars)
                self._wait_ready()
            except BrokerError:
                if not tries_left or known or self._wanted_port:
                    raise
                self._signal(signal.SIGKILL)
                shutil.rmtree(self._folder() / "log", ignore_errors=True)
            else:
                return

    def _discard(self) -> None:
        if self._temporary and self._data is not None:
            shutil.rmtree(self._data, ignore_errors=True)
            self._data = None

    def _folder(self) -> Path:
        if self._data is None:
            self._data = Path(tempfile.mkdtemp(prefix="request-workflow-kafka-"))
        return self._data

    def _launch(self, java: str, jars: Path) -> None:
        data = self._folder()
        self._claimed = claim(data)
        self._claim_port(patience_s=FREED_S_MAX if (data / "log").exists() else 0.0)
        properties = data / "server.properties"
        properties.write_text(self._properties(data))
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
                pass_fds=(self._claimed.fileno(),),  # the keeper outlives us by a moment, and so does the claim
            )

    def _claim_port(self, *, patience_s: float) -> None:
        """Raise unless the port is free, or whoever answers there would be taken for ours. After kill -9 the kernel
        frees it, and Kafka's memory before it, a little later than the keeper is gone: a restart waits for that.
        """
        deadline = time.monotonic() + patience_s
        while not is_free(self._port):
            if time.monotonic() >= deadline:
                raise BrokerError(f"Port {self._port} is taken: stop what listens there, or name another.")
            time.sleep(0.05)

    def _properties(self, data: Path) -> str:
        ports = {"port": self._port, "controller": free_port(self._port)}
        text = _PROPERTIES.format(host=HOST, data=data.resolve(), **ports)
        if self._login is None:
            return text
        self._sasl_port = self._sasl_port or free_port(*ports.values())
        user, password = self._login
        return text + _LOGIN.format(host=HOST, sasl=self._sasl_port, user=user, password=password, **ports)

    def _format(self, run: list[str], properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = [*run, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
        ended = None
        with self.log.open("ab") as log, contextlib.suppress(subprocess.TimeoutExpired):
            ended = subprocess.run(command, stdout=log, stderr=log, timeout=START_S_MAX, check=False)
        if ended is None or ended.returncode != 0:
            raise BrokerError(f"Kafka could not prepare {properties.parent}: {self._last_line()}")

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_S_MAX
        while not answers(HOST, self._port):
            if not self.running:
                raise BrokerError(f"Kafka ended at its start: {self._last_line()}")
            if time.monotonic() > deadline:
                raise BrokerError(f"Kafka did not answer within {START_S_MAX:.0f} s: {self._last_line()}")
            time.sleep(0.05)

    def _last_line(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        telling = [line for line in lines if "ERROR" in line or "xception" in line]
        return (telling or lines or ["it said nothing"])[-1].strip()[:300]

    def _signal(self, number: signal.Signals) -> None:
        """Send the signal to Kafka and its keeper, wait until both are gone, and kill what is not."""
        if self._claimed is not None:
            self._claimed.close()  # the keeper, if there is one, holds it until it ends
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
