"""Ports of this machine for the local broker: a free one, and whether a Kafka answers there. Loopback only."""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct

from pipeline.local.jars import BrokerError

HOST = "127.0.0.1"


def free_port(*taken: int) -> int:
    """A port that the kernel lets us bind, outside the range it gives to outgoing connections.

    A client that retries a port inside that range can end up connected to itself, which keeps a broker that comes back
    from binding it.
    """
    for _ in range(200):
        port = 20000 + secrets.randbelow(10000)
        if port not in taken and is_free(port):
            return port
    raise BrokerError("No free port between 20000 and 29999: name one with --port.")


def is_free(port: int) -> bool:
    """Whether the kernel lets a listener bind this port."""
    with socket.socket() as trial, contextlib.suppress(OSError):
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what is left of closed connections is no listener
        trial.bind((HOST, port))
        return True
    return False


def answers(host: str, port: int, *, timeout_s: float = 2.0) -> bool:
    """Whether a Kafka there answers a metadata request and names a broker, itself: only then can topics be created.

    By hand (Metadata, version 1, no topics), because the clients we have are asynchronous and log each refusal.
    """
    request = struct.pack(">hhih5si", 3, 1, 1, 5, b"ready", 0)
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as answer:
                _size, _correlation, brokers = struct.unpack(">iii", answer.read(12))
    except (OSError, struct.error):
        return False
    return bool(brokers > 0)
