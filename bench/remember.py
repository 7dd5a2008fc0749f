"""What a pending and a finished request cost in memory, and how long a worker needs to load many: `make remember`.

Memory is counted on the product's own shelves, filled with what the real stages write. Loading is shown by a real
worker process on a real Kafka of this run's own. Progress goes to stderr, the figures to stdout; exit status 1, and a
sentence for each, when a figure is beyond its limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import json
import multiprocessing
import secrets
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from bench.changelogs import fresh, put, worn
from bench.entries import Life, lives, other_ids
from pipeline.delivery.memory import Shelf
from pipeline.local.broker import LocalBroker
from pipeline.local.fetch import fetch_kafka
from pipeline.local.worker import LocalWorker
from pipeline.postings import Phase, partition_of, position
from pipeline.provision import create_missing
from pipeline.settings import Settings
from pipeline.topology import wanted_topics
from pipeline.trust.sealing import new_key

# What the project requires with 100,000 requests of 1 kB; nothing else in the repository says these numbers.
PENDING_BYTES_MAX = 3000.0
FINISHED_BYTES_MAX = 300.0  # per table: approval's and execution's each
RECOVERY_S_MAX = 30.0

READY_S_MAX = 180.0  # then the run is given up: what takes longer than it may is to be measured, too
SEEN_S_MAX = 60.0
MANY = 1000  # from here on, figures are shown without a fraction
WATCH_S = 12.0  # the worker's own figure of the loop's lateness covers ten seconds
POLL_S = 0.1
WIDTH = 140  # of what is read later, from a file

progress = Console(stderr=True)
figures = Console(width=None if sys.stdout.isatty() else WIDTH)


# -- memory


class Cost(NamedTuple):
    """Bytes per entry: the value alone, what Python asked for, and by how much the process grew."""

    value: float
    asked: float
    grown: float


def cost_of(values: Sequence[tuple[Life, bytes]], count: int, shelves: int) -> Cost:
    """Of so many entries, spread over the shelves as over partitions. Runs in a process of its own."""
    sources = [other_ids(life, value) for life, value in values]
    gc.collect()
    before = _resident()
    kept = _filled(sources, count, shelves)
    grown = _resident() - before
    size = sum(len(value) for shelf in kept for _, value in shelf.items())
    del kept
    tracemalloc.start()
    began = tracemalloc.get_traced_memory()[0]
    kept = _filled(sources, count, shelves)
    asked = tracemalloc.get_traced_memory()[0] - began
    assert len(kept) == shelves
    return Cost(size / count, asked / count, grown / count)


def _filled(sources: Sequence[Iterator[tuple[bytes, bytes]]], count: int, shelves: int) -> list[Shelf]:
    kept = [Shelf() for _ in range(shelves)]
    for offset, source in zip(range(count), itertools.cycle(sources), strict=False):
        key, value = next(source)
        kept[partition_of(key, shelves)].note(key, position(offset, Phase.MEMORY), value)
    return kept


def _resident() -> int:
    """Bytes of this process that are in memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) << 10
    raise RuntimeError("this system does not say how large a process is: /proc/self/status has no VmRSS")


def over(what: str, figure: float, most: float, unit: str) -> list[str]:
    """A sentence, if the figure is beyond its limit."""
    return [f"{what}: {figure:,.1f} {unit}, and at most {most:,.0f} {unit} are allowed"] if figure > most else []


def show_memory(stages: Sequence[Life], count: int, shelves: int) -> list[str]:
    """A table: what an entry costs, by what it is. Returns what costs more than it may."""
    rows = {
        "pending, on the desk": ([(life, life.waiting) for life in stages], PENDING_BYTES_MAX),
        "finished, in approval": ([(life, life.settled) for life in stages], FINISHED_BYTES_MAX),
        "finished, in execution": ([(life, life.finished) for life in stages], FINISHED_BYTES_MAX),
    }
    found = []
    title = f"{count:,} entries on {shelves} shelves, of submissions of {stages[0].submission_bytes} B: bytes per entry"
    table = Table("a request that is", "its value", "as allocated", "as the process grew", title=title)
    for name, (values, most) in rows.items():
        progress.print(f"filling: {name}")
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            cost = pool.submit(cost_of, values, count, shelves).result()
        table.add_row(name, *(f"{figure:,.0f}" for figure in cost))
        found += over(f"a request that is {name}", max(cost.asked, cost.grown), most, "B")
    figures.print(table)
    return found


# -- loading


class Loading(NamedTuple):
    """What a worker showed. From its start to `/readyz`, and to `rw_pending` with all; what loading the desk took; by
    how much the loop was late at worst, at its start and at work.
    """

    ready_s: float
    recovery_s: float
    counted_s: float
    late_at_start_ms: float
    late_at_work_ms: float
    resident_mb: float
    pending: float


