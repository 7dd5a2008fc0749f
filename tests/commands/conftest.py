"""Runs commands of the console script inside the test's process, with an environment of the test's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import pytest

from pipeline.__main__ import main

SECRET = "obviously-fake-secret-of-more-than-32-bytes"


class Ran(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def secret() -> str:
    """An HS256 secret that protects nothing."""
    return SECRET


@pytest.fixture
def run(monkeypatch, tmp_path, capfd) -> Run:
    """`run("settings", "--check", RW_STAGES="intake")`: no other RW_ variables and no `.env` file get in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in [name for name in os.environ if name.startswith("RW_")]:
        monkeypatch.delenv(name)

    def run_command(*arguments: str, **variables: str) -> Ran:
        with monkeypatch.context() as environment:
            for name, value in variables.items():
                environment.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main(list(arguments))
        out, err = capfd.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return run_command
