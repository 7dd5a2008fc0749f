"""Reads RW_REQUEST_TYPES_FILE: TOML, one table per request type. What the keys mean stands in `domain.policy`."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

from pipeline.domain.policy import Policies, PolicyError, read_policies
from pipeline.settings import SettingsError

SIZE_MAX = 100_000  # bytes


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
        return read_policies(tomllib.loads(text.decode(), parse_float=Decimal))
    except PolicyError as wrong:
        where = f"[{wrong.table}]" + (f" {wrong.key}" if wrong.key else "")
        raise SettingsError(
            f"RW_REQUEST_TYPES_FILE: {path}, {where}: {str(wrong).removeprefix('Value error, ')}."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"RW_REQUEST_TYPES_FILE: {path} is not TOML: {wrong}.") from None
