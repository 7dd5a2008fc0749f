"""Has Kafka's files in place before a broker starts, and lets people see that this can take a minute, once."""

from __future__ import annotations

import sys

from pipeline.client.waits import waiting
from pipeline.local.jars import ensure_jars, jars_folder


def fetch_kafka() -> None:
    """Fetch what is missing. Raises BrokerError, whose sentence says what to install."""
    if not (jars_folder() / "ready").exists():
        sys.stderr.write("Fetching Kafka's files with Maven, this first time only; it can take a minute.\n")
    with waiting("Kafka's files"):
        ensure_jars()
