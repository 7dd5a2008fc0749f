"""The README tells the truth: its picture is the table, its commands and files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.domain.states import diagram
from pipeline.domain.tries import printed

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
TOPICS = (ROOT / "topics" / "README.md").read_text()


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
