"""How our Kafka clients are told to connect, and what a wrong CA file is told. The knock itself: tests/broker."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from pipeline.connection import ConnectionProblem, client_options
from pipeline.settings import Settings

LOGIN = {
    "kafka_sasl_mechanism": "SCRAM-SHA-512",
    "kafka_sasl_username": "alice",
    "kafka_sasl_password": "not-a-real-one",
}


def options_for(**given: object) -> dict[str, object]:
    """The client's options for these settings."""
    return client_options(Settings.model_validate(given))


def test_a_plain_connection_needs_nothing() -> None:
    """By default there are brokers and a protocol, and no login or TLS."""
    assert options_for() == {"bootstrap_servers": ["127.0.0.1:9092"], "security_protocol": "PLAINTEXT"}


def test_a_login_is_handed_on() -> None:
    """With SASL the mechanism, the user and the password reach the client."""
    options = options_for(kafka_security_protocol="SASL_PLAINTEXT", **LOGIN)

    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("alice", "not-a-real-one")
    assert "ssl_context" not in options


@pytest.mark.parametrize(
    "given", [{"kafka_security_protocol": "SSL"}, {"kafka_security_protocol": "SASL_SSL", **LOGIN}]
)
def test_tls_checks_certificate_and_host_name(given: dict[str, str]) -> None:
    """With TLS the broker must prove who it is."""
    context = options_for(**given)["ssl_context"]

    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_ca_file_of_no_use_is_told(tmp_path: Path, text: str | None) -> None:
    """Missing or no certificate: one sentence with the variable and the file."""
    file = tmp_path / "ca.pem"
    if text:
        file.write_text(text)

    with pytest.raises(ConnectionProblem, match=r"^RW_KAFKA_SSL_CA_FILE: .*ca\.pem is of no use"):
        options_for(kafka_security_protocol="SSL", kafka_ssl_ca_file=file)
