"""The demo: everything that the story needs is brought together, the story is played, and all is taken away again.

Secrets are made up for this one run, kept in memory and handed to the worker in its environment. The topics carry a
prefix that nobody else uses. The story itself is in `demo_play`, its cast in `demo_cast`.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
from types import FrameType

from pydantic import SecretStr
from rich.console import Console

from pipeline.client.looks import make_console
from pipeline.client.waits import waiting
from pipeline.connection import knock
from pipeline.environment import found_variables
from pipeline.local.broker import LocalBroker
from pipeline.local.demo_cast import REFUSAL
from pipeline.local.demo_play import Play
from pipeline.local.demo_removal import remove_traces
from pipeline.local.fetch import fetch_kafka
from pipeline.local.intouch import StandIn
from pipeline.local.worker import LocalWorker
from pipeline.provision import create_missing
from pipeline.settings import STAGES, Settings, load_settings, variable
from pipeline.topology import wanted_topics
from pipeline.trust.sealing import new_key

PARTITIONS = 3


def run_demo() -> int:
    """Play the demo; 0 exactly when every request ended as announced. Raises BrokerError, SettingsError and such."""
    console, settings = make_console(), load_settings()
    before = signal.signal(signal.SIGTERM, _interrupt)  # as Ctrl-C: what was begun is taken away
    try:
        if variable("kafka_bootstrap_servers") in found_variables():
            servers = ",".join(settings.kafka_bootstrap_servers)
            console.print(f"Kafka     yours at {servers}, which RW_KAFKA_BOOTSTRAP_SERVERS names", soft_wrap=True)
            return asyncio.run(_play(demo_settings(settings), console, tidy_up=True))
        return _run_locally(settings, console)
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("\nStopped; nothing is left behind.")
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run_locally(settings: Settings, console: Console) -> int:
    fetch_kafka()
    with contextlib.ExitStack() as stack:
        with waiting("starting Kafka"):
            broker = stack.enter_context(LocalBroker())
        console.print(f"Kafka     a real one on this machine at {broker.bootstrap}, for this demo only", soft_wrap=True)
        here = settings.model_copy(
            update={
                "kafka_bootstrap_servers": (broker.bootstrap,),
                "kafka_security_protocol": "PLAINTEXT",
                "kafka_sasl_mechanism": None,
                "kafka_sasl_username": None,
                "kafka_sasl_password": None,
                "kafka_ssl_ca_file": None,
                "topic_replication": 1,
            }
        )
        return asyncio.run(_play(demo_settings(here), console, tidy_up=False))


def demo_settings(settings: Settings) -> Settings:
    """How to reach Kafka and how long it keeps things as in the settings; all else is the demo's own."""
    return settings.model_copy(
        update={
            "topic_prefix": f"demo-{secrets.token_hex(4)}.",
            "topic_partitions": PARTITIONS,
            "stages": STAGES,
            "jwt_jwks_file": None,
            "jwt_hs256_secret": SecretStr(secrets.token_urlsafe(48)),
            "seal_keys": SecretStr(new_key()),
            "request_types_file": None,
            "progress_events": True,
            "http_host": "127.0.0.1",
            "http_port": 0,
            "log_format": "console",
            "log_level": "info",
        }
    )


async def _play(settings: Settings, console: Console, *, tidy_up: bool) -> int:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await knock(settings)
    stand_in = StandIn()
    stand_in.behave(REFUSAL.model_copy())
    async with contextlib.AsyncExitStack() as stack:
        origin = await stand_in.start()
        stack.push_async_callback(stand_in.stop)
        settings = settings.model_copy(update={"intouch_allowed_hosts": (origin,)})
        wanted = wanted_topics(settings)
        if tidy_up:
            stack.push_async_callback(remove_traces, settings, wanted, console)
        with waiting("creating topics"):
            await create_missing(settings, wanted)
        console.print(f"Topics    {len(wanted)} new ones, {settings.topic_prefix}*")
        console.print(f"Intouch   a stand-in at {origin}")
        worker = await stack.enter_async_context(LocalWorker(settings))
        console.print("Worker    a process of its own with all four stages: python -m pipeline worker\n")
        is_good = await Play(settings, console, stand_in, worker, origin).perform()
        stack.enter_context(waiting("taking everything away again"))
        return 0 if is_good else 1
