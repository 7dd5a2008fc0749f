"""Chaos, small: workers and the broker die, freeze and come back under load, and nothing is lost or done twice.

The same run, longer, is `make chaos`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from broker.chaos import Plan, chaos


def test_chaos(broker: str, tmp_path: Path, figure: Callable[[str], None]) -> None:  # noqa: ARG001 - skips where no broker can be had
    """Every submission and decision comes to one thing, no call has its effect twice, and nothing is told differently
    a second time, through kills, a suspension and a restart of the broker.
    """
    told: list[str] = []

    found = chaos(Plan(requests=300, seconds_s=30, fault_every_s=4.2), tmp_path, told.append)

    assert not found.violations, "\n".join(found.lines())
    assert found.kills >= 4
    assert found.outages >= 1
    assert found.suspensions >= 1
    assert found.submitted == 300
    assert found.calls >= found.endings["approved"] > 150
    figure("chaos: " + "; ".join(" ".join(line.split()) for line in found.lines()))
