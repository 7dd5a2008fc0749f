"""What this layer must be told, as plain values, and the time limits that follow from it so that they nest.

The composition root maps the settings to this; the environment is not read here. The order that must hold: call
timeout < revocation < rebalance, and drain below the pod's grace period (contract, section 11, "Derived").
"""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass, field
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver

from pipeline.delivery.failure import Refused
from pipeline.surroundings import Limits

RECORD_BYTES = 3_000_000  # max.message.bytes of every topic (contract, section 4)
OVERHEAD_BYTES = 64 << 10  # what a batch adds to its records


@dataclass(frozen=True, slots=True)
class Security:
    """How to reach the brokers; names and values as the Kafka clients have them."""

    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    def credentials(self) -> Any:
        """As Faust wants them; None for a plain connection. Refused, by name, when something does not fit."""
        if self.protocol == "PLAINTEXT":
            return None
        context = self._context() if self.protocol in ("SSL", "SASL_SSL") else None
        if self.protocol == "SSL":
            return faust.SSLCredentials(context)
        if not (self.username and self.password):
            raise Refused(f"Kafka security protocol {self.protocol} needs a username and a password")
        return faust.SASLCredentials(
            username=self.username, password=self.password, mechanism=self.mechanism or "PLAIN", ssl_context=context
        )

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError as problem:
            raise Refused(f"cannot read the Kafka CA file {self.ca_file}: {problem}") from problem


@dataclass(frozen=True, slots=True)
class Options:
    """Everything but the stages. Seconds end in `_s`."""

    bootstrap: tuple[str, ...]
    security: Security = field(default_factory=Security)
    prefix: str = ""
    partitions: int = 12
    session_s: float = 20.0
    call_s: float = 35.0  # how long one call to Intouch may take
    limits: Limits = field(default_factory=Limits)
    commit_every_s: float = 0.5  # what is repeated after a kill; measured: a tenth of what 1 s repeats
    commit_s: float = 10.0  # one attempt to commit
    start_s: float = 180.0  # until every stage is ready, loading included
    stall_s: float = 60.0  # loading without progress
    silent_s: float = 900.0  # a broker has closed a silent connection by then (connections.max.idle.ms, 10 minutes)

    @property
    def heartbeat_s(self) -> float:
        return self.session_s / 6

    @property
    def revoke_s(self) -> float:
        """What was begun may end before its partitions are given away."""
        return self.call_s + 10

    @property
    def rebalance_s(self) -> float:
        return max(60.0, self.revoke_s + 15)

    @property
    def drain_s(self) -> float:
        return self.call_s + 10

    @property
    def late_writes_s(self) -> float:
        """Two sessions plus the longest write, which the lease bounds by a third (design, "Late writes")."""
        return 3 * self.session_s

    @property
    def frozen_writes_s(self) -> float:
        """Nothing of a predecessor is under way, however long it was frozen. No request begins without the lease; one
        that had begun goes on when the process does, as far as the broker has kept the connection.
        """
        return self.late_writes_s + self.silent_s

    def client(self) -> dict[str, Any]:
        """What every Kafka client of this process is given: where, and how to get in."""
        auth = driver.credentials_to_aiokafka_auth(self.security.credentials())
        return {"bootstrap_servers": list(self.bootstrap), **auth}


def faust_settings(options: Options) -> dict[str, Any]:
    """Settings of a Faust app. What is not named here we do not use; what is named, we rely upon."""
    return {
        "broker": [f"kafka://{server}" for server in options.bootstrap],
        "broker_credentials": options.security.credentials(),
        "processing_guarantee": "at_least_once",
        "broker_session_timeout": options.session_s,
        "broker_heartbeat_interval": options.heartbeat_s,
        "broker_rebalance_timeout": options.rebalance_s,
        "broker_request_timeout": options.rebalance_s + 30,
        "broker_commit_interval": options.commit_every_s,
        "broker_commit_livelock_soft_timeout": 3600.0,
        "broker_max_poll_records": 500,
        "broker_max_poll_interval": 1000.0,
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": RECORD_BYTES + OVERHEAD_BYTES,
        "topic_partitions": options.partitions,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "key_serializer": "raw",
        "value_serializer": "raw",
        "store": "memory://",
        "table_standby_replicas": 0,
        "stream_buffer_maxsize": 4096,
        "stream_wait_empty": True,
        "stream_recovery_delay": 0.0,
        "stream_processing_timeout": 3600.0,
        "cython_optimizations": False,
        "producer_threaded": False,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
        "datadir": tempfile.gettempdir(),
    }
