"""The house rules (tests/tidy.py) hold in the whole tree, and each of them can fail."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tidy

ROOT = Path(__file__).resolve().parents[1]
# Started by name: the console script.
ENTRIES = frozenset({"pipeline", "pipeline.__main__"})
Check = Callable[[str, str], Iterator[str]]

OF_CODE: tuple[Check, ...] = (
    tidy.long_modules,
    tidy.long_functions,
    tidy.missing_headers,
    tidy.banned_names,
    tidy.prints,
)
OF_TESTS: tuple[Check, ...] = (tidy.untold_tests, tidy.mocks)
OF_TEXT: tuple[Check, ...] = (tidy.leftover_marks, tidy.foreign_places)


def tree() -> dict[str, str]:
    """All text files that git would keep: path from the root to text."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    texts = {}
    for name in listed.stdout.splitlines():
        try:
            texts[name] = (ROOT / name).read_text()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # no text, or deleted and not yet committed
    return texts


TREE = tree()


def files(start: str = "", end: str = "") -> dict[str, str]:
    """Those files of the tree whose path starts and ends so."""
    return {name: text for name, text in TREE.items() if name.startswith(start) and name.endswith(end)}


def breaches(check: Check, texts: dict[str, str]) -> str:
    """What the check says of these files, a line each."""
    return "\n".join(sentence for name, text in texts.items() for sentence in check(name, text))


def test_the_tree_was_found() -> None:
    """There is something to check: the package, its tests and other texts."""
    assert {"pipeline/settings.py", "tests/test_tidy.py", "Makefile"} <= set(TREE)


@pytest.mark.parametrize("check", OF_CODE, ids=lambda check: check.__name__)
def test_code_is_tidy(check: Check) -> None:
    """The package and its tests keep the limits and names of the house."""
    told = breaches(check, files(end=".py"))

    assert not told, told


@pytest.mark.parametrize("check", OF_TESTS, ids=lambda check: check.__name__)
def test_tests_are_tidy(check: Check) -> None:
    """Tests say what they show and use no mocks."""
    told = breaches(check, files("tests/", ".py"))

    assert not told, told


@pytest.mark.parametrize("check", OF_TEXT, ids=lambda check: check.__name__)
def test_texts_are_tidy(check: Check) -> None:
    """No file holds leftover marks or names one machine's places."""
    told = breaches(check, TREE)

    assert not told, told


def test_the_readme_is_a_start() -> None:
    """The README is short."""
    told = breaches(tidy.long_readme, files("README.md"))

    assert not told, told


def test_every_module_is_used() -> None:
    """Each module of the package is imported by another one, or is an entry."""
    modules = {}
    for name, text in files("pipeline/", ".py").items():
        modules[name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")] = text
    packages = {name.removesuffix("/__init__.py").replace("/", ".") for name in files("pipeline/", "/__init__.py")}

    told = "\n".join(tidy.never_imported(modules, ENTRIES | packages))

    assert not told, told


BAD: list[tuple[Check, str]] = [
    (tidy.long_modules, "x = 1\n" * 301),
    (tidy.long_functions, "def walk():\n" + "    x = 1\n" * 50),
    (tidy.long_functions, "async def walk():\n" + "    x = 1\n" * 50),
    (tidy.missing_headers, "x = 1\n"),
    (tidy.banned_names, "class RequestManager: ...\n"),
    (tidy.banned_names, "def process(data): ...\n"),
    (tidy.banned_names, "def handle_data(): ...\n"),
    (tidy.banned_names, "def walk(user_info): ...\n"),
    (tidy.banned_names, "class HTTPService: ...\n"),
    (tidy.banned_names, "obj = 1\n"),
    (tidy.banned_names, "self.util = 1\n"),
    (tidy.prints, "print('here')\n"),
    (tidy.leftover_marks, "x = 1  # TO" + "DO later\n"),
    (tidy.foreign_places, "open('/ro" + "ot/x')\n"),
    (tidy.foreign_places, "--index-url https://pypi." + "org/simple\n"),
    (tidy.long_readme, "line\n" * 201),
    (tidy.untold_tests, "def test_it(): ...\n"),
    (tidy.untold_tests, "async def test_it(): ...\n"),
    (tidy.mocks, "from unittest import mock\n"),
    (tidy.mocks, "import unittest.mock\n"),
    (tidy.mocks, "monkeypatch.setattr(thing, 'name', 1)\n"),
]

GOOD = '''"""Why it exists."""
processed = "processing a process"  # a participle says more than the noun
log.info("printed")
def test_it():
    """A truth."""
'''


@pytest.mark.parametrize(("check", "snippet"), BAD, ids=lambda part: getattr(part, "__name__", "")[:20])
def test_each_check_can_fail(check: Check, snippet: str) -> None:
    """A bad snippet is found once, with its place and with what to do instead."""
    (sentence,) = check("some/file.py", snippet)

    assert sentence.startswith("some/file.py:")
    assert sentence.count(": ") >= 2


@pytest.mark.parametrize("check", [*OF_CODE, *OF_TESTS, *OF_TEXT, tidy.long_readme], ids=lambda check: check.__name__)
def test_no_check_cries_wolf(check: Check) -> None:
    """A good snippet, also at the limit, passes every check."""
    assert list(check("some/file.py", GOOD)) == []
    assert list(tidy.long_functions("f.py", "def walk():\n" + "    x = 1\n" * 49)) == []
    assert list(tidy.long_modules("f.py", "x = 1\n" * 300)) == []


def test_a_bad_file_name_is_found() -> None:
    """The name of a module counts, too."""
    assert len(list(tidy.banned_names("pipeline/utils.py", ""))) == 1


def test_a_module_that_nobody_imports_is_found() -> None:
    """A module that only imports itself is not used; one that is imported from its package is."""
    modules = {"a": "from a import x\n", "b": "from pkg import c\nimport d.e\n", "pkg.c": "", "d.e": ""}

    assert [sentence.split(":")[0] for sentence in tidy.never_imported(modules, frozenset({"b"}))] == ["a"]
