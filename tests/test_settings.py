"""Settings: defaults, sources, and the one sentence that a wrong value gets."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from pipeline.describe import describe
from pipeline.settings import Settings, SettingsError, load_settings, unknown_variables

SECRET = "not-a-real-secret-not-a-real-secret"
KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No RW_ variable and no `.env` file of the developer reaches a test."""
    for name in list(os.environ):
        if name.upper().startswith("RW_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_an_empty_environment_is_enough_for_commands_without_secrets() -> None:
    """Without any variable the settings are the contract's defaults."""
    settings = load_settings()

    assert settings.kafka_bootstrap_servers == ("127.0.0.1:9092",)
    assert (settings.topic_partitions, settings.topic_replication, settings.topic_prefix) == (12, 1, "")
    assert settings.stages == ("intake", "validation", "approval", "execution")
    assert (settings.remember_s, settings.retention_s, settings.segment_s) == (604800, 259200, 86400)
    assert settings.intouch_allowed_hosts == ()


def test_allowed_hosts_are_read_as_the_client_reads_them() -> None:
    """One canonical spelling, whoever reads it: the settings, validation and the client compare the same texts."""
    settings = Settings(
        _env_file=None, intouch_allowed_hosts="HTTPS://B.example:443/, http://a.example:81,https://b.example"
    )

    assert settings.intouch_allowed_hosts == ("http://a.example:81", "https://b.example")


def test_derived_limits_nest() -> None:
    """A call ends before a revocation gives up, that before the rebalance, and a drain before the supervisor kills."""
    settings = Settings(_env_file=None, intouch_timeout_s=100)

    assert (settings.revoke_s, settings.rebalance_s, settings.drain_s, settings.grace_s) == (110, 125, 110, 135)
    assert Settings(_env_file=None, intouch_timeout_s=1).rebalance_s == 60


def test_the_environment_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A variable of the environment is taken before the same one in `.env`."""
    (tmp_path / ".env").write_text("RW_TOPIC_PREFIX=fromfile.\nRW_TOPIC_PARTITIONS=3\n")
    monkeypatch.setenv("RW_TOPIC_PREFIX", "fromenv.")

    settings = load_settings()

    assert (settings.topic_prefix, settings.topic_partitions) == ("fromenv.", 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RW_KAFKA_BOOTSTRAP_SERVERS", "localhost"),
        ("RW_KAFKA_BOOTSTRAP_SERVERS", "localhost:99999"),
        ("RW_KAFKA_BOOTSTRAP_SERVERS", "localhost:0"),
        ("RW_KAFKA_BOOTSTRAP_SERVERS", "a..b:9092"),
        ("RW_KAFKA_BOOTSTRAP_SERVERS", f"{'a' * 64}.example:9092"),
        ("RW_KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("RW_KAFKA_SASL_MECHANISM", "GSSAPI"),
        ("RW_TOPIC_PREFIX", "a b"),
        ("RW_TOPIC_PARTITIONS", "0"),
        ("RW_TOPIC_REPLICATION", "none"),
        ("RW_STAGES", "intake,intake"),
        ("RW_STAGES", "cooking"),
        ("RW_JWT_HS256_SECRET", "short"),
        ("RW_JWT_MAX_AGE_S", "-1"),
        ("RW_SEAL_KEYS", f"{KEY},c2hvcnQ="),
        ("RW_INTOUCH_ALLOWED_HOSTS", "https://example.test/path"),
        ("RW_INTOUCH_ALLOWED_HOSTS", "https://example.test:99999"),
        ("RW_INTOUCH_ALLOWED_HOSTS", "https://*.example.test"),
        ("RW_INTOUCH_ALLOWED_HOSTS", "https://a.example.test,http://169.254.169.254"),
        ("RW_INTOUCH_TIMEOUT_S", "0"),
        ("RW_INTOUCH_MAX_IN_FLIGHT", "many"),
        ("RW_INTOUCH_MAX_PER_ORIGIN", "0"),
        ("RW_INTOUCH_RATE_PER_ORIGIN", "-1"),
        ("RW_INTOUCH_RATE_PER_ORIGIN", "nan"),
        ("RW_KAFKA_SESSION_TIMEOUT_S", "5"),
        ("RW_PROGRESS_EVENTS", "perhaps"),
        ("RW_HTTP_PORT", "70000"),
        ("RW_LOG_FORMAT", "xml"),
        ("RW_LOG_LEVEL", "loud"),
        ("RW_REMEMBER_S", "432000"),
    ],
)
def test_a_wrong_value_gets_one_sentence_with_its_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """The error is one line, begins with the variable and ends with a full stop."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    told = str(caught.value)
    assert told.startswith(name)
    assert told.endswith(".")
    assert "\n" not in told


@pytest.mark.parametrize(
    ("name", "value"),
    [("RW_JWT_HS256_SECRET", "canary-secret"), ("RW_SEAL_KEYS", "canary-secret"), ("RW_SEAL_KEYS", f"{KEY},canary")],
)
def test_an_error_never_tells_a_secret(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Neither the sentence nor the exception it comes from holds the wrong secret."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_memory_must_outlast_what_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One second more than retention and twice the segment is enough, and with short segments a minute is added."""
    monkeypatch.setenv("RW_REMEMBER_S", "432001")
    assert load_settings().remember_s == 432001

    for name, value in {"RW_RETENTION_S": "100", "RW_SEGMENT_S": "10", "RW_REMEMBER_S": "170"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"^RW_REMEMBER_S \(170\) must exceed .* \(170\)"):
        load_settings()


def test_a_secret_comes_from_a_mounted_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`RW_…_FILE` names a file, whose last line end does not belong to the secret."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    monkeypatch.setenv("RW_JWT_HS256_SECRET_FILE", str(tmp_path / "secret"))

    secret = load_settings().jwt_hs256_secret

    assert secret is not None
    assert secret.get_secret_value() == SECRET


@pytest.mark.parametrize("name", ["RW_JWT_HS256_SECRET", "RW_SEAL_KEYS", "RW_KAFKA_SASL_PASSWORD"])
@pytest.mark.parametrize("fault", ["both", "absent", "empty", "binary"])
def test_a_mounted_secret_can_be_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, fault: str) -> None:
    """Set twice, not there, empty or not text: one sentence that names the variable."""
    file = tmp_path / "secret"
    file.write_bytes({"empty": b"\n", "binary": b"\xff\xfe"}.get(fault, SECRET.encode()))
    monkeypatch.setenv(f"{name}_FILE", str(file) if fault != "absent" else str(tmp_path / "nowhere"))
    if fault == "both":
        monkeypatch.setenv(name, SECRET)

    with pytest.raises(SettingsError, match=rf"^{name}( and {name})?_FILE") as caught:
        load_settings()

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"RW_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "RW_KAFKA_SASL_MECHANISM must be set"),
        ({"RW_KAFKA_SASL_PASSWORD": "x"}, "RW_KAFKA_SASL_PASSWORD would not be used"),
        ({"RW_KAFKA_SSL_CA_FILE": "ca.pem"}, "RW_KAFKA_SSL_CA_FILE would not be used"),
        ({"RW_JWT_HS256_SECRET": SECRET, "RW_JWT_JWKS_FILE": "keys.json"}, "RW_JWT_HS256_SECRET and RW_JWT_JWKS_FILE"),
    ],
)
def test_settings_that_contradict_each_other(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], sentence: str
) -> None:
    """What would be ignored or is half said stops the start."""
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value).startswith(sentence)


