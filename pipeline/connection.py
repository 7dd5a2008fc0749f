"""How a Kafka client of ours reaches the brokers: its options from the settings, and a knock that explains itself.

For admin clients and the commands; the Faust apps have their own credentials type. aiokafka's clients only say that
they are "unable to bootstrap" and log the reason: the knock returns it as one sentence. No topic may be known here.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import IllegalSaslStateError, KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

from pipeline.settings import Settings

KNOCK_S_MAX = 10.0


class ConnectionProblem(Exception):
    """No broker can be used; the message is one sentence that says which, why, and what to look at."""


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for aiokafka's clients. Raises ConnectionProblem for a bad CA file."""
    return {"bootstrap_servers": list(settings.kafka_bootstrap_servers), **_security(settings)}


async def knock(settings: Settings) -> None:
    """Connect to one of the brokers, log in, and hang up; at most 10 s per broker. Raises ConnectionProblem."""
    reasons = []
    for server in settings.kafka_bootstrap_servers:
        reason = await _reason_against(server, settings)
        if reason is None:
            return
        reasons.append(f"{server} ({reason})")
    raise ConnectionProblem(f"No Kafka broker can be used, see RW_KAFKA_BOOTSTRAP_SERVERS: {', '.join(reasons)}.")


def _security(settings: Settings) -> dict[str, Any]:
    protocol = settings.kafka_security_protocol
    options: dict[str, Any] = {"security_protocol": protocol}
    if protocol.startswith("SASL"):
        settings.require("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
        password = settings.kafka_sasl_password
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": password.get_secret_value() if password else None,
        }
    if protocol.endswith("SSL"):
        options["ssl_context"] = ssl_context(settings)
    return options


def ssl_context(settings: Settings) -> ssl.SSLContext:
    """Trust in the CA of the settings, or in the system's; host names are checked. Raises ConnectionProblem."""
    try:
        return ssl.create_default_context(cafile=settings.kafka_ssl_ca_file)
    except OSError as problem:
        told = (problem.reason if isinstance(problem, ssl.SSLError) else None) or problem.strerror or str(problem)
        raise ConnectionProblem(f"RW_KAFKA_SSL_CA_FILE: {settings.kafka_ssl_ca_file} is of no use: {told}.") from None


async def _reason_against(server: str, settings: Settings) -> str | None:
    """Why this broker cannot be used, or None."""
    host, _, port = server.rpartition(":")
    try:
        async with asyncio.timeout(KNOCK_S_MAX):
            opened = await create_conn(
                host.strip("[]"), int(port), request_timeout_ms=int(KNOCK_S_MAX * 1000), **_security(settings)
            )
    except (OSError, KafkaError, UnicodeError) as problem:  # a TimeoutError is an OSError; no name has such letters
        return _told(problem, settings)
    opened.close()
    return None


def _told(problem: Exception, settings: Settings) -> str:
    """The first row that fits, else the problem's own words."""
    protocol = f"RW_KAFKA_SECURITY_PROTOCOL, which is {settings.kafka_security_protocol}"
    login = f"it refused the login of {settings.kafka_sasl_username}: see RW_KAFKA_SASL_USERNAME and _PASSWORD"
    rows: list[tuple[type[Exception], str]] = [
        (SaslAuthenticationFailed, login),
        (IllegalSaslStateError, f"it wants no login, see {protocol}"),
        (UnsupportedSaslMechanismError, f"it knows no login by {settings.kafka_sasl_mechanism}"),
        (TimeoutError, f"no answer within {KNOCK_S_MAX:.0f} s"),
        (ssl.SSLError, f"TLS failed, {getattr(problem, 'reason', None) or problem}: see RW_KAFKA_SSL_CA_FILE"),
        (ConnectionRefusedError, "nobody listens there"),
        (ConnectionError, f"it hung up on us: does it speak as we do? See {protocol}"),
    ]
    fits = (told for kind, told in rows if isinstance(problem, kind))
    return next(fits, str(problem).replace("\n", " ") or type(problem).__name__)
