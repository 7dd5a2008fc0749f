"""Reads RW_REQUEST_TYPES_FILE: TOML, one table per request type. What the keys mean stands in `domain.policy`."""

from __future__ import annotations

import json
import re
import tomllib
from decimal import Decimal
from pathlib import Path

from pipeline.domain.policy import Policies, PolicyError, read_policies
from pipeline.settings import SettingsError

SIZE_MAX = 100_000  # bytes
NAME_MAX = 60  # characters of a name that are told
BOUNDLESS = "holds a number or a nesting beyond all bounds"
_BARE = re.compile(r"[A-Za-z0-9_-]{1,60}")


def load_policies(path: Path | None) -> Policies:
    """The policies of the file, or the defaults where there is none.

    Raises SettingsError with one sentence that names the file, the table and the key.
    """
    if path is None:
        return Policies()
    try:
        with path.open("rb") as file:
            text = file.read(SIZE_MAX + 1)
    except OSError as problem:
        raise SettingsError(f"RW_REQUEST_TYPES_FILE: {path} cannot be read: {problem.strerror}.") from None
    if len(text) > SIZE_MAX:
        raise SettingsError(f"RW_REQUEST_TYPES_FILE: {path} is larger than {SIZE_MAX} bytes: is it the right file?")
    try:
        return read_policies(tomllib.loads(text.decode(), parse_float=_decimal))
    except PolicyError as wrong:
        where = f"[{_name(wrong.table)}]" + ("" if wrong.key is None else f" {_name(wrong.key)}")
        told = str(wrong).removeprefix("Value error, ")
        raise SettingsError(f"RW_REQUEST_TYPES_FILE: {path}, {where}: {told}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"RW_REQUEST_TYPES_FILE: {path} is not TOML: {wrong}.") from None
    except (ValueError, RecursionError):  # tomllib lets Python's own limits through
        raise SettingsError(f"RW_REQUEST_TYPES_FILE: {path} {BOUNDLESS}.") from None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError("an exponent that no number has") from None


def _name(name: str) -> str:
    """As the file would spell it: on one line, quoted where it must be, cut where it is long."""
    return name if _BARE.fullmatch(name) else json.dumps(name[:NAME_MAX])
