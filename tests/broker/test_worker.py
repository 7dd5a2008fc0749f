"""The worker as its supervisor sees it: when it refuses to start, what its port says, how it ends."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from broker.flows import Flow
from broker.world import World, until
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from pipeline.client.audience import is_unread
from pipeline.settings import Settings


@pytest.fixture
def bare(broker: str, prefix: str, tmp_path: Path) -> World:
    """A world without topics."""
    return World(broker, prefix, tmp_path)


def test_missing_topics_stop_the_start(bare: World) -> None:
    """Without its topics the worker exits 1, lists what is missing and says what to do."""
    worker = bare.worker()

    assert worker.popen.wait(60) == 1
    said = worker.log.read_text()
    assert "topics create" in said
    assert f"{bare.prefix}requests.submitted" in said
    bare.close()


def test_different_topics_stop_the_start(world: World) -> None:
    """A topic whose timestamps a publisher may choose stops the start, by name and setting."""
    name = f"{world.prefix}requests.submitted"
    change = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    admin = AdminClient({"bootstrap.servers": world.bootstrap})
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[change])
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(20)
    worker = world.worker()

    assert worker.popen.wait(60) == 1
    assert "message.timestamp.type" in worker.log.read_text()
    assert "topics create" not in worker.log.read_text(), "it would not help"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RW_SEAL_KEYS", "short"),
        ("RW_JWT_HS256_SECRET", "too short"),
        ("RW_INTOUCH_ALLOWED_HOSTS", "https://host/with/path"),
        ("RW_REMEMBER_S", "10"),
        ("RW_TOPIC_PARTITIONS", "none"),
    ],
)
def test_wrong_setting_stops_the_start(bare: World, variable: str, value: str) -> None:
    """A wrong setting stops the start with one sentence that names the variable; a secret is not printed."""
    bare.environment[variable] = value
    worker = bare.worker()

    assert worker.popen.wait(60) == 1
    said = worker.log.read_text()
    assert variable in said
    assert len(said.strip().splitlines()) == 1
    assert value not in said or variable not in ("RW_SEAL_KEYS", "RW_JWT_HS256_SECRET")
    bare.close()


def test_unreachable_broker_stops_the_start(bare: World) -> None:
    """A broker that is not there ends the start with a sentence, not in endless silent retries."""
    bare.environment["RW_KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    worker = bare.worker()

    assert worker.popen.wait(60) == 1
    assert "127.0.0.1:1" in worker.log.read_text()
    bare.close()


def test_port_and_end(running: World) -> None:
    """Alive and ready, metrics with every stage from the start; SIGTERM drains and exits 0."""
    worker = running.workers[0]

    assert worker.get("/livez")[0] == 200
    assert worker.get("/readyz")[0] == 200
    status, metrics = worker.get("/metrics")
    assert status == 200
    for stage in ("intake", "validation", "approval", "execution"):
        assert f'rw_ready{{stage="{stage}"}} 1.0' in metrics
    assert 'rw_dead_letters_total{reason="not-json",stage="intake"} 0.0' in metrics
    assert worker.get("/anything")[0] == 404
    assert worker.end() == 0


async def test_a_running_worker_reads(running: World, bare: World) -> None:
    """Whether somebody reads what is published is known: a worker does, and where none runs nobody does."""
    told = [
        await is_unread(Settings(kafka_bootstrap_servers=(world.bootstrap,), topic_prefix=prefix))
        for world, prefix in ((running, running.prefix), (bare, f"other-{bare.prefix}"))
    ]

    assert told == [False, True]
    bare.close()


def test_interrupt_drains(running: World) -> None:
    """Ctrl-C ends a worker as SIGTERM does."""
    running.workers[0].popen.send_signal(signal.SIGINT)

    assert running.workers[0].popen.wait(60) == 0


def test_one_process_per_stage(world: World) -> None:
    """Four processes with one stage each do the work of one with four."""
    for stage in ("intake", "validation", "approval", "execution"):
        world.worker("--stages", stage)
    for worker in world.workers:
        worker.ready()
    flow = Flow(world, 60)
    until(flow.all_ended, "60 requests ended", 60)

    assert all(ends == {"approved"} for ends in flow.endings().values())
    assert set(flow.calls().values()) == {1}
    assert [worker.end() for worker in world.workers] == [0, 0, 0, 0]
