"""The settings in force as rows for people: name, value, where it comes from, meaning. Secrets are never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr

from pipeline.environment import ENV_FILE, found_variables
from pipeline.settings import SECRETS, Settings, variable


class Described(NamedTuple):
    """One setting. `source` is `default`, `environment`, the `.env` file's name, or `file PATH` of a mounted secret."""

    name: str
    value: str
    source: str
    meaning: str


def describe(settings: Settings, env_file: Path | None = ENV_FILE) -> list[Described]:
    """All settings in the order of the contract; `env_file` is the one that they were loaded with."""
    found = found_variables(env_file)
    return [
        Described(
            variable(name), _shown(getattr(settings, name)), _source(settings, name, found), field.description or ""
        )
        for name, field in Settings.model_fields.items()
        if not field.exclude
    ]


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, SecretStr):
        return "set, hidden"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _source(settings: Settings, name: str, found: dict[str, str]) -> str:
    mounted = getattr(settings, f"{name}_file") if name in SECRETS else None
    return f"file {mounted}" if mounted else found.get(variable(name), "default")