class Port:
    """The worker's HTTP port."""

    def __init__(self, session: aiohttp.ClientSession, worker: LocalWorker) -> None:
        self._session, self._worker = session, worker
        self._base = ""

    async def until(self, holds: Callable[[], Any], what: str, within_s: float) -> Any:
        """What it gives, as soon as that is something; raises RuntimeError with the worker's last words."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._worker.exit_code is None:
                    if found := await holds():
                        return found
                    await asyncio.sleep(POLL_S)
        raise RuntimeError(f"not within {within_s:.0f} s: {what}\n" + "\n".join(self._worker.last_lines(5)))

    async def is_ready(self) -> bool:
        if not self._base:
            said = [json.loads(line) for line in self._worker.last_lines(50) if line.startswith("{")]
            ports = [line["port"] for line in said if line.get("event") == "http"]
            self._base = f"http://127.0.0.1:{ports[0]}" if ports else ""
        return bool(self._base) and (await self._get("/readyz"))[0] == HTTPStatus.OK

    async def metric(self, name: str, label: str = "") -> float:
        """The sum of all its samples with this label."""
        _, text = await self._get("/metrics")
        lines = (line.rpartition(" ") for line in text.splitlines() if label in line)
        return sum(float(value) for said, _, value in lines if said.partition("{")[0] == name)

    async def late_ms(self) -> float:
        """By how much the loop was late at worst, of the last ten seconds."""
        return 1000 * float(json.loads((await self._get("/livez"))[1])["loopLateS"])

    async def _get(self, path: str) -> tuple[int, str]:
        async with self._session.get(self._base + path, timeout=aiohttp.ClientTimeout(total=10)) as answer:
            return answer.status, await answer.text()


async def watch(settings: Settings, count: int) -> Loading:
    """Start a worker, and look at it until it has counted its memory and worked on for a while."""
    began = time.monotonic()
    async with LocalWorker(settings) as worker, aiohttp.ClientSession() as session:
        port = Port(session, worker)
        await port.until(port.is_ready, "the worker is ready", READY_S_MAX)
        ready_s, late_at_start_ms = time.monotonic() - began, await port.late_ms()

        async def has_counted() -> bool:
            return await port.metric("rw_pending") == count

        await port.until(has_counted, f"rw_pending counts {count}", SEEN_S_MAX)
        counted_s = time.monotonic() - began
        await asyncio.sleep(WATCH_S)  # until the lateness of the start is forgotten
        return Loading(
            ready_s,
            await port.metric("rw_recovery_seconds", 'stage="approval"'),
            counted_s,
            late_at_start_ms,
            await port.late_ms(),
            await port.metric("process_resident_memory_bytes") / 1e6,
            await port.metric("rw_pending"),
        )


async def show_loading(settings: Settings, stages: Sequence[Life], count: int) -> list[str]:
    """A table: a worker's start on these changelogs. Returns what takes longer than it may."""
    found = []
    table = Table("a changelog of", "records", *(name.replace("_", " ") for name in Loading._fields))
    table.title = f"A worker with all stages, {count:,} pending requests, {settings.topic_partitions} partitions"
    cases = {
        "nothing": iter(()),
        "pending requests alone": fresh(stages, count),
        "overwritten ones": worn(stages, count),
    }
    for number, (name, writes) in enumerate(cases.items()):
        here = settings.model_copy(update={"topic_prefix": f"remember-{number}."})
        progress.print(f"writing: {name}")
        await create_missing(here, wanted_topics(here))
        records = await asyncio.to_thread(put, here, writes, progress.print)
        progress.print("starting a worker")
        shown = await watch(here, count if records else 0)
        table.add_row(
            name, f"{records:,}", *(f"{figure:,.4g}" if figure < MANY else f"{figure:,.0f}" for figure in shown)
        )
        found += over(f"recovery of {name}, to /readyz", shown.ready_s, RECOVERY_S_MAX, "s")
    figures.print(table)
    return found


def own_settings() -> Settings:
    """Made for this run: secrets that nobody else has, and a port that is free."""
    return Settings(
        _env_file=None,
        jwt_hs256_secret=SecretStr(secrets.token_urlsafe(48)),
        seal_keys=SecretStr(new_key()),
        http_host="127.0.0.1",
        http_port=0,
    )


def main(count: int = 100_000, *, loading: bool = True) -> None:
    """Print what COUNT pending and finished requests cost; without --loading no Kafka is needed."""
    settings = own_settings()
    stages = lives(settings)
    found = show_memory(stages, count, settings.topic_partitions)
    if loading:
        fetch_kafka()
        progress.print("starting Kafka")
        with LocalBroker() as broker:
            here = settings.model_copy(update={"kafka_bootstrap_servers": (broker.bootstrap,)})
            found += asyncio.run(show_loading(here, stages, count))
    for sentence in found:
        progress.print(f"Too much: {sentence}.")
    raise typer.Exit(1 if found else 0)


if __name__ == "__main__":
    typer.run(main)
