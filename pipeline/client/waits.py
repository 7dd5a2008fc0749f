"""Waits that a person sees. On stderr and on a terminal only: what a command answers stays clean."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def waiting(doing: str) -> Iterator[None]:
    """Shows that something is waited for, when a person looks; says nothing otherwise."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(doing):
        yield
