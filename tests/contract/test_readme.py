"""The README tells the truth: its picture is the table, its commands and files exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.domain.decisions import read_decision
from pipeline.domain.jsontext import read_json
from pipeline.domain.states import diagram
from pipeline.domain.transport import read_transport
from pipeline.domain.tries import printed

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
TOPICS = (ROOT / "topics" / "README.md").read_text()


SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


class Producer:
    """Notes what is published; what is not flushed may never arrive."""

    def __init__(self, _options: dict[str, Any]) -> None:
        self.waiting: list[Any] = []
        self.sent: list[Any] = []

    def produce(self, topic: str, *, value: str, headers: dict[str, str]) -> None:
        self.waiting.append((topic, read_json(value), [(name, held.encode()) for name, held in headers.items()]))

    def flush(self) -> None:
        self.sent += self.waiting
        self.waiting.clear()


def block(name: str, text: str = README) -> str:
    """What stands between the two marks of this name."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL)
    assert found, f"the marks for {name} are gone"
    return found[1].strip()


def test_picture_is_the_table() -> None:
    """The state diagram in the README is made from the table of states."""
    assert block("states") == f"```mermaid\n{diagram()}\n```", "paste what pipeline.domain.states.diagram() gives"


def test_endings_are_the_table() -> None:
    """What follows from which end of a call is printed from the table that decides it."""
    assert block("endings", TOPICS) == printed(), "paste what pipeline.domain.tries.printed() gives"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:pipeline|tests|topics|k8s)/[\w./-]*)`", README))))
def test_named_files_exist(path: str) -> None:
    """Whatever file or folder the README names is there."""
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z-]+)", README))))
def test_named_targets_exist(target: str) -> None:
    """Whatever target the README names is in the Makefile."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_snippets_publish_what_intake_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both snippets, run as they stand but for the client, publish well-formed records, and wait until they are out."""
    for name in ("maker.jwt", "checker.jwt"):
        (tmp_path / name).write_text("a.fake.token\n")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"Producer": Producer, "request_id": "an-id", "digest": "0" * 64}
    for snippet in SNIPPETS:
        exec(snippet.replace("from confluent_kafka import Producer", ""), names)  # noqa: S102 - our own README

    (requests, submission, maker), (decisions, verdict, checker) = names["producer"].sent
    transports = [read_transport(maker, is_decision=False), read_transport(checker, is_decision=True)]
    assert (requests, decisions) == ("requests.submitted", "decisions.submitted")
    assert submission["requestType"] == "GOODWILL_POINTS"
    assert not isinstance(read_decision(verdict), str)
    assert [transport.token for transport in transports if not isinstance(transport, str)] == [b"a.fake.token"] * 2
    assert getattr(transports[0], "api_request_id", None) == names["api_request_id"]
