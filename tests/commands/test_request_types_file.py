"""A wrong RW_REQUEST_TYPES_FILE stops the start, before anybody asks a broker: one line that says where."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipeline.trust.sealing import new_key

WRONG = {
    "[EARN_BADGE]\nenable = true\n": "[EARN_BADGE] enable: is no key",
    "[EARN_BADGE]\nenabled = 1\n": "[EARN_BADGE] enabled: Input should be a valid boolean, not 1.",
    "[COFFEE]\n": "[COFFEE]: is no request type",
    "[EARN_BADGE]\n[EARN_BADGE]\n": "is not TOML: Cannot declare ('EARN_BADGE',) twice",
    "[EARN_BADGE]\nenabled = " + "[" * 20_000: "holds a number or a nesting beyond all bounds.",
}


@pytest.fixture
def good(secret):
    """What a worker cannot do without."""
    return {"RW_JWT_HS256_SECRET": secret, "RW_SEAL_KEYS": new_key()}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:30])
def test_the_check_tells_it(text, good, run, tmp_path):
    """`settings --check` says the sentence and ends with 1."""
    path = tmp_path / "types.toml"
    path.write_text(text)

    ran = run("settings", "--check", RW_REQUEST_TYPES_FILE=str(path), **good)

    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert ran.err.startswith(f"RW_REQUEST_TYPES_FILE: {path}")
    assert WRONG[text] in ran.err


@pytest.mark.parametrize("text", [next(iter(WRONG)), None], ids=lambda text: str(text)[:30])
def test_the_worker_does_not_start(text, good, tmp_path):
    """The same sentence from a real worker, with exit code 1; a missing file, too. No broker listens at the address."""
    path = tmp_path / "types.toml"
    if text is not None:
        path.write_text(text)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RW_")} | good
    environment |= {"RW_REQUEST_TYPES_FILE": str(path), "RW_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}

    ended = subprocess.run(
        [sys.executable, "-m", "pipeline", "worker"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    said = [line for line in (ended.stdout + ended.stderr).splitlines() if "RW_REQUEST_TYPES_FILE" in line]
    assert (ended.returncode, len(said)) == (1, 1)
    assert WRONG.get(text, "cannot be read: No such file or directory.") in said[0]
    assert "Traceback" not in ended.stdout + ended.stderr
