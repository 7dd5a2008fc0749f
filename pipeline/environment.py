"""Where settings are written: the environment and the `.env` file. Which RW_ variables are set, and what is odd there.

What a setting means is not known here. A line of the file that cannot be read stops the start: left out silently, it
would have the worker start with a default that nobody chose. No value is ever quoted, it may be a secret.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from dotenv.parser import Original, parse_stream

PREFIX = "RW_"
ENV_FILE = Path(".env")
NEAR = 0.75  # how alike two names must be, for one to be a slip of the pen of the other


class EnvironmentFault(Exception):
    """A variable or a line cannot be taken; the message is one sentence that says which, without its value."""


def check_environment(known: Iterable[str], env_file: Path | None) -> None:
    """Raises EnvironmentFault for a line that cannot be read, and for a setting that is not written in upper case."""
    known = set(known)
    places = [(name, str(env_file)) for name in _listed(env_file)] + [(name, "environment") for name in os.environ]
    for name, where in places:
        if name != name.upper() and name.upper() in known:
            raise EnvironmentFault(f"{name} ({where}) must be written in upper case, {name.upper()}, to be a setting.")


def found_variables(env_file: Path | None = ENV_FILE) -> dict[str, str]:
    """Which RW_ variables are set, in upper case, and where: "environment" or the `.env` file's name."""
    found = {name.upper(): str(env_file) for name, value in _listed(env_file).items() if value}
    found |= {name.upper(): "environment" for name, value in os.environ.items() if value}
    return {name: where for name, where in found.items() if name.startswith(PREFIX)}


def slips(known: Iterable[str], env_file: Path | None) -> list[str]:
    """A sentence for each RW_ variable that is set and not known, with the one that was probably meant."""
    ends = [name.removeprefix(PREFIX) for name in known]
    sentences = []
    for name in sorted(set(found_variables(env_file)) - {PREFIX + end for end in ends}):
        near = difflib.get_close_matches(name.removeprefix(PREFIX), ends, n=1, cutoff=NEAR)
        sentences.append(f"{name} is no setting" + (f": did you mean {PREFIX}{near[0]}?" if near else "."))
    return sentences


def _listed(env_file: Path | None) -> dict[str, str | None]:
    """What the file says, if there is one. Raises EnvironmentFault."""
    if env_file is None or not env_file.is_file():
        return {}
    try:
        with env_file.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except UnicodeDecodeError:
        raise EnvironmentFault(f"{env_file} is not text in UTF-8: write it anew.") from None
    except OSError as problem:
        raise EnvironmentFault(f"{env_file} cannot be read: {problem.strerror}.") from None
    for binding in bindings:
        is_half = binding.key is not None and binding.key.upper().startswith(PREFIX) and binding.value is None
        if binding.error or is_half:
            raise EnvironmentFault(f"{env_file}, line {_line(binding.original)}: it is not NAME=value.")
    return {binding.key: binding.value for binding in bindings if binding.key is not None}


def _line(original: Original) -> int:
    """Of the statement itself: empty lines before it count as its own."""
    text = original.string
    return original.line + text[: len(text) - len(text.lstrip())].count("\n")
