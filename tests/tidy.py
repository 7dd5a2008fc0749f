"""The house rules as functions: each takes a file's name and text and gives one sentence per breach, with what to do.

`test_tidy.py` runs them on the whole tree, and proves on bad snippets that each can fail. Only what a person would
otherwise have to look for stands here: what ruff, mypy and import-linter can say, they say.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

FUNCTION_LINES_MAX = 50
MODULE_LINES_MAX = 300
README_LINES_MAX = 200
BANNED = frozenset({"manager", "helper", "helpers", "util", "utils", "service", "processor", "info", "obj", "process"})
DOCUMENTED = re.compile(r"entity_?info", re.IGNORECASE)  # the documents' own name for concept, zone, store and till
# In two halves, so that this file does not break its own rules.
MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
PLACES = re.compile(
    r"(?<![\w.])/(?:wo"
    r"rk|ro"
    r"ot|ho"
    r"me/\w+|Us"
    r"ers/\w+|tmp/w)/"
    r"|pypi\."
    r"org|python"
    r"hosted|repo1?\.maven|npmjs\."
    r"org|artifact"
    r"ory|\bnex"
    r"us\.",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

Functions = (ast.FunctionDef, ast.AsyncFunctionDef)


def long_modules(name: str, text: str) -> Iterator[str]:
    """More lines than a reader keeps in mind."""
    lines = text.count("\n")
    if lines > MODULE_LINES_MAX:
        yield f"{name}: {lines} lines, at most {MODULE_LINES_MAX}: give its second subject a file of its own"


def long_functions(name: str, text: str) -> Iterator[str]:
    """Functions that do not fit on a screen."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Functions) and node.end_lineno:
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield (
                    f"{name}:{node.lineno}: {node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}: "
                    "give a step of it a name, or make its branches rows of a table"
                )


def missing_headers(name: str, text: str) -> Iterator[str]:
    """Modules that do not say why they exist."""
    if text.strip() and not ast.get_docstring(ast.parse(text)):
        yield f"{name}: no module docstring: say first what lives here, what may not enter, and why"


def banned_names(name: str, text: str) -> Iterator[str]:
    """Names that may mean anything. Only what we define counts, and a test's name is a sentence, not a name."""
    for line, given in [(1, name.rpartition("/")[2].removesuffix(".py")), *_defined(ast.parse(text))]:
        words = {word.lower() for word in _WORDS.findall(DOCUMENTED.sub("", given))}
        if given.startswith("test_"):
            continue
        if words & BANNED or given == "handle_data":
            yield f"{name}:{line}: the name {given} says nothing: take a word of the glossary, or say what it does"


def _defined(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, (*Functions, ast.ClassDef)):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def prints(name: str, text: str) -> Iterator[str]:
    """Output that no log format and no redaction sees."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"{name}:{node.lineno}: print: log it with structlog, or let the console script write it with typer"


def leftover_marks(name: str, text: str) -> Iterator[str]:
    """Promises that nobody keeps."""
    for number, line in enumerate(text.splitlines(), start=1):
        if MARKS.search(line):
            yield f"{name}:{number}: a leftover mark: do it now, or open an issue and say the limit in a sentence"


def foreign_places(name: str, text: str) -> Iterator[str]:
    """Paths of one machine and hosts of one registry: they are true nowhere else."""
    for number, line in enumerate(text.splitlines(), start=1):
        if PLACES.search(line):
            yield f"{name}:{number}: a path or host of one machine: use a relative path, a setting, or a .test host"


def long_readme(name: str, text: str) -> Iterator[str]:
    """A README that is no longer a start."""
    lines = text.count("\n")
    if lines > README_LINES_MAX:
        yield f"{name}: {lines} lines, at most {README_LINES_MAX}: move what is not needed to start next to its subject"


def untold_tests(name: str, text: str) -> Iterator[str]:
    """Tests that do not state their truth."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Functions) and node.name.startswith("test_") and not ast.get_docstring(node):
            yield f"{name}:{node.lineno}: {node.name} has no docstring: state the truth that it shows, in one sentence"


def mocks(name: str, text: str) -> Iterator[str]:
    """Doubles that agree with whatever the code does."""
    for node in ast.walk(ast.parse(text)):
        imported = ast.unparse(node) if isinstance(node, ast.Import | ast.ImportFrom) else ""
        patched = isinstance(node, ast.Attribute) and node.attr == "setattr"
        if re.search(r"\bmock\b|pytest_mock", imported) or patched:
            yield f"{name}:{node.lineno}: a mock or a patch: write a double that passes the real thing's tests"


def never_imported(modules: dict[str, str], entries: frozenset[str]) -> Iterator[str]:
    """Modules (dotted name to text) that no other one imports and that are no entry themselves."""
    imported: set[str] = set()
    for module, text in modules.items():
        imported |= {found for found in _imports(text) if found != module}
    for module in sorted(set(modules) - imported - entries):
        yield f"{module}: nobody imports it: use it, or remove it (git remembers)"


def _imports(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
