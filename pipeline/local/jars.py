"""The files of the local Kafka: fetched once by Maven, kept beside the package in `.tools/kafka`, which git ignores.

Maven, because it is how Kafka is published as single jars with checksums, and because its mirrors and proxies are
already configured where people work. A folder counts as complete when its file `ready` says what
`kafka.xml` says, and it appears under its name all at once: an interrupted fetch, or another version, leaves nothing
that could be taken for this Kafka. Nothing is started here.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POM = Path(__file__).with_name("kafka.xml")
FETCH_S_MAX = 600
POINT_ELSEWHERE = "or set RW_KAFKA_BOOTSTRAP_SERVERS to a Kafka that runs already"


class BrokerError(Exception):
    """The local broker cannot be had; the message is one sentence that says why and what to do."""


def jars_folder() -> Path:
    """Where the jars belong: `.tools/kafka` of a checkout, or the user's cache for an installed package."""
    root = Path(__file__).resolve().parents[2]
    if (root / "pyproject.toml").exists():
        return root / ".tools" / "kafka"
    return Path.home() / ".cache" / "request-workflow" / "kafka"


def find_java() -> str:
    """The java to run; raises BrokerError with the sentence that people need where there is none."""
    java = shutil.which("java")
    if java is None:
        raise BrokerError(
            f"java was not found, so no local Kafka can run: install a JRE 17 or newer, {POINT_ELSEWHERE}."
        )
    return java


def ensure_jars(folder: Path | None = None) -> Path:
    """The folder with Kafka's jars (default `jars_folder()`), fetched with Maven when missing; at most 10 minutes.

    Safe to call from several programs at once: one fetches, the others wait for it. Raises BrokerError.
    """
    folder = folder or jars_folder()
    if not _complete(folder):
        find_java()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(folder.with_name(f"{folder.name}.lock")):
            if not _complete(folder):
                _fetch(folder)
    return folder


def _complete(folder: Path) -> bool:
    ready = folder / "ready"
    return ready.exists() and ready.read_text() == POM.read_text()


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # the holder is bound by FETCH_S_MAX, and so are we
        yield


def _fetch(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError(f"mvn was not found, so Kafka cannot be fetched: install Maven, {POINT_ELSEWHERE}.")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as place:
        fresh = Path(place) / "jars"
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={fresh}", "-Dmdep.overWriteReleases=true"]
        _run([maven, "-q", "-B", "-f", str(POM), *goal])
        if not list(fresh.glob("kafka_*.jar")):
            raise BrokerError(f"Maven ended well but brought no Kafka: run it by hand with {POM.name} and look.")
        (fresh / "ready").write_text(POM.read_text())
        shutil.rmtree(folder, ignore_errors=True)  # another version, or the rest of something else
        fresh.rename(folder)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FETCH_S_MAX, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise BrokerError(
            f"Maven did not fetch Kafka within {FETCH_S_MAX} s: look at the network, try again."
        ) from late
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if "ERROR" in line] or ["no error line"]
        raise BrokerError(f"Maven could not fetch Kafka (exit {done.returncode}): {lines[0][:300]}")
