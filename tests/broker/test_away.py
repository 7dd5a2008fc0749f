"""An idle worker while its broker is away and when it is back: what its port says, and how little its log says."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from broker.world import World, until

from pipeline.local.broker import LocalBroker

LINES_MAX = 60  # it used to be 300 a second


def test_away_and_back(broker: str, prefix: str, tmp_path: Path) -> None:  # noqa: ARG001 - skips where none can be had
    """Not ready and alive once the lease is over, ready again afterwards; the log tells each of that once."""
    with LocalBroker() as local:
        world = World(local.bootstrap, prefix, tmp_path)
        try:
            world.create_topics()
            worker = world.worker().ready()
            early = [line for line in worker.log.read_text().splitlines() if '"error"' in line]

            local.kill()
            until(lambda: worker.get("/readyz")[0] == 503, "not ready without a broker", 30)
            metrics = worker.get("/metrics")[1]
            alive = worker.get("/livez")[0]
            until(lambda: worker.lines("lease over"), "the lease is told to be over", 10)
            local.start()
            until(lambda: worker.get("/readyz")[0] == 200, "ready again", 60)
            until(lambda: worker.lines("kafka back"), "it is told to be back", 10)

            assert early == [], "a young broker is no error"
            assert 'rw_ready{stage="intake"} 0.0' in metrics
            assert alive == 200
            assert [len(worker.lines(event)) for event in ("kafka away", "lease over", "kafka back")] == [1, 1, 1]
            assert len(worker.log.read_text().splitlines()) < LINES_MAX
            assert worker.end() == 0
        finally:
            world.close()


@pytest.mark.parametrize("moment", ["http", "loaded"])
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_start_can_be_called_off(world: World, number: str, moment: str) -> None:
    """A signal in the middle of the start ends it with 0, and nobody complains."""
    worker = world.worker()
    until(lambda: worker.lines(moment), f"the log says {moment}", 60)

    worker.popen.send_signal(getattr(signal, number))

    assert worker.popen.wait(30) == 0
    said = worker.log.read_text()
    assert "Traceback" not in said
    assert "never retrieved" not in said
