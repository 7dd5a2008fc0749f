"""What is odd about the places where settings are written stops the start, or is told: nothing is dropped silently."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.settings import SettingsError, load_settings, unknown_variables


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No RW_ variable and no `.env` file of the developer reaches a test."""
    for name in list(os.environ):
        if name.upper().startswith("RW_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"RW_HTTP_PORT=1\n\nRW_SEAL_KEYS canary\n", ".env, line 3: it is not NAME=value."),
        (b"RW_HTTP_PORT=1\nRW_SEAL_KEYS='canary\n", ".env, line 2: it is not NAME=value."),
        (b"# a comment\n\n\nRW_SEAL_KEYS\n", ".env, line 4: it is not NAME=value."),
        (b"=canary\n", ".env, line 1: it is not NAME=value."),
        (b"RW_TOPIC_PREFIX=\xff\xfecanary\n", ".env is not text in UTF-8: write it anew."),
        (b"rw_http_port=1\n", "rw_http_port (.env) must be written in upper case, RW_HTTP_PORT, to be a setting."),
    ],
)
def test_an_env_file_of_no_use_stops_the_start(text: bytes, told: str) -> None:
    """A line that cannot be read, a byte that is no text, a name in lower case: file and line, never the content."""
    Path(".env").write_bytes(text)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value) == told


def test_an_env_file_may_hold_other_things() -> None:
    """Comments, empty lines, `export`, quotes, and what others keep there are no fault."""
    Path(".env").write_text("# ours\n\nexport RW_HTTP_PORT='81'\nOTHER\nother=1\nRW_TOPIC_PREFIX=\n")

    assert load_settings().http_port == 81
    assert unknown_variables() == []


def test_a_lower_case_variable_does_not_win_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting in lower case would be taken before the right one: it stops the start, by name."""
    monkeypatch.setenv("RW_HTTP_PORT", "8080")
    monkeypatch.setenv("rw_http_port", "1")

    with pytest.raises(SettingsError, match=r"^rw_http_port \(environment\) must be written in upper case"):
        load_settings()


def test_only_what_is_near_is_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    """What all settings have in common, RW_, makes no two of them alike."""
    for name in ("RW_PORT", "RW_FOO", "RW_HTTP_PROT"):
        monkeypatch.setenv(name, "1")

    assert unknown_variables() == [
        "RW_FOO is no setting.",
        "RW_HTTP_PROT is no setting: did you mean RW_HTTP_PORT?",
        "RW_PORT is no setting.",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RW_INTOUCH_ALLOWED_HOSTS", "https://user:canary@host.test"),
        ("RW_INTOUCH_ALLOWED_HOSTS", "https://user:can,ary@host.test"),
        ("RW_INTOUCH_ALLOWED_HOSTS", "https://ok.test,https://user:can/ary@host.test"),
        ("RW_KAFKA_BOOTSTRAP_SERVERS", "user:canary@host.test:9092"),
        ("RW_KAFKA_BOOTSTRAP_SERVERS", "user@host.test:9092"),
    ],
)
def test_a_credential_in_an_address_is_not_quoted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Where there may be a password the entry is counted, not quoted."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=f"^{name}: entry [12] is not") as caught:
        load_settings()

    assert not any(word in str(caught.value) for word in ("can", "ary", "user:", "user@"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("RW_STAGES", "cooking"), ("RW_INTOUCH_ALLOWED_HOSTS", "ftp://x.test"), ("RW_HTTP_PORT", "many")],
)
def test_a_wrong_value_is_told_once(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """The value stands in the sentence, once."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as caught:
        load_settings()

    assert str(caught.value).count(value) == 1
