"""`watch` while its broker is away: it says so, says when it is back, and goes on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

from builders import REQUEST_ID, a_pending
from wiring import an_approval, folded

from pipeline.client.kafka import Outgoing, publishing
from pipeline.domain.messages import EVENTS
from pipeline.local.broker import LocalBroker
from pipeline.provision import create_missing
from pipeline.settings import Settings
from pipeline.topology import wanted_topics


async def tell(settings: Settings) -> None:
    """Publish one event."""
    [event] = folded(an_approval(), a_pending()).events
    async with publishing(settings) as publisher:
        await publisher.publish(Outgoing(EVENTS, event.value(), event.headers()))


def test_watch_tells_an_outage(broker, tmp_path):  # noqa: ARG001 - skips where no broker can be had
    """A line when Kafka goes, a line when it is back, and then what is told is shown."""
    with LocalBroker() as local:
        settings = Settings(kafka_bootstrap_servers=(local.bootstrap,), topic_partitions=1)
        asyncio.run(create_missing(settings, wanted_topics(settings)))
        with subprocess.Popen(
            [sys.executable, "-m", "pipeline", "watch"],
            cwd=tmp_path,
            env={"RW_KAFKA_BOOTSTRAP_SERVERS": local.bootstrap},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as watching:
            assert watching.stdout is not None
            assert watching.stderr is not None
            first = watching.stderr.readline()
            local.kill()
            gone = watching.stderr.readline()
            local.start()
            back = watching.stderr.readline()
            asyncio.run(tell(settings))
            line = watching.stdout.readline()
            watching.send_signal(signal.SIGINT)
            rest = watching.communicate(timeout=20)

    assert "Watching" in first
    assert "Kafka does not answer" in gone
    assert "Kafka answers again" in back
    assert REQUEST_ID in line
    assert (watching.returncode, *rest) == (0, "", "")
