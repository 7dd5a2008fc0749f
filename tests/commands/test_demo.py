"""The demo, played for real: worker, broker, stand-in. What it announces happens, and it leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from pipeline.local.demo_cast import CAST
from pipeline.local.worker import environment_of
from pipeline.settings import Settings

PLAY_S_MAX = 120
SOON_S = 20


def traces_of_demos(broker: str) -> set[str]:
    """Topics and consumer groups that a demo made and that are still there."""

    async def ask() -> set[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        try:
            groups = [group for group, *_ in await admin.list_consumer_groups()]
            return {name for name in [*await admin.list_topics(), *groups] if name.startswith("demo-")}
        finally:
            await admin.close()

    return asyncio.run(ask())


def play(tmp_path: Path, **variables: str) -> subprocess.Popen[str]:
    """The demo as a process whose output is no terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "demo"],
        cwd=tmp_path,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def test_demo_ends_as_announced(broker, tmp_path):
    """Every documented type is approved, one request rejected, one refused by Intouch; exit 0 and nothing is left."""
    with play(tmp_path, RW_KAFKA_BOOTSTRAP_SERVERS=broker) as demo:
        out, _ = demo.communicate(timeout=PLAY_S_MAX)

    assert demo.returncode == 0, out
    assert broker in out.splitlines()[0]
    for role in CAST:
        assert role.request_type in out
        assert role.title in out
    assert out.count("as announced") >= len(CAST)
    assert f"{len(CAST)} of {len(CAST)} requests ended as announced, 6 calls to Intouch, 0 dead letters" in out
    assert "Authorization: ***" in out
    assert "Basic " not in out
    assert "\x1b" not in out
    assert traces_of_demos(broker) == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_interrupted_demo_leaves_nothing(number, broker, tmp_path):
    """Stopped in the middle, the demo takes its worker, its topics and its groups away, and ends with 1."""
    with play(tmp_path, RW_KAFKA_BOOTSTRAP_SERVERS=broker) as demo:
        assert demo.stdout is not None
        while "asks:" not in demo.stdout.readline():
            pass
        assert traces_of_demos(broker)
        demo.send_signal(number)
        out, _ = demo.communicate(timeout=PLAY_S_MAX)

    assert demo.returncode == 1
    assert "nothing is left behind" in out
    deadline = time.monotonic() + SOON_S
    while traces_of_demos(broker):  # a broker forgets a topic a moment after it was told to
        assert time.monotonic() < deadline


def test_without_java_it_says_what_to_do(tmp_path):
    """Where there is neither a broker nor Java, one sentence says what to install and how to point it elsewhere."""
    with play(tmp_path, PATH=str(tmp_path)) as demo:
        out, _ = demo.communicate(timeout=PLAY_S_MAX)

    assert (demo.returncode, out.count("\n")) == (1, 1)
    assert "Java" in out or "java" in out
    assert "RW_KAFKA_BOOTSTRAP_SERVERS" in out


def test_unreachable_broker_is_one_sentence(tmp_path):
    """A broker that is named and does not answer is told as such; no other Kafka is started instead."""
    with play(tmp_path, RW_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1") as demo:
        out, _ = demo.communicate(timeout=PLAY_S_MAX)

    assert demo.returncode == 1
    assert out.splitlines()[0].startswith("Kafka     yours")
    assert len(out.splitlines()) == 2


def test_worker_gets_the_same_settings(monkeypatch):
    """What a worker's environment says are the settings that it was made from, secrets included."""
    given = Settings(
        kafka_bootstrap_servers=("127.0.0.1:1", "127.0.0.1:2"),
        jwt_hs256_secret="obviously-fake-secret-of-more-than-32-bytes",
        progress_events=False,
        topic_prefix="mine.",
        intouch_timeout_s=1.5,
    )

    for name, value in environment_of(given).items():
        monkeypatch.setenv(name, value)

    assert Settings() == given
