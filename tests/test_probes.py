"""The HTTP port, asked over HTTP: alive is progress, ready is every stage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import pytest

from pipeline.metrics import Metrics
from pipeline.probes import UNREADY_S_MAX, Probes, ProbesError, listening
from pipeline.settings import Settings


class Said(NamedTuple):
    """What a stage may say of itself."""

    is_ready: bool = True
    partitions: int = 3
    oldest_unfinished_s: float = 0.0
    lease_s: float = 12.5
    recovery_s: float = 0.5
    lag_records: int = 7


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def asked(probes: Probes) -> AsyncIterator[Any]:
    """A function that asks the running probes for a path: status and JSON or text."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with probes, aiohttp.ClientSession(timeout=timeout) as session:
        port = await probes.start("127.0.0.1", 0)

        async def ask(path: str, method: str = "GET", **more: Any) -> tuple[int, Any]:
            async with session.request(method, f"http://127.0.0.1:{port}{path}", **more) as answer:
                is_json = answer.content_type == "application/json"
                return answer.status, await answer.json() if is_json else await answer.text()

        yield ask


def probes_of(clock: Clock | None = None, **stages: Said) -> Probes:
    """Probes of these stages that call ten seconds of standing still dead."""
    return Probes(Metrics(tuple(stages)), lambda: (stages, 0.25), stall_s=10, clock=clock or Clock())


async def test_a_process_that_goes_on_is_alive() -> None:
    """No reason against: 200."""
    async with asked(probes_of(intake=Said(oldest_unfinished_s=10))) as ask:
        assert await ask("/livez") == (200, {"alive": True, "reasons": [], "loopLateS": 0.25})


async def test_a_stage_that_stands_still_is_dead() -> None:
    """Unfinished for longer than allowed: 503, and the reason names the stage and the time."""
    async with asked(probes_of(intake=Said(), approval=Said(oldest_unfinished_s=11))) as ask:
        status, body = await ask("/livez")

    assert status == 503
    assert body["reasons"] == ["approval has not gone on for 11 s, allowed are 10"]
    assert body["alive"] is False


async def test_a_rebalance_is_no_death() -> None:
    """What is unfinished while a stage is not ready does not count against its life."""
    async with asked(probes_of(intake=Said(is_ready=False, oldest_unfinished_s=99))) as ask:
        assert (await ask("/livez"))[0] == 200


async def test_a_stage_that_never_gets_ready_again_is_dead() -> None:
    """Not ready for longer than a loading can last: dead; ready in between begins the time anew."""
    clock, stages = Clock(), {"intake": Said(is_ready=False)}
    probes = Probes(Metrics(("intake",)), lambda: (stages, 0.25), stall_s=10, clock=clock)
    assert probes.reasons_against_life() == []

    clock.now = UNREADY_S_MAX + 1
    assert probes.reasons_against_life() == ["intake has not been ready for 601 s"]

    stages["intake"] = Said()
    assert probes.reasons_against_life() == []
    stages["intake"] = Said(is_ready=False)
    assert probes.reasons_against_life() == []


async def test_ready_is_every_stage() -> None:
    """One stage that is not ready makes the process unready, and is named."""
    async with asked(probes_of(intake=Said(), approval=Said(is_ready=False, partitions=0))) as ask:
        status, body = await ask("/readyz")

    assert status == 503
    assert body["stages"] == {
        "intake": {"ready": True, "partitions": 3, "leaseS": 12.5},
        "approval": {"ready": False, "partitions": 0, "leaseS": 12.5},
    }


async def test_without_a_lease_a_stage_is_not_ready() -> None:
    """While Kafka is away nothing can be written: not ready, in the probe and in the metric, but alive."""
    clock, stages = Clock(), {"intake": Said(lease_s=0.0)}
    probes = Probes(Metrics(("intake",)), lambda: (stages, 0.25), stall_s=10, clock=clock)
    async with asked(probes) as ask:
        status, body = await ask("/readyz")
        _, metrics = await ask("/metrics")
        clock.now = UNREADY_S_MAX + 1
        alive, _ = await ask("/livez")

    assert (status, body["stages"]["intake"]["ready"], body["stages"]["intake"]["leaseS"]) == (503, False, 0.0)
    assert 'rw_ready{stage="intake"} 0.0' in metrics
    assert alive == 200


async def test_all_stages_ready_is_ready() -> None:
    """Every stage ready: 200."""
    async with asked(probes_of(intake=Said(), approval=Said())) as ask:
        assert (await ask("/readyz"))[0] == 200


async def test_a_process_without_stages_yet_is_not_ready() -> None:
    """Before the first stage exists there is nothing that could be ready."""
    async with asked(probes_of()) as ask:
        assert (await ask("/readyz"))[0] == 503


async def test_a_scrape_asks_for_the_facts() -> None:
    """The gauges are those of the moment of the scrape."""
    async with asked(probes_of(intake=Said())) as ask:
        status, text = await ask("/metrics")

    assert status == 200
    assert 'rw_lag_records{stage="intake"} 7.0' in text


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("POST", "/livez", 405), ("PUT", "/metrics", 405)]
)
async def test_there_is_nothing_else_to_ask(method: str, path: str, status: int) -> None:
    """Other paths are not found, other methods not allowed."""
    async with asked(probes_of(intake=Said())) as ask:
        assert (await ask(path, method))[0] == status


async def test_the_port_of_the_settings_is_open_for_a_block() -> None:
    """`listening` opens the port of the settings, tells which one it is, and closes it at the end."""
    settings = Settings.model_validate({"http_host": "127.0.0.1", "http_port": 0})
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        async with (
            listening(settings, Metrics(()), lambda: ({}, 0.0)) as port,
            session.get(f"http://127.0.0.1:{port}/livez") as answer,
        ):
            assert answer.status == 200

        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"http://127.0.0.1:{port}/livez")


async def test_a_host_of_no_use_is_told() -> None:
    """An address that is not this machine's is the host's fault, not the port's."""
    probes = probes_of(intake=Said())

    with pytest.raises(ProbesError, match=r"^RW_HTTP_HOST: 192\.0\.2\.1:0 cannot be listened on: [A-Z][a-z ]+\.$"):
        await probes.start("192.0.2.1", 0)


async def test_a_taken_port_is_told() -> None:
    """A port that cannot be had stops the start with one sentence that names the variable."""
    probes = probes_of(intake=Said())
    async with probes, probes_of() as other:
        port = await probes.start("127.0.0.1", 0)

        with pytest.raises(ProbesError, match=rf"^RW_HTTP_PORT: 127\.0\.0\.1:{port} "):
            await other.start("127.0.0.1", port)