def test_only_the_worker_needs_secrets() -> None:
    """The worker is refused by name for each secret it lacks, and content with a token key and a sealing key."""
    bare = load_settings()
    with pytest.raises(SettingsError, match=r"^RW_JWT_HS256_SECRET is not set"):
        bare.require_worker()
    with pytest.raises(SettingsError, match=r"^RW_SEAL_KEYS is not set"):
        Settings(_env_file=None, jwt_jwks_file=Path("keys.json")).require_worker()

    Settings.model_validate({"jwt_hs256_secret": SECRET, "seal_keys": KEY}).require_worker()


def test_a_slip_of_the_pen_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A RW_ variable that is no setting is named, with the one that was probably meant."""
    monkeypatch.setenv("RW_TOPIC_PARTITION", "3")
    (tmp_path / ".env").write_text("RW_UTTERLY_DIFFERENT=1\n")

    assert unknown_variables() == [
        "RW_TOPIC_PARTITION is no setting: did you mean RW_TOPIC_PARTITIONS?",
        "RW_UTTERLY_DIFFERENT is no setting.",
    ]


def test_each_setting_is_described_and_no_secret_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every row has a meaning and a source; secrets are only said to be set."""
    (tmp_path / "keys").write_text(KEY)
    (tmp_path / ".env").write_text("RW_TOPIC_PARTITIONS=3\n")
    monkeypatch.setenv("RW_SEAL_KEYS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("RW_JWT_HS256_SECRET", SECRET)

    rows = {row.name: row for row in describe(load_settings())}

    assert all(row.meaning for row in rows.values())
    assert rows["RW_SEAL_KEYS"][1:3] == ("set, hidden", f"file {tmp_path / 'keys'}")
    assert rows["RW_JWT_HS256_SECRET"][1:3] == ("set, hidden", "environment")
    assert rows["RW_TOPIC_PARTITIONS"][1:3] == ("3", ".env")
    assert rows["RW_HTTP_PORT"][1:3] == ("8080", "default")
    assert SECRET not in str(rows)
    assert KEY not in str(rows)


def test_a_dump_of_the_settings_hides_secrets() -> None:
    """Neither repr nor str of Settings holds a secret."""
    settings = Settings.model_validate({"jwt_hs256_secret": SECRET, "seal_keys": KEY})

    assert SECRET not in f"{settings!r} {settings}"
    assert KEY not in f"{settings!r} {settings}"
